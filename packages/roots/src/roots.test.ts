import {
  BlockNotFoundError, CorruptBlockError, DAG_CBOR, InvalidArgumentError, LimitExceededError, MAX_VECTOR_DEVICES, RAW, UnauthorisedError, UnknownVersionError, createBlock, decode, deviceId, encode, encodeBlock,
  signedBytes, toHex, vaultId, type Block, type DeviceId, type Signer
} from '@holdfast/protocol'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { describe, expect, it } from 'vitest'
import { MAX_ROOT_BYTES, decodeBody, encodeBody, examineHead, reachable, readRoot, signRoot, type Root, type RootAt } from './index.js'
import { rootFields } from './root.js'

// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const seed = process.env['HOLDFAST_TEST_SEED']
fc.configureGlobal(seed === undefined ? {} : { seed: Number(seed) })

const signerOf = async (n: number): Promise<Signer> => {
  const key = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(n))
  return { publicKey: key.publicKey.raw, sign: async message => key.sign(message) }
}
const alice = await signerOf(1)
const bob = await signerOf(2)
const idOf = (signer: Signer): DeviceId => deviceId(signer.publicKey)
const vault = vaultId(new Uint8Array(16).fill(9))
const rawBlock = async (text: string): Promise<Block> => createBlock(RAW, new TextEncoder().encode(text))

async function rootOf (changes: Partial<Root> = {}): Promise<Root> {
  const body = (await encodeBlock({ body: 1 })).cid
  return { vault, device: idOf(alice), counter: 3, vector: { [idOf(alice)]: 3, [idOf(bob)]: 5 }, body, at: 1_700_000_000_000, ...changes }
}

describe('body', () => {
  it('ROOT-1 is three links, and equal states have equal bodies', async () => {
    const [log, files, members] = await Promise.all(['log', 'files', 'members'].map(async text => encodeBlock(text)))
    const body = { log: log!.cid, files: files!.cid, members: members!.cid }
    const block = await encodeBody(body)
    expect(decodeBody(block.bytes)).toEqual(body)
    expect((await encodeBody({ members: body.members, files: body.files, log: body.log })).cid.toString()).toBe(block.cid.toString())
  })

  it('ROOT-1 refuses other shapes, versions and encodings', async () => {
    const { cid } = await encodeBlock(1)
    const body = { v: 1, log: cid, files: cid, members: cid }
    expect(() => decodeBody(encode({ ...body, v: 2 }))).toThrow(UnknownVersionError)
    expect(() => decodeBody(encode({ ...body, log: 1 }))).toThrow(CorruptBlockError)
    expect(() => decodeBody(encode({ ...body, more: 1 }))).toThrow(CorruptBlockError)
    expect(() => decodeBody(encode({ ...body, log: CID.createV1(0x70, cid.multihash) }))).toThrow(CorruptBlockError)
    expect(() => decodeBody(new Uint8Array([0xff]))).toThrow(CorruptBlockError)
  })
})

describe('root', () => {
  it('ROOT-1 reads back what its device signed', async () => {
    const root = await rootOf()
    expect(await readRoot(await signRoot(root, alice))).toEqual(root)
  })

  it('ROOT-1 is not signed for another device or with a vector that contradicts it', async () => {
    await expect(signRoot(await rootOf(), bob)).rejects.toBeInstanceOf(InvalidArgumentError)
    await expect(signRoot(await rootOf({ counter: 4 }), alice)).rejects.toBeInstanceOf(InvalidArgumentError)
  })

  it('ROOT-1 any byte changed is refused', async () => {
    const { bytes } = await signRoot(await rootOf(), alice)
    await fc.assert(fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = bytes.slice()
      changed[at]! ^= flip
      await expect(readRoot(await createBlock(DAG_CBOR, changed))).rejects.toMatchObject({ name: expect.stringMatching(/^(UnauthorisedError|CorruptBlockError|LimitExceededError|UnknownVersionError)$/) as string })
    }), { numRuns: 400 })
  })

  it('ROOT-3 nobody but its device can make a second block of a root', async () => {
    const { bytes } = await signRoot(await rootOf(), alice)
    const map = decode(bytes) as Record<string, unknown>
    await expect(readRoot(await encodeBlock({ ...map, more: 1 }))).rejects.toBeInstanceOf(CorruptBlockError)
    const vector = map['vector'] as unknown[]
    await expect(readRoot(await encodeBlock({ ...map, vector: [...vector].reverse() }))).rejects.toBeInstanceOf(CorruptBlockError)
    await expect(readRoot(await encodeBlock({ ...map, vector: [vector[0], ...vector] }))).rejects.toBeInstanceOf(CorruptBlockError)
  })

  it('ROOT-1 a signature by another device, or for another purpose, is refused', async () => {
    const fields = rootFields(await rootOf())
    const signed = async (signer: Signer, purpose: 'root' | 'change'): Promise<Block> => encodeBlock({ ...fields, sig: await signer.sign(signedBytes(purpose, fields)) })
    await expect(readRoot(await signed(bob, 'root'))).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(readRoot(await signed(alice, 'change'))).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(readRoot(await signed(alice, 'root'))).resolves.toBeDefined()
  })

  it('ROOT-1 a vector of too many devices is refused, to write and to read', async () => {
    const vector: Record<DeviceId, number> = { [idOf(alice)]: 3 }
    for (let i = 0; i < MAX_VECTOR_DEVICES; i++) vector[toHex(new Uint8Array(32).fill(i % 251).fill(i >> 8, 0, 1)).replace(/^..../, i.toString(16).padStart(4, '0')) as DeviceId] = 1
    const root = await rootOf({ vector })
    await expect(signRoot(root, alice)).rejects.toBeInstanceOf(LimitExceededError)
    const fields = rootFields(root)
    await expect(readRoot(await encodeBlock({ ...fields, sig: await alice.sign(signedBytes('root', fields)) }))).rejects.toBeInstanceOf(LimitExceededError)
    await expect(readRoot(await createBlock(DAG_CBOR, new Uint8Array(MAX_ROOT_BYTES + 1)))).rejects.toBeInstanceOf(LimitExceededError)
  })

  it('ROOT-1 a root without its own counter, and bytes of another CID, are refused', async () => {
    const fields = rootFields(await rootOf({ counter: 4 }))
    await expect(readRoot(await encodeBlock({ ...fields, sig: await alice.sign(signedBytes('root', fields)) }))).rejects.toBeInstanceOf(CorruptBlockError)
    const [one, two] = [await signRoot(await rootOf(), alice), await signRoot(await rootOf({ at: 1 }), alice)]
    await expect(readRoot({ cid: one.cid, bytes: two.bytes })).rejects.toBeInstanceOf(CorruptBlockError)
  })
})

describe('examining a head', () => {
  const at = async (counter: number, other: number, changes: Partial<Root> = {}): Promise<RootAt> => {
    const root = await rootOf({ counter, vector: { [idOf(alice)]: counter, [idOf(bob)]: other }, ...changes })
    return { root, cid: (await signRoot(root, alice)).cid }
  }

  it('ROOT-3 tells newer, same and older roots', async () => {
    expect(examineHead(null, await at(1, 1))).toBe('newer')
    expect(examineHead(await at(1, 1), await at(2, 1))).toBe('newer')
    expect(examineHead(await at(2, 1), await at(2, 1))).toBe('same')
    expect(examineHead(await at(2, 1), await at(1, 1))).toBe('older')
  })

  it('ROOT-3 two contents under one counter are a fork, with both roots as evidence', async () => {
    const [one, two] = [await at(2, 1), await at(2, 1, { at: 5 })]
    expect(examineHead(one, two)).toEqual({ evidence: 'fork', device: idOf(alice), previous: one.cid, next: two.cid, lost: [] })
    expect(examineHead(one, await at(2, 2))).toMatchObject({ evidence: 'fork' })
  })

  it('ROOT-3 a later root that contains less is a rollback, whichever comes first', async () => {
    const [one, two] = [await at(2, 9), await at(3, 8)]
    const lost = [idOf(bob)]
    expect(examineHead(one, two)).toEqual({ evidence: 'rollback', device: idOf(alice), previous: one.cid, next: two.cid, lost })
    expect(examineHead(two, one)).toEqual({ evidence: 'rollback', device: idOf(alice), previous: two.cid, next: one.cid, lost })
  })

  it('ROOT-3 roots of two devices are not compared', async () => {
    const other = { ...await at(1, 1) }
    const root = { ...other.root, device: idOf(bob) }
    expect(() => examineHead(other, { ...other, root })).toThrow(InvalidArgumentError)
  })
})

describe('what is reachable', () => {
  async function dag (): Promise<{ root: Block, inner: Block, leaf: Block, blocks: Map<string, Uint8Array> }> {
    const leaf = await rawBlock('sealed')
    const inner = await encodeBlock({ v: 1, links: [leaf.cid] })
    const root = await encodeBlock({ a: inner.cid, deep: [{ b: inner.cid, c: leaf.cid }] })
    return { root, inner, leaf, blocks: new Map([root, inner].map(block => [block.cid.toString(), block.bytes])) }
  }
  const sourceOf = (blocks: Map<string, Uint8Array>) => async (cid: CID): Promise<Uint8Array> => {
    const bytes = blocks.get(cid.toString())
    if (bytes === undefined) throw new BlockNotFoundError(cid.toString())
    return bytes
  }
  const all = async (cids: AsyncIterable<CID>): Promise<string[]> => {
    const found: string[] = []
    for await (const cid of cids) found.push(cid.toString())
    return found
  }

  it('ROOT-2 every linked block comes once, the root first, and raw blocks are not read', async () => {
    const { root, inner, leaf, blocks } = await dag()
    const found = await all(reachable(root.cid, sourceOf(blocks)))
    expect(found[0]).toBe(root.cid.toString())
    expect(found.toSorted()).toEqual([root, inner, leaf].map(block => block.cid.toString()).toSorted())
  })

  it('ROOT-2 what is known is neither told nor read', async () => {
    const { root, inner, leaf, blocks } = await dag()
    blocks.delete(inner.cid.toString())
    const found = await all(reachable(root.cid, sourceOf(blocks), { known: cid => cid.equals(inner.cid) }))
    expect(found).toEqual([root.cid.toString(), leaf.cid.toString()])
  })

  it('NODE-4 missing blocks are an error, or told to who asks', async () => {
    const { root, inner, leaf, blocks } = await dag()
    blocks.delete(inner.cid.toString())
    await expect(all(reachable(root.cid, sourceOf(blocks)))).rejects.toBeInstanceOf(BlockNotFoundError)
    const missing: string[] = []
    const found = await all(reachable(root.cid, { readMany: async cids => new Map(cids.flatMap(cid => { const bytes = blocks.get(cid.toString()); return bytes === undefined ? [] : [[cid.toString(), bytes]] })) }, { onMissing: cid => missing.push(cid.toString()) }))
    expect(missing).toEqual([inner.cid.toString()])
    expect(found).toContain(leaf.cid.toString())
  })

  it('ROOT-2 a link to a block of another kind is refused', async () => {
    const leaf = await rawBlock('x')
    const root = await encodeBlock({ a: CID.createV1(0x70, leaf.cid.multihash) })
    await expect(all(reachable(root.cid, async () => root.bytes))).rejects.toBeInstanceOf(CorruptBlockError)
  })
})

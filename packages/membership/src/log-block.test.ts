import * as Automerge from '@automerge/automerge'
import { createSigner, deriveKey, deriveVaultKeys, sealSmall, type VaultKeys } from '@holdfast/crypto'
import {
  CorruptBlockError, HoldfastError, LimitExceededError, MAX_BLOCK_BYTES, MAX_CHANGES_PER_BLOCK, UnauthorisedError, UnknownVersionError, certifyDevice, createBlock, DAG_CBOR, decode, deviceId, encode,
  encodeBlock, fromHex, pageId, signedBytes, toHex, vaultId, type Block, type Random, type Signer
} from '@holdfast/protocol'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { MAX_FRAGMENT_MEMBERS, createMembershipLog, openChange, openFragment, openLogBlock, readMembership, sealChange, sealFragment, type LogContext, type LogWriter } from './index.js'

// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const testSeed = process.env['HOLDFAST_TEST_SEED']
fc.configureGlobal(testSeed === undefined ? {} : { seed: Number(testSeed) })

let drawn = 0
const random: Random = { bytes: length => deriveKey(new Uint8Array(32), `test/${drawn++}`, length) }
const signerOf = (n: number): Signer => createSigner(deriveKey(new Uint8Array(32), `signer/${n}`))
const [owner, laptop, phone, stranger] = [signerOf(1), signerOf(11), signerOf(12), signerOf(13)] as const

const vault = vaultId(new Uint8Array(16).fill(1))
const secret = new Uint8Array(32).fill(2)
const keys = deriveVaultKeys(secret, vault, 0)
const page = pageId(new Uint8Array(16).fill(5))
const writer: LogWriter = { keys, signer: laptop, random }
const keysOf = (epoch: number): VaultKeys | undefined => epoch === 0 ? keys : undefined
let context: LogContext

interface Note { [key: string]: unknown }
function makeChanges (count: number, actor = 'aa'): Uint8Array[] {
  let document = Automerge.init<Note>({ actor: actor.repeat(16) })
  for (let i = 0; i < count; i++) document = Automerge.change(document, { time: 0 }, note => { note[`entry ${i % 7}`] = new Uint8Array([i, 1]) })
  return Automerge.getAllChanges(document)
}

beforeAll(async () => {
  const log = createMembershipLog({ vault, secret }, random)
  const enter = async (device: Signer): Promise<Block> => log.device(device, { certificate: await certifyDevice(owner, deviceId(device.publicKey), 1), headKey: new Uint8Array(32), at: 1 })
  context = { vault, membership: await readMembership([await log.genesis(owner, { at: 1 }), await enter(laptop), await enter(phone)], { vault, secret }), keysOf }
})

/** Seals and signs whatever content a hostile member likes, past every check. */
async function forge (content: unknown, changes: { kind?: string, signer?: Signer, epoch?: number, seq?: number, purpose?: 'change' | 'fragment' } = {}): Promise<Block> {
  const { kind = 'change', signer = laptop, epoch = 0, seq = 1, purpose = 'change' } = changes
  const sealed = sealSmall(keys.log, encode(content), { vault, epoch, purpose: kind, position: `${deviceId(signer.publicKey)}/${seq}` }, random)
  const fields = { v: 1, kind, vault: fromHex(vault), epoch, device: signer.publicKey, seq, sealed }
  return encodeBlock({ ...fields, sig: await signer.sign(signedBytes(purpose, fields)) })
}

describe('changes', () => {
  it('LOG-1 come out as they went in, and Automerge takes them', async () => {
    const changes = makeChanges(3)
    const opened = await openChange(await sealChange(writer, { seq: 4, page, changes }), context)
    expect(opened).toEqual({ kind: 'change', device: deviceId(laptop.publicKey), epoch: 0, seq: 4, page, changes })
    const [document] = Automerge.applyChanges(Automerge.init<Note>(), [...opened.changes])
    expect(Object.keys(document)).toEqual(['entry 0', 'entry 1', 'entry 2'])
  })

  it('LOG-1 show neither page nor content', async () => {
    const changes = makeChanges(1)
    const bytes = Buffer.from((await sealChange(writer, { seq: 1, page, changes })).bytes)
    expect(bytes.includes(Buffer.from(changes[0]!.subarray(8, 40)))).toBe(false)
    expect(bytes.includes(Buffer.from(fromHex(page)))).toBe(false)
  })

  it('LOG-1 any byte changed, anywhere, is refused', async () => {
    const { bytes } = await sealChange(writer, { seq: 4, page, changes: makeChanges(1) })
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice()
      changed[at]! ^= 1
      await expect(openLogBlock(await createBlock(DAG_CBOR, changed), context), `byte ${at}`).rejects.toBeInstanceOf(HoldfastError)
    }
    await fc.assert(fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = bytes.slice()
      changed[at]! ^= flip
      await expect(openLogBlock(await createBlock(DAG_CBOR, changed), context)).rejects.toBeInstanceOf(HoldfastError)
    }), { numRuns: 300 })
  })

  it('LOG-1 each field is signed, and there are no others', async () => {
    const { bytes } = await sealChange(writer, { seq: 4, page, changes: makeChanges(1) })
    const map = decode(bytes) as Record<string, unknown>
    const other = { ...context, vault: vaultId(new Uint8Array(16)), keysOf: () => ({ ...keys, vault: vaultId(new Uint8Array(16)) }) }
    const open = async (changes: Record<string, unknown>, where = context): Promise<unknown> => openLogBlock(await encodeBlock({ ...map, ...changes }), where)
    await expect(open({})).resolves.toBeDefined()
    await expect(open({ seq: 5 })).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(open({ kind: 'fragment' })).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(open({ device: phone.publicKey })).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(open({ vault: new Uint8Array(16) }, other)).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(open({ epoch: 1 }, { ...context, membership: { ...context.membership, epoch: 1 }, keysOf: epoch => ({ ...keys, epoch }) })).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(open({ more: 1 })).rejects.toBeInstanceOf(CorruptBlockError)
    await expect(open({ v: 2 })).rejects.toBeInstanceOf(UnknownVersionError)
    await expect(open({ kind: 'party' })).rejects.toBeInstanceOf(CorruptBlockError)
    await expect(open({ seq: 0 })).rejects.toBeInstanceOf(CorruptBlockError)
  })

  it('LOG-1 another member cannot pass off a sealed change as its own', async () => {
    const map = decode((await sealChange(writer, { seq: 4, page, changes: makeChanges(1) })).bytes) as Record<string, unknown>
    const fields = Object.fromEntries(Object.entries({ ...map, device: phone.publicKey }).filter(([name]) => name !== 'sig'))
    const stolen = await encodeBlock({ ...fields, sig: await phone.sign(signedBytes('change', fields)) })
    await expect(openLogBlock(stolen, context)).rejects.toBeInstanceOf(CorruptBlockError)
  })

  it('LOG-1 device, role, revocation and epoch are checked before the signature and the seal', async () => {
    const block = await sealChange(writer, { seq: 4, page, changes: makeChanges(1) })
    const id = deviceId(laptop.publicKey)
    const asked: number[] = []
    const withDevice = (changes: object): LogContext => ({
      ...context, keysOf: epoch => { asked.push(epoch); return keys },
      membership: { ...context.membership, devices: new Map([[id, { ...context.membership.devices.get(id)!, ...changes }]]) }
    })
    await expect(openLogBlock(block, withDevice({ role: 'viewer' }))).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(openLogBlock(block, withDevice({ revokedAt: 9 }))).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(openLogBlock(await sealChange({ ...writer, signer: stranger }, { seq: 1, page, changes: [] }), withDevice({}))).rejects.toBeInstanceOf(UnauthorisedError)
    expect(asked).toEqual([])
    await expect(openLogBlock(block, { ...withDevice({ revokedAt: 9 }), accepted: cid => cid.equals(block.cid) })).resolves.toBeDefined()
    await expect(openLogBlock(block, withDevice({ role: 'editor' }))).resolves.toBeDefined()
    await expect(openLogBlock(await forge({}, { epoch: 1 }), withDevice({}))).rejects.toThrow(/epoch 1/)
    await expect(openLogBlock(block, { ...context, keysOf: () => undefined })).rejects.toThrow(/epoch 0/)
  })

  it('LOG-1 a right signature does not help a wrong content', async () => {
    const [change] = makeChanges(1)
    const good = { v: 1, page: fromHex(page), changes: [change] }
    await expect(openLogBlock(await forge(good), context)).resolves.toBeDefined()
    await expect(openLogBlock(await forge({ ...good, v: 2 }), context)).rejects.toBeInstanceOf(UnknownVersionError)
    for (const content of [7, { ...good, page: 'x' }, { ...good, page: new Uint8Array(15) }, { ...good, changes: 1 }, { ...good, changes: ['x'] }, { ...good, changes: [new Uint8Array(40)] }]) {
      await expect(openLogBlock(await forge(content), context)).rejects.toBeInstanceOf(CorruptBlockError)
    }
    await expect(openLogBlock(await forge(good, { purpose: 'fragment' }), context)).rejects.toBeInstanceOf(UnauthorisedError)
  })

  it('LOG-1 too many changes and too large a block are refused, to write and to read', async () => {
    const [change] = makeChanges(1)
    const changes = Array.from({ length: MAX_CHANGES_PER_BLOCK + 1 }, () => change!)
    await expect(sealChange(writer, { seq: 1, page, changes })).rejects.toBeInstanceOf(LimitExceededError)
    await expect(openLogBlock(await forge({ v: 1, page: fromHex(page), changes }), context)).rejects.toBeInstanceOf(LimitExceededError)
    await expect(openLogBlock(await forge({ v: 1, page: fromHex(page), changes: changes.slice(1) }), context)).resolves.toBeDefined()
    const { cid } = await encodeBlock(1)
    await expect(openLogBlock({ cid, bytes: new Uint8Array(MAX_BLOCK_BYTES + 1) }, context)).rejects.toBeInstanceOf(LimitExceededError)
  })
})

describe('fragments', () => {
  const fragmentOf = (count: number): { id: string, members: string[], bytes: Uint8Array } => {
    const changes = makeChanges(count)
    const [document] = Automerge.applyChanges(Automerge.init<Note>(), changes)
    const members = changes.map(change => Automerge.decodeChange(change).hash)
    return { id: members.at(-1)!, members, bytes: Automerge.saveBundle(document, members) }
  }

  it('LOG-2 come out as they went in, and are not taken for changes', async () => {
    const fragment = { seq: 2, page, ...fragmentOf(50) }
    const block = await sealFragment(writer, fragment)
    expect(await openFragment(block, context)).toEqual({ kind: 'fragment', device: deviceId(laptop.publicKey), epoch: 0, ...fragment })
    await expect(openChange(block, context)).rejects.toBeInstanceOf(CorruptBlockError)
    await expect(openFragment(await sealChange(writer, { seq: 1, page, changes: [] }), context)).rejects.toBeInstanceOf(CorruptBlockError)
  })

  it('LOG-2 any byte changed is refused', async () => {
    const { bytes } = await sealFragment(writer, { seq: 2, page, ...fragmentOf(3) })
    await fc.assert(fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = bytes.slice()
      changed[at]! ^= flip
      await expect(openLogBlock(await createBlock(DAG_CBOR, changed), context)).rejects.toBeInstanceOf(HoldfastError)
    }), { numRuns: 200 })
  })

  it('LOG-2 too many members, and a cut list of them, are refused', async () => {
    const fragment = { seq: 2, page, ...fragmentOf(3) }
    const members = Array.from({ length: MAX_FRAGMENT_MEMBERS + 1 }, (_, i) => toHex(new Uint8Array(32).fill(i)))
    await expect(sealFragment(writer, { ...fragment, members })).rejects.toBeInstanceOf(LimitExceededError)
    const content = { v: 1, page: fromHex(page), id: new Uint8Array(32), members: new Uint8Array(32), bytes: fragment.bytes }
    const forged = async (changes: object): Promise<Block> => forge({ ...content, ...changes }, { kind: 'fragment', purpose: 'fragment' })
    await expect(openLogBlock(await forged({}), context)).resolves.toBeDefined()
    await expect(openLogBlock(await forged({ members: new Uint8Array(32 * (MAX_FRAGMENT_MEMBERS + 1)) }), context)).rejects.toBeInstanceOf(LimitExceededError)
    await expect(openLogBlock(await forged({ members: new Uint8Array(33) }), context)).rejects.toBeInstanceOf(CorruptBlockError)
    await expect(openLogBlock(await forged({ bytes: new Uint8Array(33) }), context)).rejects.toBeInstanceOf(CorruptBlockError)
  })
})

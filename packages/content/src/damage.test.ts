import { blockId, blockLinks, checkBlock, CorruptBlockError, createBlock, DAG_CBOR, decode, encode, encodeBlock, MAX_BLOCK_BYTES, RAW, type Block } from '@holdfast/protocol'
import fc from 'fast-check'
import type { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { random, runs } from '../../crypto/testing/seed.js'
import { contentOf, createShelf, facts, keysOf, noise, partsOf, same, sealed, type Shelf } from '../testing/fixture.js'
import { describe as describeFile } from './description.js'
import type { FileRef, OpenFile } from './index.js'

const MIB = 1 << 20
const corrupt = { name: 'CorruptBlockError', family: 'corrupt' }
interface RawNode { v: number, links: CID[], sealed: Uint8Array }
const nodeOf = (shelf: Shelf, ref: FileRef): RawNode => decode(shelf.blocks.get(blockId(ref.node))!) as RawNode

/** Reads all there is; gives what came before an error, and the error. */
async function readAll (open: () => Promise<OpenFile>): Promise<{ bytes: Uint8Array, error?: unknown }> {
  const parts: Uint8Array[] = []
  try {
    for await (const part of (await open()).read()) parts.push(part)
  } catch (error) {
    return { bytes: new Uint8Array(Buffer.concat(parts)), error }
  }
  return { bytes: new Uint8Array(Buffer.concat(parts)) }
}

/** CHK-4: what was read before the error is right, and there is an error, of the corrupt family. */
async function expectCorrupt (open: () => Promise<OpenFile>, truth: Uint8Array): Promise<void> {
  const { bytes, error } = await readAll(open)
  expect(error).toMatchObject(corrupt)
  expect(same(bytes, truth.subarray(0, bytes.length))).toBe(true)
}

const inline = noise('inline', 5_000)
const single = noise('single', 150_000)
const many = noise('many', 1.5 * MIB)
/** Enough for index blocks. */
const indexed = noise('indexed', 16 * MIB)
const files = { inline, single, many, indexed }
const others = { inline: noise('i', 5_000), single: noise('s', 150_000), many: noise('m', 1.5 * MIB), indexed: noise('x', 16 * MIB) }

describe.each(Object.keys(files) as (keyof typeof files)[])('%s', name => {
  const truth = files[name]

  test('CHK-4 whatever happens to a block, it is corrupt, and wrong bytes never come out', async () => {
    const { file, shelf } = await sealed(truth)
    const ids = [...shelf.blocks.keys()]
    const change = fc.record({ block: fc.nat(), at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), how: fc.constantFrom('flip', 'cut', 'grow', 'zero', 'swap', 'empty') })
    await fc.assert(fc.asyncProperty(change, async ({ block, at, how }) => {
      const victim = ids[block % ids.length]!
      const bytes = shelf.blocks.get(victim)!
      const where = Math.floor(at * bytes.length)
      const changed = {
        flip: () => bytes.map((byte, i) => i === where ? byte ^ (1 << (block & 7)) : byte),
        cut: () => bytes.subarray(0, where),
        grow: () => new Uint8Array([...bytes.subarray(0, 100), ...bytes]),
        zero: () => bytes.map((byte, i) => i >= where ? 0 : byte),
        swap: () => shelf.blocks.get(ids[(block + 1) % ids.length]!)!,
        empty: () => new Uint8Array(0)
      }[how]()
      if (same(changed, bytes)) return
      const fetch = async (cid: CID): Promise<Uint8Array> => blockId(cid) === victim ? changed : shelf.fetch(cid)
      await expectCorrupt(async () => contentOf().open(file.ref, fetch), truth)
    }), runs(name === 'indexed' ? 25 : 60))
  })

  test('CHK-4 a wrong key, vault, epoch or another file of the vault does not open', async () => {
    const { file, shelf } = await sealed(truth)
    const wrongKey = { node: file.ref.node, key: file.ref.key.map((byte, i) => i === 31 ? byte ^ 1 : byte) }
    await expectCorrupt(async () => contentOf().open(wrongKey, shelf.fetch), truth)
    for (const keys of [keysOf(2), keysOf(1, 1)]) await expectCorrupt(async () => contentOf(keys).open(file.ref, shelf.fetch), truth)
    const other = await sealed(others[name])
    await expectCorrupt(async () => contentOf().open({ node: other.file.ref.node, key: file.ref.key }, other.shelf.fetch), truth)
    await expect(contentOf().open({ node: file.ref.node, key: new Uint8Array(16) }, shelf.fetch)).rejects.toMatchObject({ name: 'InvalidArgumentError' })
  })
})

describe.each(['many', 'indexed'] as const)('the list of %s', name => {
  const truth = files[name]
  /** Opens the file with another list of links in its file node: as if a store lied, and as if a member had signed the lie. */
  const withLinks = async (change: (links: CID[], other: CID[]) => CID[]): Promise<void> => {
    const [{ file, shelf }, other] = [await sealed(truth), await sealed(others[name])]
    const node = nodeOf(shelf, file.ref)
    const lie = encode({ ...node, links: change(node.links, nodeOf(other.shelf, other.file.ref).links) })
    const { cid: liar } = await createBlock(DAG_CBOR, lie)
    const all = new Map([...other.shelf.blocks, ...shelf.blocks, [blockId(file.ref.node), lie], [blockId(liar), lie]])
    const open = async (at: CID): Promise<OpenFile> => contentOf().open({ node: at, key: file.ref.key }, async cid => all.get(blockId(cid))!)
    await expectCorrupt(async () => open(file.ref.node), truth)
    await expectCorrupt(async () => open(liar), truth)
  }

  test('CHK-4 reordering is corrupt', async () => withLinks(links => [links[1]!, links[0]!, ...links.slice(2)]))
  test('CHK-4 dropping the first, the last or all is corrupt', async () => {
    await withLinks(links => links.slice(1))
    await withLinks(links => links.slice(0, -1))
    await withLinks(() => [])
  })
  test('CHK-4 splicing in a block of another file of the vault is corrupt', async () => {
    await withLinks((links, other) => [other[0]!, ...links.slice(1)])
    await withLinks((links, other) => [...links, other[0]!])
    await withLinks((_, other) => other)
  })
  test('CHK-4 repeating a block is corrupt', async () => withLinks(links => [...links.slice(0, -1), links[0]!]))
})

test('CHK-4 blocks that changed places behind their CIDs are corrupt', async () => {
  for (const name of ['many', 'indexed'] as const) {
    const { file, shelf } = await sealed(files[name])
    const [a, b] = nodeOf(shelf, file.ref).links as [CID, CID]
    const fetch = async (cid: CID): Promise<Uint8Array> => shelf.fetch(cid.equals(a) ? b : cid.equals(b) ? a : cid)
    await expectCorrupt(async () => contentOf().open(file.ref, fetch), files[name])
  }
})

test('CHK-4 every byte of a file node counts, those of the links and the version too', async () => {
  const { file, shelf } = await sealed(single)
  const bytes = await shelf.fetch(file.ref.node)
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.map((byte, i) => i === at ? byte ^ 1 : byte)
    await expect(contentOf().open(file.ref, async () => changed)).rejects.toMatchObject(corrupt)
  }
})

test('CHK-4 the error names the block to be replaced', async () => {
  const { file, shelf } = await sealed(many)
  const victim = nodeOf(shelf, file.ref).links[3]!
  const { error } = await readAll(async () => contentOf().open(file.ref, async cid => cid.equals(victim) ? random.bytes(500) : shelf.fetch(cid)))
  expect(error).toBeInstanceOf(CorruptBlockError)
  expect((error as CorruptBlockError).data).toMatchObject({ cid: victim.toString() })
})

test('CHK-3 a chunk whose plaintext is not the one of its key is corrupt, though it opens', async () => {
  const { file, shelf } = await sealed(single)
  const parts = partsOf()
  const { block: forged, key } = await partsOf(keysOf(2)).sealer.sealChunk(single, 'file')
  const description = describeFile(facts, single.length, { depth: 1, entries: [{ cid: forged.cid, key, length: single.length }] })
  const node = await parts.sealer.sealList(parts.keys.node, [forged.cid], description)
  shelf.blocks.set(blockId(forged.cid), forged.bytes).set(blockId(node.block.cid), node.block.bytes)
  await expectCorrupt(async () => contentOf().open({ node: node.block.cid, key: node.key }, shelf.fetch), single)
  expect((await readAll(async () => contentOf().open(file.ref, shelf.fetch))).error).toBeUndefined()
})

describe('a file node by a hostile member', () => {
  const parts = partsOf()
  const good = describeFile(facts, 10, { data: new Uint8Array(10) })
  /** Seals any value as a file node, with good keys, and opens it. */
  const openForged = async (value: Record<string, unknown>, links: CID[] = []): Promise<OpenFile> => {
    const { block, key } = await parts.sealer.sealList(parts.keys.node, links, value)
    return contentOf().open({ node: block.cid, key }, async () => block.bytes)
  }
  const chunk = async (): Promise<Block> => createBlock(RAW, random.bytes(40))
  const list = (n: number, lengths: unknown[], keys = new Uint8Array(32 * n)) => ({ size: 10, modified: 0, mode: 0, at: 0, by: null, previous: [], depth: 1, keys, lengths })

  test('CHK-4 is read when it is well made', async () => {
    expect((await openForged(good)).size).toBe(10)
    expect((await openForged(list(2, [4, 6]), [(await chunk()).cid, (await chunk()).cid])).size).toBe(10)
  })

  test.each<[string, Record<string, unknown>]>([
    ['a size other than its contents', { ...good, size: 11 }],
    ['a negative size', { ...good, size: -1 }],
    ['a size that is no integer', { ...good, size: 1.5 }],
    ['no contents', { ...good, data: undefined }],
    ['a mode of other bits', { ...good, mode: 0o10000 }],
    ['a short device', { ...good, by: new Uint8Array(31) }],
    ['previous versions that are none', { ...good, previous: [['x', new Uint8Array(32)]] }],
    ['more levels than there can be', { ...good, depth: 13 }],
    ['a list without contents', list(0, [])]
  ])('CHK-4 with %s is corrupt', async (_, value) => {
    const defined = Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined))
    await expect(openForged(defined)).rejects.toMatchObject(corrupt)
  })

  test.each<[string, Record<string, unknown>, number]>([
    ['lengths that do not add up', list(2, [4, 7]), 2],
    ['lengths that cancel out', list(2, [-5, 15]), 2],
    ['an empty part', list(2, [0, 10]), 2],
    ['a chunk longer than any', { ...list(1, [2 * MIB]), size: 2 * MIB }, 1],
    ['fewer keys than links', list(2, [4, 6], new Uint8Array(32)), 2],
    ['fewer lengths than links', list(1, [10]), 2],
    ['more lengths than links', list(2, [10, 5]), 1],
    ['contents and links', good, 1],
    ['chunks where index blocks are promised', { ...list(2, [4, 6]), depth: 2 }, 2]
  ])('CHK-4 with %s is corrupt', async (_, value, count) => {
    const links = await Promise.all(Array.from({ length: count }, async () => (await chunk()).cid))
    await expect(openForged(value, links)).rejects.toMatchObject(corrupt)
  })

  test('CHK-4 that is no map, or not DAG-CBOR, is corrupt; of another version is refused as such', async () => {
    const open = async (bytes: Uint8Array): Promise<OpenFile> =>
      contentOf().open({ node: (await createBlock(DAG_CBOR, bytes)).cid, key: new Uint8Array(32) }, async () => bytes)
    for (const bytes of [encode([1]), encode(null), random.bytes(100).fill(0xff, 0, 1), encode({ v: 1 }), encode({ v: 1, links: [1], sealed: new Uint8Array(32) }), encode({ v: 1, links: 'x', sealed: new Uint8Array(32) })]) {
      await expect(open(bytes)).rejects.toMatchObject(corrupt)
    }
    await expect(open(encode({ v: 2, links: [], sealed: new Uint8Array(32) }))).rejects.toMatchObject({ name: 'UnknownVersionError' })
  })

  test('CHK-1 over a limit is refused: links, contents in the file node, previous versions, size of a block', async () => {
    const limit = { name: 'LimitExceededError' }
    const cid = (await chunk()).cid
    const links = (count: number): CID[] => Array.from({ length: count }, () => cid)
    const lengths = (count: number): number[] => Array.from({ length: count }, () => 1)
    expect((await openForged({ ...list(256, lengths(256)), size: 256 }, links(256))).size).toBe(256)
    await expect(openForged({ ...list(257, lengths(257)), size: 257 }, links(257))).rejects.toMatchObject(limit)
    await expect(openForged({ ...list(2, lengths(257)), size: 257 }, links(2))).rejects.toMatchObject(limit)
    await expect(openForged(describeFile(facts, 32_769, { data: new Uint8Array(32_769) }))).rejects.toMatchObject(corrupt)
    await expect(openForged({ ...good, previous: Array.from({ length: 65 }, () => [cid, new Uint8Array(32)]) })).rejects.toMatchObject(limit)
    await expect(contentOf().open({ node: cid, key: new Uint8Array(32) }, async () => new Uint8Array(MAX_BLOCK_BYTES + 1))).rejects.toMatchObject(limit)
    const { file, shelf } = await sealed(single)
    const opened = await contentOf().open(file.ref, async at => at.code === RAW ? new Uint8Array(MAX_BLOCK_BYTES + 1) : shelf.fetch(at))
    await expect(opened.read()[Symbol.asyncIterator]().next()).rejects.toMatchObject(limit)
  })

  test('CHK-4 whose index block covers other bytes than it promises is corrupt', async () => {
    const shelf = createShelf()
    const made = await parts.sealer.sealChunk(noise('a', 10), 'file')
    for (const lengths of [[9], [11]]) {
      const index = await parts.sealer.sealList(parts.keys.index, [made.block.cid], { keys: new Uint8Array(made.key), lengths })
      const node = await parts.sealer.sealList(parts.keys.node, [index.block.cid], { ...list(1, [10], new Uint8Array(index.key)), depth: 2 })
      await shelf.sink([made.block, index.block, node.block])
      await expectCorrupt(async () => contentOf().open({ node: node.block.cid, key: node.key }, shelf.fetch), noise('a', 10))
    }
  })

  test('CHK-4 whose chunk is shorter than it promises is corrupt', async () => {
    const shelf = createShelf()
    const made = await parts.sealer.sealChunk(noise('a', 9), 'file')
    const node = await parts.sealer.sealList(parts.keys.node, [made.block.cid], list(1, [10], new Uint8Array(made.key)))
    await shelf.sink([made.block, node.block])
    await expectCorrupt(async () => contentOf().open({ node: node.block.cid, key: node.key }, shelf.fetch), noise('a', 10))
  })
})

test('ROOT-2 every block of a file is reached from its file node by plain links', async () => {
  const { file, shelf } = await sealed(indexed)
  const reached = new Set<string>()
  const visit = async (cid: CID): Promise<void> => {
    reached.add(blockId(cid))
    for (const link of blockLinks(await checkBlock(cid, await shelf.fetch(cid)))) await visit(link)
  }
  await visit(file.ref.node)
  expect([...reached].sort()).toEqual([...shelf.blocks.keys()].sort())
  expect([...reached].filter(id => id.startsWith('bafyrei')).length).toBeGreaterThan(2)
  expect((await encodeBlock(nodeOf(shelf, file.ref))).cid.code).toBe(DAG_CBOR)
})

import { blockId, createBlock, encode, RAW, type Block } from '@holdfast/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runs } from '../../crypto/testing/seed.js'
import { collect, contentOf, createShelf, facts, noise, partsOf, same } from '../testing/fixture.js'
import { sealedListOf, sumOf, type ChunkList, type ListEntry } from './chunk-list.js'
import { describe as describeFile } from './description.js'
import { createListBuilder } from './list-builder.js'

const parts = partsOf()

/** The same tree, level after level from a whole list: as the format says it. */
async function slowTree (entries: ListEntry[], depth = 1): Promise<{ list: ChunkList, ids: string[] }> {
  if (entries.length <= 64) return { list: { depth, entries }, ids: [] }
  const groups: ListEntry[][] = [[]]
  for (const entry of entries) {
    if (groups.at(-1)!.length >= 256 || (groups.at(-1)!.length >= 16 && groups.at(-1)!.at(-1)!.key[31]! % 64 === 0)) groups.push([])
    groups.at(-1)!.push(entry)
  }
  const above: ListEntry[] = []
  const ids: string[] = []
  for (const group of groups) {
    const { block, key } = await parts.sealer.sealList(parts.keys.index, group.map(({ cid }) => cid), sealedListOf(group))
    above.push({ cid: block.cid, key, length: sumOf(group) })
    ids.push(blockId(block.cid))
  }
  const rest = await slowTree(above, depth + 1)
  return { list: rest.list, ids: [...ids, ...rest.ids] }
}

async function build (entries: ListEntry[]): Promise<{ list: ChunkList, blocks: Block[] }> {
  const builder = createListBuilder(parts.sealer, parts.keys)
  const blocks: Block[] = []
  for (const entry of entries) blocks.push(...await builder.add(entry))
  const end = await builder.finish()
  return { list: end.list, blocks: [...blocks, ...end.blocks] }
}

async function entriesOf (count: number, keyOf: (i: number) => Uint8Array): Promise<ListEntry[]> {
  const { cid } = await createBlock(RAW, encode('a chunk'))
  return Array.from({ length: count }, (_, i) => ({ cid, key: keyOf(i), length: 1 + i % 5 }))
}

test('CHK-4 a list that grows piece by piece gives the tree that the whole list gives', async () => {
  const counts = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 60, max: 1_500 }))
  const kinds = fc.constantFrom('noise', 'always a boundary', 'never a boundary')
  await fc.assert(fc.asyncProperty(counts, kinds, fc.nat(), async (count, kind, seed) => {
    const keys = kind === 'noise' ? noise(String(seed), count * 32) : new Uint8Array(count * 32).fill(kind === 'never a boundary' ? 1 : 0)
    const entries = await entriesOf(count, i => keys.subarray(i * 32, i * 32 + 32))
    const [quick, slow] = [await build(entries), await slowTree(entries)]
    expect(quick.list).toEqual(slow.list)
    expect(quick.blocks.map(block => blockId(block.cid)).sort()).toEqual(slow.ids.sort())
  }), runs(25))
})

test('CHK-4 a tree of several levels reads back, whole and in ranges', async () => {
  const shelf = createShelf()
  const bytes = noise('deep', 36_000)
  const entries: ListEntry[] = []
  for (let at = 0; at < bytes.length; at += 5) {
    const { block, key } = await parts.sealer.sealChunk(bytes.subarray(at, at + 5), 'file')
    await shelf.sink([block])
    entries.push({ cid: block.cid, key, length: 5 })
  }
  const { list, blocks } = await build(entries)
  expect(list.depth).toBe(3)
  const node = await parts.sealer.sealList(parts.keys.node, list.entries.map(({ cid }) => cid), describeFile(facts, bytes.length, list))
  await shelf.sink([...blocks, node.block])
  const opened = await contentOf().open({ node: node.block.cid, key: node.key }, shelf.fetch)
  expect(same(await collect(opened.read()), bytes)).toBe(true)
  await fc.assert(fc.asyncProperty(fc.nat({ max: bytes.length }), fc.nat({ max: 2_000 }), async (offset, length) => {
    expect(same(await collect(opened.read({ offset, length })), bytes.subarray(offset, offset + length))).toBe(true)
  }), runs(20))
})

test('CHK-1 another first chunk changes one index block of each level', async () => {
  const keys = noise('edit', 6_000 * 32)
  const entries = await entriesOf(6_000, i => keys.subarray(i * 32, i * 32 + 32))
  const before = new Set((await build(entries)).blocks.map(block => blockId(block.cid)))
  const after = (await build([{ ...entries[0]!, key: noise('other', 32) }, ...entries.slice(1)])).blocks
  expect(before.size).toBeGreaterThan(50)
  expect(after.filter(block => !before.has(blockId(block.cid))).length).toBeLessThanOrEqual(2)
})

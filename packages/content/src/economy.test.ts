import { blockLinks, MAX_SINGLE_CHUNK_BYTES } from '@holdfast/protocol'
import { expect, test } from 'vitest'
import { contentOf, createShelf, facts, noise, pieces, sealed } from '../testing/fixture.js'

const MIB = 1 << 20
const bytesOf = (blocks: Iterable<Uint8Array>): number => [...blocks].reduce((sum, block) => sum + block.length, 0)

test('CHK-1 one byte inserted at the front of 100 MB moves less than 170 KB', async () => {
  const inserted = noise('100 MB', 100_000_001)
  const [before, after] = [createShelf(), createShelf()]
  await contentOf().seal(pieces(inserted.subarray(1), MIB), facts, before.sink)
  await contentOf().seal(pieces(inserted, MIB), facts, after.sink)
  const moved = [...after.blocks].filter(([id]) => !before.blocks.has(id)).map(([, bytes]) => bytes)
  expect(bytesOf(moved)).toBeLessThan(170_000)
  expect(moved.length).toBeLessThanOrEqual(5)
  expect(bytesOf(after.blocks.values()) / inserted.length).toBeLessThan(1.01)
})

test('CHK-1 bytes changed, inserted and removed in the middle move the chunks around them only', async () => {
  const bytes = noise('edits', 16 * MIB)
  const { shelf } = await sealed(bytes)
  const middle = 8 * MIB
  const edits = [
    Buffer.concat([bytes.subarray(0, middle), Buffer.from('some text'), bytes.subarray(middle)]),
    Buffer.concat([bytes.subarray(0, middle), bytes.subarray(middle + 1000)]),
    Buffer.concat([bytes, Buffer.from('at the end')])
  ]
  for (const edited of edits) {
    const after = await sealed(edited)
    const moved = [...after.shelf.blocks].filter(([id]) => !shelf.blocks.has(id)).map(([, block]) => block)
    expect(bytesOf(moved)).toBeLessThan(600_000)
  }
})

test('CHK-3 files over 1 MiB cost less than 1 % more than their contents', async () => {
  for (const size of [MIB + 1, 1.5 * MIB, 2 * MIB, 5 * MIB, 12 * MIB]) {
    for (let seed = 1; seed <= 8; seed++) {
      const { shelf } = await sealed(noise(String(seed), size))
      expect(bytesOf(shelf.blocks.values()) / size).toBeLessThan(1.01)
    }
  }
})

test('CHK-3 lengths of files are hidden: those that differ by little give blocks of equal length', async () => {
  for (const [from, step] of [[20_000, 100], [500_000, 4_000]] as const) {
    const lengths = new Set<string>()
    for (let i = 0; i < 20; i++) lengths.add((await sealed(noise('length', from + i * step / 20))).shelf.order.map(block => block.bytes.length).join())
    expect(lengths.size).toBeLessThanOrEqual(2)
  }
})

test('CHK-1 a run of zeros is stored as one block', async () => {
  const { shelf } = await sealed(new Uint8Array(30 * MIB))
  expect(shelf.order.length).toBeLessThan(20)
  expect(bytesOf(shelf.blocks.values())).toBeLessThan(MIB)
})

test('CHK-1 a file that grows past a limit keeps its chunks', async () => {
  const bytes = noise('growing', 3 * MIB)
  const short = await sealed(bytes.subarray(0, MAX_SINGLE_CHUNK_BYTES + 1))
  const long = await sealed(bytes)
  const kept = blockLinks(short.shelf.order.at(-1)!).slice(0, -1).map(String)
  expect(kept.length).toBeGreaterThan(3)
  expect(blockLinks(long.shelf.order.at(-1)!).map(String)).toEqual(expect.arrayContaining(kept))
})

import { webPrimitives } from '@holdfast/crypto'
import { blockLinks, checkBlock, deviceId, MAX_BLOCK_BYTES, MAX_INLINE_FILE_BYTES, MAX_SINGLE_CHUNK_BYTES } from '@holdfast/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { random, runs } from '../../crypto/testing/seed.js'
import { collect, contentOf, createShelf, facts, keysOf, noise, pieces, same, sealed } from '../testing/fixture.js'
import { createContent, type FileFacts } from './index.js'

const MIB = 1 << 20
const SIZES = [0, 1, 100, MAX_INLINE_FILE_BYTES - 1, MAX_INLINE_FILE_BYTES, MAX_INLINE_FILE_BYTES + 1, 200_000, MAX_SINGLE_CHUNK_BYTES, MAX_SINGLE_CHUNK_BYTES + 1, 2 * MIB + 7, 9 * MIB]

describe.each(SIZES)('a file of %i bytes', size => {
  const bytes = noise(`file ${size}`, size)

  test('CHK-1 comes back, in blocks of the right kinds and sizes', async () => {
    const { file, shelf, open } = await sealed(bytes)
    const opened = await open()
    expect([opened.size, file.size]).toEqual([size, size])
    expect(same(await collect(opened.read()), bytes)).toBe(true)
    for (const block of shelf.order) {
      await checkBlock(block.cid, block.bytes)
      expect(block.bytes.length).toBeLessThanOrEqual(MAX_BLOCK_BYTES)
    }
    const links = blockLinks(shelf.order.at(-1)!)
    expect(shelf.order.at(-1)!.cid.equals(file.ref.node)).toBe(true)
    if (size <= MAX_INLINE_FILE_BYTES) expect([shelf.order.length, links.length]).toEqual([1, 0])
    else if (size <= MAX_SINGLE_CHUNK_BYTES) expect([shelf.order.length, links.length]).toEqual([2, 1])
    else expect(links.length).toBeGreaterThan(1)
  })

  test('CHK-2 gives the same blocks and digest however it arrives, on every device, by every implementation of the primitives', async () => {
    const { file, shelf } = await sealed(bytes)
    const web = createContent({ primitives: webPrimitives, keys: keysOf(1) })
    for (const [content, piece, known] of [[contentOf(), 4_096, true], [web, 70_001, false], [web, 2 * MIB, true]] as const) {
      const other = createShelf()
      const again = await content.seal(pieces(bytes, piece), { ...facts, ...(known ? { size } : {}) }, other.sink)
      expect(again).toEqual(file)
      expect([...other.blocks.keys()]).toEqual([...shelf.blocks.keys()])
    }
    expect(same(await collect((await web.open(file.ref, shelf.fetch)).read()), bytes)).toBe(true)
  })

  test('CHK-4 any range of it is what it is', async () => {
    const opened = await (await sealed(bytes)).open()
    await fc.assert(fc.asyncProperty(fc.nat({ max: size + 10 }), fc.option(fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: size + 10 })), { nil: undefined }), async (offset, length) => {
      const range = { offset, ...(length === undefined ? {} : { length }) }
      expect(same(await collect(opened.read(range)), bytes.subarray(offset, length === undefined ? undefined : offset + length))).toBe(true)
    }), runs(25))
  })
})

test('CHK-4 a range that makes no sense is refused', async () => {
  const opened = await (await sealed(noise('x', 100))).open()
  for (const range of [{ offset: -1 }, { length: -1 }, { offset: 0.5 }, { length: Number.NaN }]) await expect(collect(opened.read(range))).rejects.toMatchObject({ name: 'InvalidArgumentError' })
})

test('CHK-4 contents that a reader changes are whole for the next', async () => {
  const opened = await (await sealed(noise('x', 100))).open()
  for await (const part of opened.read()) part.fill(0)
  expect(same(await collect(opened.read()), noise('x', 100))).toBe(true)
})

test('MAN-6 facts come back, and previous versions are kept in the sealed part and are no links', async () => {
  const [first, second] = [await sealed(noise('1', 10)), await sealed(noise('2', 200_000))]
  const given: FileFacts = { modified: -5, mode: 0o4755, previous: [first.file.ref, second.file.ref], by: deviceId(random.bytes(32)), at: 7 }
  for (const size of [3, 100_000, 2 * MIB]) {
    const bytes = noise('3', size)
    const { file, shelf, open } = await sealed(bytes, contentOf(), given)
    expect((await open()).description).toEqual({ ...given, size, digest: file.digest })
    const links = shelf.order.flatMap(blockLinks).map(String)
    expect(links).not.toContain(String(first.file.ref.node))
    for (const block of shelf.order) expect(Buffer.from(block.bytes).includes(Buffer.from(first.file.ref.node.bytes))).toBe(false)
  }
})

test('CHK-2 digests tell contents apart and nothing else; keys and blocks of contents are shared by versions with other facts', async () => {
  for (const size of [0, 1_000, 100_000, 3 * MIB]) {
    const one = await sealed(noise('same', size))
    const two = await sealed(noise('same', size), contentOf(), { modified: 1, mode: 0o600, at: 2, previous: [one.file.ref] })
    expect(two.file.digest).toEqual(one.file.digest)
    expect(two.file.ref.node.equals(one.file.ref.node)).toBe(false)
    expect([...two.shelf.blocks.keys()].filter(id => !one.shelf.blocks.has(id))).toEqual([two.file.ref.node.toString()])
    if (size > 0) {
      const changed = noise('same', size).slice()
      changed[size >> 1]! ^= 1
      expect((await sealed(changed)).file.digest).not.toEqual(one.file.digest)
    }
  }
})

test('CHK-2 nothing about equal files in two vaults, or two epochs, is equal', async () => {
  const bytes = noise('shared', 2 * MIB)
  const all = await Promise.all([keysOf(1), keysOf(2), keysOf(1, 1)].map(async keys => sealed(bytes, contentOf(keys))))
  const ids = all.flatMap(({ shelf }) => [...shelf.blocks.keys()])
  expect(new Set(ids).size).toBe(ids.length)
  expect(new Set(all.map(({ file }) => String(file.digest))).size).toBe(3)
})

test('CHK-2 impossible facts are refused before anything is read', async () => {
  const wrong: Partial<FileFacts>[] = [{ mode: 0o10000 }, { mode: -1 }, { modified: NaN }, { modified: Infinity }, { at: -1 }, { previous: [{ node: (await sealed(noise('', 0))).file.ref.node, key: new Uint8Array(31) }] }]
  for (const more of wrong) {
    const source: Iterable<Uint8Array> = { [Symbol.iterator]: () => { throw new Error('was read') } }
    await expect(contentOf().seal(source, { ...facts, ...more }, async () => undefined)).rejects.toMatchObject({ name: 'InvalidArgumentError' })
  }
  const previous = Array.from({ length: 65 }, () => ({ node: (facts as { node?: never }).node!, key: new Uint8Array(32) }))
  await expect(contentOf().seal([], { ...facts, previous }, async () => undefined)).rejects.toThrow(/previous/)
})

import { checkBlock, createBlock, RAW, type Block, type BlockStore } from '@holdfast/protocol'
import fc from 'fast-check'
import { cp, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLevelStores, type LevelStores } from './index.js'
import { PACK_HEADER } from './pack-format.js'

// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const seed = process.env['HOLDFAST_TEST_SEED']
const replay = seed === undefined ? {} : { seed: Number(seed) }

const blockOf = async (n: number, length: number): Promise<Block> => createBlock(RAW, Uint8Array.from({ length }, (_, i) => (n * 31 + i * 7 + (i >> 8)) & 0xff))
const blocksOf = async (from: number, count: number, length = 2_000): Promise<Block[]> => Promise.all(Array.from({ length: count }, async (_, i) => blockOf(from + i, length + from + i)))

describe('opening stores after a crash', () => {
  let base: string
  let copies = 0
  const opened: LevelStores[] = []
  const openIn = async (directory: string): Promise<BlockStore> => {
    const stores = await openLevelStores(directory, { packBytes: 40 << 10 })
    opened.push(stores)
    return stores.blocks
  }
  /** What a crash leaves: the files as they are, while the store is still open. */
  const crash = async (directory: string): Promise<string> => {
    const copy = join(base, `crash-${copies++}`)
    await cp(directory, copy, { recursive: true })
    return copy
  }
  const packsOf = async (directory: string): Promise<string[]> => (await readdir(join(directory, 'blocks/packs'))).toSorted().map(name => join(directory, 'blocks/packs', name))
  const expectAll = async (store: BlockStore, blocks: readonly Block[]): Promise<void> => {
    for (const { cid, bytes } of blocks) expect(await store.get(cid)).toEqual(bytes)
  }
  const expectSound = async (store: BlockStore): Promise<number> => {
    let count = 0
    for await (const cid of store.list()) {
      await checkBlock(cid, await store.get(cid))
      count++
    }
    return count
  }
  const closeAll = async (): Promise<void> => {
    for (const { blocks, records } of opened.splice(0)) {
      await blocks.close()
      await records.close()
    }
  }
  beforeEach(async () => { base = await mkdtemp(join(tmpdir(), 'holdfast-recovery-')) })
  afterEach(async () => {
    await closeAll()
    await rm(base, { recursive: true })
  })

  it('STORE-6 what was put and never flushed is found in the packs', async () => {
    const live = join(base, 'live')
    const blocks = await blocksOf(0, 60)
    await (await openIn(live)).put(blocks)
    await expectAll(await openIn(await crash(live)), blocks)
  })

  it('STORE-6 an index that a power cut sent back to when it was opened finds all blocks again', async () => {
    const live = join(base, 'live')
    const before = await blocksOf(0, 30)
    await (await openIn(live)).put(before)
    await closeAll()
    const old = await crash(live)
    const store = await openIn(live)
    const after = await blocksOf(100, 60)
    await store.put(after.slice(0, 40))
    await store.flush()
    await store.put(after.slice(40))
    await store.flush()
    const cut = await crash(live)
    await rm(join(cut, 'blocks/index'), { recursive: true })
    await cp(join(old, 'blocks/index'), join(cut, 'blocks/index'), { recursive: true })
    await expectAll(await openIn(cut), [...before, ...after])
  })

  it.each([['gone', async (index: string) => rm(index, { recursive: true })], ['damaged', async (index: string) => writeFile(join(index, 'CURRENT'), 'MANIFEST-999999\n')]] as const)('STORE-6 an index that is %s is made anew from the packs', async (_, harm) => {
    const live = join(base, 'live')
    const blocks = await blocksOf(0, 90)
    await (await openIn(live)).put(blocks)
    await closeAll()
    await harm(join(live, 'blocks/index'))
    const store = await openIn(live)
    await expectAll(store, blocks)
    expect(await expectSound(store)).toBe(blocks.length)
  })

  it('STORE-6 wherever a power cut tears the last write, flushed blocks are there and nothing is half there', async () => {
    const live = join(base, 'live')
    const store = await openIn(live)
    const flushed = await blocksOf(0, 8, 1_000)
    await store.put(flushed)
    await store.flush()
    const [pack] = await packsOf(live)
    const safe = (await stat(pack!)).size
    await store.put(await blocksOf(50, 6, 1_000))
    const end = (await stat(pack!)).size
    await fc.assert(fc.asyncProperty(fc.integer({ min: safe, max: end }), fc.constantFrom('cut', 'zeros', 'garbage'), async (at, kind) => {
      const copy = await crash(live)
      const [torn] = await packsOf(copy)
      await truncate(torn!, at)
      if (kind !== 'cut') await writeFile(torn!, Buffer.alloc(end - at, kind === 'zeros' ? 0 : 0xa5), { flag: 'a' })
      const found = await openIn(copy)
      await expectAll(found, flushed)
      await expectSound(found)
      const more = await blocksOf(200, 3)
      await found.put(more)
      await closeOne(found)
      const again = await openIn(copy)
      await expectAll(again, [...flushed, ...more])
      await expectSound(again)
      await closeOne(again)
      await rm(copy, { recursive: true })
    }), { numRuns: 25, ...replay })
  })
  const closeOne = async (store: BlockStore): Promise<void> => {
    const [stores] = opened.splice(opened.findIndex(({ blocks }) => blocks === store), 1)
    await stores!.blocks.close()
    await stores!.records.close()
  }

  it('STORE-6 bytes that rot behind the checkpoint cost that block alone', async () => {
    const live = join(base, 'live')
    const blocks = await blocksOf(0, 10)
    const store = await openIn(live)
    await store.put(blocks)
    await store.flush()
    const copy = await crash(live)
    const [pack] = await packsOf(copy)
    const bytes = await readFile(pack!)
    bytes[bytes.indexOf(blocks[4]!.bytes) + 1_000]! ^= 1
    await writeFile(pack!, bytes)
    await rm(join(copy, 'blocks/index'), { recursive: true })
    const found = await openIn(copy)
    expect(await found.has(blocks[4]!.cid)).toBe(false)
    await expectAll(found, blocks.filter((_, i) => i !== 4))
  })

  it('STORE-2 a pack that somebody removed makes its blocks not found, and they can be put again', async () => {
    const live = join(base, 'live')
    const blocks = await blocksOf(0, 60)
    await (await openIn(live)).put(blocks)
    await closeAll()
    const [first] = await packsOf(live)
    await rm(first!)
    const store = await openIn(live)
    await expect(store.get(blocks[0]!.cid)).rejects.toMatchObject({ name: 'BlockNotFoundError' })
    expect(await store.has(blocks[0]!.cid)).toBe(false)
    await store.put([blocks[0]!])
    await expectAll(store, [blocks[0]!, ...blocks.slice(-10)])
  })

  it('STORE-1 a block whose pack ends inside it is corrupt, not short', async () => {
    const live = join(base, 'live')
    const blocks = await blocksOf(0, 5)
    const store = await openIn(live)
    await store.put(blocks)
    await store.flush()
    const [pack] = await packsOf(live)
    await truncate(pack!, (await stat(pack!)).size - 10)
    await expect(store.get(blocks[4]!.cid)).rejects.toMatchObject({ name: 'CorruptBlockError', family: 'corrupt' })
  })

  it('STORE-6 opening and closing without writing leaves no files behind', async () => {
    const live = join(base, 'live')
    for (let i = 0; i < 3; i++) {
      await openIn(live)
      await closeAll()
    }
    expect(await packsOf(live)).toEqual([])
    await (await openIn(live)).put(await blocksOf(0, 3))
    for (let i = 0; i < 3; i++) {
      await closeAll()
      await openIn(live)
    }
    expect(await packsOf(live)).toHaveLength(1)
  })

  it('STORE-1 packs are CAR files', async () => {
    const live = join(base, 'live')
    await (await openIn(live)).put(await blocksOf(0, 1))
    const [pack] = await packsOf(live)
    const file = await open(pack!, 'r')
    const head = await file.read(Buffer.alloc(PACK_HEADER.length), 0, PACK_HEADER.length, 0)
    await file.close()
    // The bytes of the CARv1 specification: a varint, then DAG-CBOR {roots: [], version: 1}.
    expect(head.buffer.toString('hex')).toBe('11a265726f6f7473806776657273696f6e01')
  })
})

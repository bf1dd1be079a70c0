import { createBlock, RAW, type Block } from '@holdfast/protocol'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readlink, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLevelStores, type LevelStores } from './index.js'

const PACK = 100_000
const randomBlocks = async (count: number, length: number): Promise<Block[]> => Promise.all(Array.from({ length: count }, async () => createBlock(RAW, Uint8Array.from(randomBytes(length)))))

describe('reclaiming space', () => {
  let directory: string
  let stores: LevelStores
  const openStores = async (): Promise<void> => { stores = await openLevelStores(directory, { packBytes: PACK, reclaimBytes: PACK }) }
  const closeStores = async (): Promise<void> => {
    await stores.blocks.close()
    await stores.records.close()
  }
  const packBytes = async (): Promise<number> => {
    const folder = join(directory, 'blocks/packs')
    const sizes = await Promise.all((await readdir(folder)).map(async name => (await stat(join(folder, name))).size))
    return sizes.reduce((sum, size) => sum + size, 0)
  }
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-reclaim-'))
    await openStores()
  })
  afterEach(async () => {
    await closeStores()
    await rm(directory, { recursive: true })
  })

  it('STORE-2 the disk gets the space of deleted blocks back, and those that stay are whole, also after opening again', async () => {
    const blocks = await randomBlocks(400, 5_000)
    await stores.blocks.put(blocks)
    expect(await packBytes()).toBeGreaterThan(2_000_000)
    const stay = blocks.filter((_, i) => i % 8 === 0)
    await stores.blocks.delete(blocks.filter((_, i) => i % 8 !== 0).map(block => block.cid))
    expect(await packBytes()).toBeLessThan(3 * stay.length * 5_000)
    for (const { cid, bytes } of stay) expect(await stores.blocks.get(cid)).toEqual(bytes)
    await closeStores()
    await openStores()
    for (const { cid, bytes } of stay) expect(await stores.blocks.get(cid)).toEqual(bytes)
    let count = 0
    for await (const cid of stores.blocks.list()) count += Number(await stores.blocks.has(cid))
    expect(count).toBe(stay.length)
  })

  it('STORE-2 space of small deletes adds up over restarts', async () => {
    const blocks = await randomBlocks(100, 5_000)
    await stores.blocks.put(blocks)
    const full = await packBytes()
    for (let i = 0; i < 90; i += 10) {
      await stores.blocks.delete(blocks.slice(i, i + 10).map(block => block.cid))
      await closeStores()
      await openStores()
    }
    expect(await packBytes()).toBeLessThan(full / 2)
    for (const { cid, bytes } of blocks.slice(90)) expect(await stores.blocks.get(cid)).toEqual(bytes)
  })

  it('STORE-1 blocks are read, put and deleted while others move', async () => {
    const blocks = await randomBlocks(400, 5_000)
    const extra = await randomBlocks(50, 5_000)
    await stores.blocks.put(blocks)
    const go = blocks.filter((_, i) => i % 10 > 1)
    const late = blocks.filter((_, i) => i % 10 === 1)
    const stay = blocks.filter((_, i) => i % 10 === 0)
    const read = async (): Promise<void> => {
      for (const { cid, bytes } of [...stay, ...stay, ...stay]) expect(await stores.blocks.get(cid)).toEqual(bytes)
    }
    await Promise.all([
      read(),
      stores.blocks.delete(go.map(block => block.cid)),
      stores.blocks.put(extra),
      stores.blocks.delete(late.map(block => block.cid)),
      stores.blocks.flush()
    ])
    for (const { cid } of [...go, ...late]) expect(await stores.blocks.has(cid)).toBe(false)
    for (const { cid, bytes } of [...stay, ...extra]) expect(await stores.blocks.get(cid)).toEqual(bytes)
  })

  it('STORE-2 a damaged pack does not stop the others, and keeps what it has', async () => {
    const blocks = await randomBlocks(60, 5_000)
    await stores.blocks.put(blocks)
    await stores.blocks.flush()
    const folder = join(directory, 'blocks/packs')
    const [first] = (await readdir(folder)).toSorted()
    const stay = [...blocks.slice(17, 20), ...blocks.slice(57)]
    await truncate(join(folder, first!), (await stat(join(folder, first!))).size - 100)
    await stores.blocks.delete(blocks.filter(block => !stay.includes(block)).map(block => block.cid))
    const readable = await Promise.all(stay.map(async ({ cid }) => stores.blocks.get(cid).then(() => 'read', (error: Error) => error.name)))
    expect(readable).toEqual(['read', 'read', 'CorruptBlockError', 'read', 'read', 'read'])
    expect((await readdir(folder)).toSorted()[0]).toBe(first)
  })

  it('few file descriptors are open, however many packs there are', async () => {
    if (process.platform !== 'linux') return
    const blocks = await randomBlocks(1_000, 5_000)
    await stores.blocks.put(blocks)
    await stores.blocks.flush()
    expect((await readdir(join(directory, 'blocks/packs'))).length).toBeGreaterThan(40)
    await Promise.all(blocks.map(async ({ cid }) => stores.blocks.get(cid)))
    await stores.blocks.get(blocks[0]!.cid)
    const links = await readdir('/proc/self/fd')
    const packs = (await Promise.all(links.map(async fd => readlinkOrNothing(`/proc/self/fd/${fd}`)))).filter(path => path.endsWith('.car'))
    expect(packs.length).toBeGreaterThan(0)
    expect(packs.length).toBeLessThanOrEqual(17)
  })
})

async function readlinkOrNothing (path: string): Promise<string> {
  // The descriptor that listed the directory is closed by now.
  return readlink(path).catch(() => '')
}

import { blockId, checkBlock } from '@holdfast/protocol'
import { openLevelStores, type LevelStores } from '@holdfast/storage-level'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sourceArguments } from './run-source.js'
import { sampleBlock } from './sample-blocks.js'

const SIZES = [50, 700, 5_000, 30_000, 90_000]

/** Runs the writer until it has printed this line, kills it there with SIGKILL, and gives all its lines. */
async function writeUntil (directory: string, line: string): Promise<string[]> {
  const child = spawn(process.execPath, sourceArguments('level-writer.ts', directory), { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<string | null>(resolve => child.once('exit', (_, signal) => { resolve(signal) }))
  const lines: string[] = []
  for await (const said of createInterface({ input: child.stdout })) {
    lines.push(said)
    if (said === line) child.kill('SIGKILL')
  }
  expect(await ended).toBe('SIGKILL')
  return lines
}

/** The blocks of rounds 0 to `last` that the writer had not asked to delete. */
const roundBlocks = async (last: number) => Promise.all(Array.from({ length: (last + 1) * 10 }, (_, i) => i).map(async i => sampleBlock(i, SIZES[i % 10 % SIZES.length])))
const lastOf = (lines: readonly string[], word: string): number => Number(lines.findLast(line => line.startsWith(`${word} `))?.slice(word.length + 1) ?? -1)

describe('LevelDB and packs after SIGKILL', () => {
  let directory: string
  let stores: LevelStores | undefined
  beforeEach(async () => { directory = await mkdtemp(join(tmpdir(), 'holdfast-crash-')) })
  afterEach(async () => {
    await stores?.blocks.close()
    await stores?.records.close()
    stores = undefined
    await rm(directory, { recursive: true })
  })

  it.each(['flushed 2', 'put 4', 'flushed 8', 'put 13'])('STORE-6 everything put before the kill at "%s" is there afterwards, and nothing is half there', async line => {
    const lines = await writeUntil(directory, line)
    stores = await openLevelStores(directory)
    const { blocks, records } = stores
    const put = lastOf(lines, 'put')
    const flushed = lastOf(lines, 'flushed')
    expect(put).toBeGreaterThanOrEqual(2)
    // The writer deletes whole groups of six rounds after they were flushed.
    const deletedBelow = Math.floor((flushed + 1) / 6) * 6 * 10
    for (const [i, block] of (await roundBlocks(put)).entries()) if (i >= deletedBelow) expect(await blocks.get(block.cid)).toEqual(block.bytes)
    let listed = 0
    for await (const cid of blocks.list()) {
      await checkBlock(cid, await blocks.get(cid))
      listed++
    }
    expect(listed).toBeGreaterThanOrEqual((put + 1) * 10 - deletedBelow)
    for (let round = 0; round <= put; round++) expect(await records.get(`round/${round}`)).toEqual(Uint8Array.of(round & 0xff))
    for await (const [key, value] of records.range({ prefix: 'round/' })) expect(await records.get(key.replace('round', 'twin'))).toEqual(value)
    if (flushed >= 0) expect(Number(new TextDecoder().decode(await records.get('flushed')))).toBeGreaterThanOrEqual(flushed)
  })

  it('STORE-6 a store survives kill after kill, and goes on', async () => {
    for (const line of ['put 1', 'put 5', 'flushed 5', 'put 9']) await writeUntil(directory, line)
    stores = await openLevelStores(directory)
    const ids = new Set<string>()
    for await (const cid of stores.blocks.list()) {
      expect(ids.has(blockId(cid))).toBe(false)
      ids.add(blockId(cid))
      await checkBlock(cid, await stores.blocks.get(cid))
    }
    for (const { cid, bytes } of (await roundBlocks(9)).slice(60)) expect(await stores.blocks.get(cid)).toEqual(bytes)
  })

  it('STORE-8 a second process gets a StoreLockedError, and a killed one leaves no lock', async () => {
    await writeUntil(directory, 'put 0')
    stores = await openLevelStores(directory)
    await expect(openLevelStores(directory)).rejects.toMatchObject({ name: 'StoreLockedError', family: 'retryable', directory })
    const child = spawn(process.execPath, sourceArguments('level-writer.ts', directory), { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    for await (const piece of child.stderr) said += String(piece)
    expect(said).toContain('StoreLockedError')
  })
})

/** A small disk needs Linux and leave to mount one in a namespace of its own. */
const canMount = process.platform === 'linux' && spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

describe('LevelDB and packs on a disk that is really full', () => {
  it.skipIf(!canMount)('STORE-8 nothing acknowledged is lost while it is full, when there is room again, and after opening anew', async () => {
    const disk = await mkdtemp(join(tmpdir(), 'holdfast-disk-'))
    const output = execFileSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=32m none "$0" && exec "$@"', disk, process.execPath, ...sourceArguments('level-full-disk.ts', disk)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await rm(disk, { recursive: true })
    const found = JSON.parse(String(output)) as Record<string, unknown>
    expect(found).toMatchObject({ refusals: ['StorageFullError', 'StorageFullError', 'StorageFullError'], lostWhileFull: 0, lostAfterRoom: 0, lostAfterReopening: 0 })
    expect(found['records']).toBeGreaterThan(200)
  })
})

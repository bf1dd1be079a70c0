import { createBlock, RAW, type Block } from '@holdfast/protocol'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { storageError } from './errors.js'
import { openLevelStores, type LevelStores } from './index.js'

const MEGABYTE = 1 << 20
const randomBlocks = async (count: number, length: number): Promise<Block[]> => Promise.all(Array.from({ length: count }, async () => createBlock(RAW, Uint8Array.from(randomBytes(length)))))

describe('a disk that fills up', () => {
  let directory: string
  let stores: LevelStores
  let free: number
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-full-'))
    free = 1_000 * MEGABYTE
    stores = await openLevelStores(directory, { freeBytes: async () => free })
  })
  afterEach(async () => {
    await stores.blocks.close()
    await stores.records.close()
    await rm(directory, { recursive: true })
  })

  it('STORE-8 blocks are refused with what to do, what was stored stays, deleting works, and it passes', async () => {
    const before = await randomBlocks(20, 5_000)
    const after = await randomBlocks(300, 5_000)
    await stores.blocks.put(before)
    free = 30 * MEGABYTE
    await expect(stores.blocks.put(after)).rejects.toMatchObject({ name: 'StorageFullError', family: 'retryable', remedy: expect.stringContaining('Free some space') })
    for (const { cid, bytes } of before) expect(await stores.blocks.get(cid)).toEqual(bytes)
    expect(await stores.blocks.has(after[0]!.cid)).toBe(false)
    await stores.blocks.flush()
    await stores.blocks.delete([before[0]!.cid])
    free = 1_000 * MEGABYTE
    await stores.blocks.put(after)
    for (const { cid, bytes } of [...before.slice(1), ...after]) expect(await stores.blocks.get(cid)).toEqual(bytes)
  })

  it('STORE-8 records are still written where blocks are refused, until the disk is nearly full', async () => {
    const large = { key: 'k', value: randomBytes(2 * MEGABYTE) }
    free = 30 * MEGABYTE
    await stores.records.write([large], { durable: true })
    free = 5 * MEGABYTE
    await expect(stores.records.write([{ ...large, key: 'l' }])).rejects.toMatchObject({ name: 'StorageFullError' })
    expect((await stores.records.get('k'))?.length).toBe(large.value.length)
    expect(await stores.records.get('l')).toBeUndefined()
    await stores.records.write([{ key: 'k', value: undefined }])
    expect(await stores.records.get('k')).toBeUndefined()
  })

  it('STORE-8 what the system and LevelDB say about full disks, locks and damage has a name of ours', () => {
    const coded = (code: string, message = code, cause?: Error): Error => Object.assign(new Error(message, { cause }), { code })
    const nameOf = (error: Error): string => (storageError('/d', 'writing', error) as Error).name
    expect(nameOf(coded('ENOSPC'))).toBe('StorageFullError')
    expect(nameOf(coded('EDQUOT'))).toBe('StorageFullError')
    expect(nameOf(coded('LEVEL_IO_ERROR', 'IO error: /d/000005.log: No space left on device'))).toBe('StorageFullError')
    expect(nameOf(coded('LEVEL_DATABASE_NOT_OPEN', 'Database failed to open', coded('LEVEL_LOCKED')))).toBe('StoreLockedError')
    expect(nameOf(coded('LEVEL_DATABASE_NOT_OPEN', 'Database failed to open', coded('LEVEL_CORRUPTION')))).toBe('CorruptStoreError')
    expect(nameOf(coded('EIO'))).toBe('StorageFailedError')
    expect(nameOf(new TypeError('a mistake of ours'))).toBe('TypeError')
  })
})

import type { BlockStore, RecordStore } from '@holdfast/protocol'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openBlockIndex } from './block-index.js'
import { openBlockStore, type BlockStoreLimits } from './block-store.js'
import { openDatabase } from './database.js'
import { storageError, StoreLockedError } from './errors.js'
import { createSpaceGuard, freeBytes, type FreeBytes } from './free-space.js'
import { openPackFiles } from './pack-files.js'
import { createLevelRecordStore } from './record-store.js'

export interface LevelStores { readonly blocks: BlockStore, readonly records: RecordStore }
export interface LevelStoresOptions extends Partial<BlockStoreLimits> {
  /** Says how much room the disk has; asks the operating system by default. */
  readonly freeBytes?: FreeBytes
}

/** Room that blocks leave, so that the rest still works on a disk they have filled. Bytes. */
const BLOCKS_RESERVE = 64 << 20
/** Room that records leave: LevelDB's own. Bytes. */
const RECORDS_RESERVE = 16 << 20
const LIMITS: BlockStoreLimits = { packBytes: 64 << 20, reclaimBytes: 64 << 20 }

/**
 * Opens, or begins, the stores in a directory; both have to be closed. Throws StoreLockedError when another process has
 * it, CorruptStoreError when the records are damaged, StorageFullError, StorageFailedError.
 */
export async function openLevelStores (directory: string, options: LevelStoresOptions = {}): Promise<LevelStores> {
  const free = options.freeBytes ?? freeBytes
  try {
    await mkdir(join(directory, 'blocks'), { recursive: true, mode: 0o700 })
    const records = await openDatabase(join(directory, 'records'))
    try {
      const blocks = await openBlocks(join(directory, 'blocks'), createSpaceGuard(directory, BLOCKS_RESERVE, free), { ...LIMITS, ...options })
      return { blocks, records: createLevelRecordStore(records, createSpaceGuard(directory, RECORDS_RESERVE, free)) }
    } catch (error) {
      await records.close()
      throw error
    }
  } catch (error) {
    if (error instanceof StoreLockedError) throw new StoreLockedError(directory, { cause: error })
    throw storageError(directory, 'opening the stores', error)
  }
}

async function openBlocks (directory: string, makeRoom: (bytes: number) => Promise<void>, limits: BlockStoreLimits): Promise<BlockStore> {
  const index = await openBlockIndex(join(directory, 'index'))
  try { return await openBlockStore(directory, await openPackFiles(join(directory, 'packs')), index, makeRoom, limits) } catch (error) {
    await index.close()
    throw error
  }
}

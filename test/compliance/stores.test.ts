import { openLevelStores } from '@holdfast/storage-level'
import { createMemoryBlockStore, createMemoryRecordStore } from '@holdfast/storage-memory'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blockStoreSuite } from './block-store-suite.js'
import { recordStoreSuite } from './record-store-suite.js'

const nothing = async (): Promise<void> => undefined

async function openLevel () {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-stores-'))
  // Small packs and an eager reclaim, so that the suite goes through many of both.
  const { blocks, records } = await openLevelStores(directory, { packBytes: 64 << 10, reclaimBytes: 8 << 10 })
  const close = async (): Promise<void> => {
    await blocks.close()
    await records.close()
    await rm(directory, { recursive: true })
  }
  return { blocks, records, close }
}

blockStoreSuite('memory', { open: async () => ({ store: createMemoryBlockStore(), close: nothing }) })
recordStoreSuite('memory', { open: async () => ({ store: createMemoryRecordStore(), close: nothing }) })
blockStoreSuite('LevelDB and packs', { open: async () => { const { blocks, close } = await openLevel(); return { store: blocks, close } } })
recordStoreSuite('LevelDB', { open: async () => { const { records, close } = await openLevel(); return { store: records, close } } })

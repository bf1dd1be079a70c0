/** The block store and record store ports on a disk: LevelDB for records and the index, packs for blocks. Node only. */
export { openLevelStores, type LevelStores, type LevelStoresOptions } from './open-stores.js'
export { CorruptStoreError, StorageFailedError, StorageFullError, StoreLockedError } from './errors.js'

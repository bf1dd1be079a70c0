import { InvalidArgumentError } from '@holdfast/protocol'
import { ClassicLevel } from 'classic-level'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CorruptStoreError, isMissingFile, StorageFullError, storageError } from './errors.js'
import { freeBytes } from './free-space.js'
import { createSerial } from './serial.js'
import { syncDirectory, syncFile } from './sync-directory.js'

export type Operation = { type: 'put', key: Uint8Array, value: Uint8Array } | { type: 'del', key: Uint8Array }
/** Bounds are bytes; `limit` counts. */
export interface KeyRange { gte?: Uint8Array, gt?: Uint8Array, lt?: Uint8Array, reverse?: boolean, limit?: number }

/** A LevelDB of byte keys and values, with the durability that we promise and errors of ours. */
export interface Database {
  get (key: Uint8Array): Promise<Uint8Array | undefined>
  hasMany (keys: Uint8Array[]): Promise<boolean[]>
  getMany (keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /** Atomic. With `sync`, this and every write before it survive a power cut once it resolves. */
  write (operations: Operation[], options?: { sync?: boolean }): Promise<void>
  /** Entries as they were when it began, a few hundred at a time. */
  range (range: KeyRange): AsyncIterable<[Uint8Array, Uint8Array]>
  close (): Promise<void>
}

type Level = ClassicLevel<Uint8Array, Uint8Array>
const PIECE = 256
/** Room for a new log, manifest and what they grow by. */
const REOPEN_SPARE_BYTES = 1 << 20
/** LevelDB keeps this many tables open at most. */
const MAX_OPEN_FILES = 128

/** Throws StoreLockedError, CorruptStoreError, StorageFullError, StorageFailedError. */
export async function openDatabase (directory: string): Promise<Database> {
  const level: Level = new ClassicLevel(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    // Values are sealed, so they do not compress.
    compression: false,
    maxOpenFiles: MAX_OPEN_FILES
  })
  try {
    await refuseWithoutCurrent(directory)
    await level.open()
  } catch (error) {
    if (lacksFiles(error)) throw new CorruptStoreError(directory, { cause: error })
    throw storageError(directory, 'opening the database', error)
  }
  const writer = createWriter(level, directory)
  let closed = false
  const guarded = async <Result>(what: string, task: () => Promise<Result>): Promise<Result> => {
    if (closed) throw new InvalidArgumentError('the store is closed', 'Open it again.')
    try { return await task() } catch (error) { throw storageError(directory, what, error) }
  }
  const read = async <Result>(task: () => Promise<Result>): Promise<Result> => guarded('reading', async () => {
    await writer.reopened()
    return task()
  })
  return {
    get: async key => read(async () => plain(await level.get(key))),
    hasMany: async keys => read(async () => level.hasMany(keys)),
    getMany: async keys => read(async () => (await level.getMany(keys)).map(plain)),
    write: async (operations, { sync = false } = {}) => guarded('writing', async () => writer.write(operations, sync)),
    async * range (range) {
      const iterator = await read(async () => level.iterator(range))
      try {
        for (;;) {
          const piece = await guarded('reading', async () => iterator.nextv(PIECE))
          if (piece.length === 0) return
          for (const [key, value] of piece) yield [plain(key), plain(value)]
        }
      } finally { await iterator.close() }
    },
    async close () {
      if (closed) return
      closed = true
      await writer.close()
    }
  }
}

/** Where only the file CURRENT is gone, LevelDB would begin an empty database and remove the tables that are still there. */
async function refuseWithoutCurrent (directory: string): Promise<void> {
  const names: string[] = await readdir(directory).catch((error: unknown) => {
    if (isMissingFile(error)) return []
    throw error
  })
  if (!names.includes('CURRENT') && names.some(name => name.endsWith('.ldb') || name.endsWith('.log'))) throw new CorruptStoreError(directory)
}

/** Opening writes what the logs hold into a table. */
async function logBytes (directory: string): Promise<number> {
  const logs = (await readdir(directory)).filter(name => name.endsWith('.log'))
  const sizes = await Promise.all(logs.map(async name => (await stat(join(directory, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** LevelDB calls a missing manifest or table an input/output error. */
const lacksFiles = (error: unknown): boolean => error instanceof Error && error.cause instanceof Error && /No such file or directory/u.test(error.cause.message)

interface Writer {
  write (operations: Operation[], sync: boolean): Promise<void>
  /** Resolves when no reopening is under way. */
  reopened (): Promise<void>
  close (): Promise<void>
}

/**
 * One write at a time. One that fails may leave half a record in LevelDB's log, which would take records behind it along
 * when the log is replayed; so the next write first opens the database anew, which replays the log up to there and
 * begins another. Meanwhile, and as long as the disk has no room for that, reading goes on.
 */
function createWriter (level: Level, directory: string): Writer {
  const serial = createSerial()
  const syncLogs = createLogSync(directory)
  let suspect = false
  let reopening: Promise<void> = Promise.resolve()
  const reopen = async (): Promise<void> => {
    if (await freeBytes(directory) < await logBytes(directory) + REOPEN_SPARE_BYTES) throw new StorageFullError(directory)
    await level.close()
    await level.open()
    suspect = false
  }
  const writeNow = async (operations: Operation[], sync: boolean): Promise<void> => {
    if (suspect) await (reopening = reopen())
    suspect = true
    await level.batch(operations, { sync })
    if (sync) await syncLogs(operations.length === 0)
    suspect = false
  }
  return {
    write: async (operations, sync) => serial(async () => writeNow(operations, sync)),
    async reopened () {
      // When it failed, the write that asked for it has told. If it closed the database first, reading tries once more.
      await reopening.catch(() => undefined)
      if (level.status === 'closed') await (reopening = level.open())
    },
    close: async () => serial(async () => level.close())
  }
}

/**
 * LevelDB syncs the log it writes to, and not the one before when it has just begun another (leveldb 1.20,
 * DBImpl::MakeRoomForWrite): a power cut could then take older writes and leave newer ones. So older logs that are still
 * there are synced too, and the directory when it has a new log. An empty batch never reaches LevelDB: `all` is for that.
 */
function createLogSync (directory: string): (all: boolean) => Promise<void> {
  let known = ''
  return async all => {
    const logs = (await readdir(directory)).filter(name => name.endsWith('.log')).toSorted()
    const newest = logs.at(-1) ?? ''
    for (const name of all ? logs : logs.slice(0, -1)) await syncFile(join(directory, name)).catch(ignoreMissing)
    if (newest !== known) await syncDirectory(directory)
    known = newest
  }
}

/** A log goes away once its records are in a table, which LevelDB has synced. */
function ignoreMissing (error: unknown): void {
  if (!isMissingFile(error)) throw error
}

/** LevelDB gives Buffers, whose methods differ from those of the bytes that the ports promise. */
function plain (bytes: Uint8Array): Uint8Array
function plain (bytes: Uint8Array | undefined): Uint8Array | undefined
function plain (bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined ? undefined : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

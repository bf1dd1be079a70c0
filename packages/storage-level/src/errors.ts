import { HoldfastError } from '@holdfast/protocol'

/** The disk has no room. What was stored before is all there; what was refused was not stored. */
export class StorageFullError extends HoldfastError {
  override readonly name = 'StorageFullError'
  readonly family = 'retryable'
  constructor (readonly directory: string, options?: ErrorOptions) {
    super(`the disk that holds ${directory} is full`, 'Nothing was lost. Free some space on that disk, or empty the trash and old versions, and try again.', { directory }, options)
  }
}

/** Another process has these stores open. */
export class StoreLockedError extends HoldfastError {
  override readonly name = 'StoreLockedError'
  readonly family = 'retryable'
  constructor (readonly directory: string, options?: ErrorOptions) {
    super(`another process uses ${directory}`, 'Stop it, or wait until it is done, and try again.', { directory }, options)
  }
}

/** The disk or its file system refuses: input/output errors, missing permissions, a device that went away. */
export class StorageFailedError extends HoldfastError {
  override readonly name = 'StorageFailedError'
  readonly family = 'retryable'
  constructor (readonly directory: string, what: string, options?: ErrorOptions) {
    super(`${what} in ${directory} failed`, 'Check that the disk is there, healthy and writable, then start again. What was flushed before is kept.', { directory }, options)
  }
}

/** The record database is damaged. */
export class CorruptStoreError extends HoldfastError {
  override readonly name = 'CorruptStoreError'
  readonly family = 'corrupt'
  constructor (readonly directory: string, options?: ErrorOptions) {
    super(`the database in ${directory} is damaged`, 'Check the disk. Keep a copy of this directory, then restore the account into a new home: a node or another device has the data.', { directory }, options)
  }
}

const FULL = new Set(['ENOSPC', 'EDQUOT'])
const codeOf = (error: unknown): unknown => error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined

/** The error and its causes, outermost first: LevelDB's wrapper nests them. */
function * chain (error: unknown): Iterable<unknown> {
  for (let next = error; next instanceof Error; next = next.cause) yield next
}

/** LevelDB passes the system's text on, not its code. */
const saysFull = (error: unknown): boolean => FULL.has(String(codeOf(error))) || (error instanceof Error && /No space left on device|Disk quota exceeded|not enough space/iu.test(error.message))

/** Turns an error of the file system or of LevelDB into one of ours; anything else stays what it is. */
export function storageError (directory: string, what: string, error: unknown): unknown {
  const errors = [...chain(error)]
  if (error instanceof HoldfastError || !errors.some(found => typeof codeOf(found) === 'string')) return error
  if (errors.some(saysFull)) return new StorageFullError(directory, { cause: error })
  if (errors.some(found => codeOf(found) === 'LEVEL_LOCKED')) return new StoreLockedError(directory, { cause: error })
  if (errors.some(found => codeOf(found) === 'LEVEL_CORRUPTION')) return new CorruptStoreError(directory, { cause: error })
  return new StorageFailedError(directory, what, { cause: error })
}

export const isMissingFile = (error: unknown): boolean => codeOf(error) === 'ENOENT'

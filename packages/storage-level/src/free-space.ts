import { statfs } from 'node:fs/promises'
import { StorageFullError } from './errors.js'

/** How many bytes an ordinary user may still write on the disk of a directory. */
export type FreeBytes = (directory: string) => Promise<number>

export const freeBytes: FreeBytes = async directory => {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}

/** Bytes written between two looks at the disk. */
const LOOK_EVERY_BYTES = 1 << 20

/**
 * Refuses writes before the disk is quite full, so that LevelDB can still compact, records can still be written when
 * blocks cannot, and deleting always works. The reserve is in bytes.
 */
export function createSpaceGuard (directory: string, reserve: number, free: FreeBytes): (bytes: number) => Promise<void> {
  let allowance = 0
  return async bytes => {
    if (bytes <= allowance) {
      allowance -= bytes
      return
    }
    if (await free(directory) < reserve + bytes) {
      allowance = 0
      throw new StorageFullError(directory)
    }
    allowance = LOOK_EVERY_BYTES
  }
}

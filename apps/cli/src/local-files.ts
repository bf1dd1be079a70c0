import { randomBytes } from 'node:crypto'
import { chmod, lstat, lutimes, open, readdir, rename, rm, symlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RefusedError } from './errors.js'

/** Permission bits that travel. Set-user-id and the like do not: they mean nothing on another machine. */
export const MODE_BITS = 0o777

export interface LocalFileFacts { mode: number, /** ms */ modified: number }
export interface WriteOptions { signal: AbortSignal, onBytes?: (bytes: number) => void, /** Fail with EEXIST instead of replacing. */ exclusive?: boolean }

const seconds = (milliseconds: number): number => milliseconds / 1000

/** Writes a file so that at its path there is the old one, nothing, or the whole new one: never a half. */
export async function writeLocalFile (path: string, source: AsyncIterable<Uint8Array>, facts: LocalFileFacts, options: WriteOptions): Promise<void> {
  await replaceWith(path, options.exclusive === true, async temporary => {
    const file = await open(temporary, 'wx', 0o600)
    try {
      for await (const bytes of source) {
        options.signal.throwIfAborted()
        await writeWhole(file, bytes)
        options.onBytes?.(bytes.length)
      }
      await file.chmod(facts.mode & MODE_BITS)
      await file.utimes(seconds(facts.modified), seconds(facts.modified))
      await file.sync()
    } finally { await file.close() }
  })
}

async function writeWhole (file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten
}

export async function writeLocalLink (path: string, target: string, modified: number, exclusive: boolean): Promise<void> {
  await replaceWith(path, exclusive, async temporary => {
    await symlink(target, temporary)
    await lutimes(temporary, seconds(modified), seconds(modified))
  })
}

async function replaceWith (path: string, exclusive: boolean, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(path), `.holdfast-${randomBytes(8).toString('hex')}.part`)
  try {
    await make(temporary)
    // Only this process writes to the directory of an export, so looking first is enough there.
    if (exclusive && await existsAt(path)) throw Object.assign(new Error('exists'), { code: 'EEXIST', path })
    await rename(temporary, path)
  } finally { await rm(temporary, { force: true }) }
}

/** Mode and time of a directory; done once nothing more is written into it. */
export async function finishDirectory (path: string, facts: LocalFileFacts): Promise<void> {
  await lutimes(path, seconds(facts.modified), seconds(facts.modified))
  await chmod(path, facts.mode & MODE_BITS)
}

export async function existsAt (path: string): Promise<boolean> {
  try { await lstat(path); return true } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return false
    throw error
  }
}

/** A file in pieces of at most 1 MiB. `size`: how large it seems to be, so that a small one takes one small buffer and one read. */
export async function * readLocalFile (path: string, size: number, options: { signal: AbortSignal, onBytes?: (bytes: number) => void }): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r')
  try {
    for (let left = size; ; left -= READ_BYTES) {
      options.signal.throwIfAborted()
      // One byte more than is left: a read that comes back short then is the end. What has grown goes on in large pieces.
      const buffer = new Uint8Array(left < 0 ? READ_BYTES : Math.min(READ_BYTES, left + 1))
      const { bytesRead } = await file.read(buffer, 0, buffer.length)
      if (bytesRead > 0) {
        options.onBytes?.(bytesRead)
        yield buffer.subarray(0, bytesRead)
      }
      if (bytesRead < buffer.length) return
    }
  } finally { await file.close() }
}
const READ_BYTES = 1 << 20

/** Throws RefusedError unless the directory is empty or not there yet. */
export async function requireEmptyDirectory (path: string): Promise<void> {
  let names: string[]
  try { names = await readdir(path) } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return
    throw error
  }
  if (names.length > 0) throw new RefusedError(`${path} is not empty`, 'Name a new or empty directory')
}

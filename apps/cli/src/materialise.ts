import type { FileEntry, Filesystem } from '@holdfast/filesystem'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RefusedError } from './errors.js'
import { inParallel } from './in-parallel.js'
import { existsAt, finishDirectory, writeLocalFile, writeLocalLink } from './local-files.js'
import { vaultName, vaultParent } from './vault-path.js'

export interface MaterialiseOptions { signal: AbortSignal, onBytes: (bytes: number) => void, onFailure: (path: string, error: unknown) => Promise<void> }
export interface Materialised { entries: number, bytes: number, failures: number }

const FILES_AT_ONCE = 4
const GROUP = 256

/**
 * Writes a directory of the vault as plain files into a local directory that is new or empty. What cannot be read is
 * told and left out, so that one lost block does not keep the rest back.
 */
export async function materialise (filesystem: Filesystem, from: string, to: string, options: MaterialiseOptions): Promise<Materialised> {
  await mkdir(to, { recursive: true })
  const result: Materialised = { entries: 0, bytes: 0, failures: 0 }
  const directories: { entry: FileEntry, local: string }[] = []
  const links: FileEntry[] = []
  const places = new Map<string, string>([[from, to]])
  const attempt = async (entry: FileEntry, work: (local: string) => Promise<void>): Promise<void> => {
    try {
      await withFreeName(join(places.get(vaultParent(entry.path)) ?? notThere(entry), safeName(entry)), work)
      result.entries++
    } catch (error) {
      options.signal.throwIfAborted()
      result.failures++
      await options.onFailure(entry.path, error)
    }
  }
  const writeFiles = async (files: readonly FileEntry[]): Promise<void> => inParallel(files, FILES_AT_ONCE, async entry => attempt(entry, async local => {
    const source = filesystem.read(entry.path, undefined, { signal: options.signal })
    await writeLocalFile(local, source, entry, { signal: options.signal, onBytes: options.onBytes, exclusive: true })
    result.bytes += entry.size
  }))

  let files: FileEntry[] = []
  for await (const entry of filesystem.walk(from)) {
    if (entry.path === from) continue
    if (entry.kind === 'directory') await attempt(entry, async local => { await mkdir(local, { mode: 0o700 }); places.set(entry.path, local); directories.push({ entry, local }) })
    else if (entry.kind === 'link') links.push(entry)
    else files.push(entry)
    if (files.length >= GROUP) { await writeFiles(files); files = [] }
  }
  await writeFiles(files)
  // Links come when all files are written: none of those can then be led elsewhere by one.
  for (const entry of links) await attempt(entry, async local => writeLocalLink(local, entry.target ?? '', entry.modified, true))
  for (const { entry, local } of directories.reverse()) await finishDirectory(local, entry)
  return result
}

function notThere (entry: FileEntry): never {
  throw new RefusedError(`${entry.path} is in a directory that could not be made`, 'See the lines above')
}

/** A name of the vault that is safe on this disk. A member's device may have written anything. */
function safeName (entry: FileEntry): string {
  const name = vaultName(entry.path)
  const forbidden = process.platform === 'win32' ? /[\0/\\:*?"<>|]/ : /[\0/]/
  if (name === '' || name === '.' || name === '..' || forbidden.test(name)) throw new RefusedError(`${entry.path} has a name that this disk cannot hold`, 'Rename it with `holdfast mv` and run this again')
  return name
}

/** On a disk that folds case two names may be one: the second gets a number before its extension. */
async function withFreeName (path: string, work: (path: string) => Promise<void>): Promise<void> {
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? path : path.replace(/(\.[^./\\]+)?$/, extension => ` (${number})${extension}`)
    if (await existsAt(candidate)) continue
    await work(candidate)
    return
  }
}

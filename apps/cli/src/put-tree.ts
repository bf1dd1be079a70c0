import type { FileEntry, Filesystem, Operation } from '@holdfast/filesystem'
import { lstat, readdir, readlink } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { join } from 'node:path'
import { inParallel } from './in-parallel.js'
import { MODE_BITS, readLocalFile } from './local-files.js'
import { statOrNull } from './vault-entries.js'
import { joinVaultPath } from './vault-path.js'

export interface PutOptions { signal: AbortSignal, onBytes: (bytes: number) => void, onFailure: (local: string, error: unknown) => Promise<void> }

interface LocalEntry { local: string, path: string, stats: Stats }

const FILES_AT_ONCE = 4
/** Entries that become visible together. */
const GROUP = 1_000

/** Seals one local file; the operation that makes it visible, or none when the vault has just that already. */
export async function preparePut (filesystem: Filesystem, { local, path, stats }: LocalEntry, options: PutOptions): Promise<Operation[]> {
  const there = await statOrNull(filesystem, path)
  const facts = { size: stats.size, modified: stats.mtimeMs, mode: stats.mode & MODE_BITS, ...(there?.kind === 'file' ? { replaces: path } : {}) }
  const content = await filesystem.prepare(readLocalFile(local, stats.size, options), facts, { signal: options.signal })
  if (there?.kind !== 'file' || there.digest !== content.digest) return [{ type: 'write', path, content }]
  if (there.mode === facts.mode && there.modified === facts.modified) return []
  return [{ type: 'attributes', path, mode: facts.mode, modified: facts.modified }]
}

/** Puts a local directory and all below it. What cannot be read is told and left out. */
export async function putTree (filesystem: Filesystem, top: LocalEntry, options: PutOptions): Promise<FileEntry> {
  const [made] = await filesystem.commit([directoryOperation(top)], { signal: options.signal })
  for await (const group of grouped(walkLocal(top, options))) {
    const operations: Operation[][] = []
    await inParallel(group, FILES_AT_ONCE, async (entry, index) => {
      try { operations[index] = await operationsFor(filesystem, entry, options) } catch (error) {
        options.signal.throwIfAborted()
        await options.onFailure(entry.local, error)
      }
    })
    const flat = operations.flat()
    if (flat.length > 0) await filesystem.commit(flat, { signal: options.signal })
  }
  return made!
}

const directoryOperation = ({ path, stats }: LocalEntry): Operation => ({ type: 'mkdir', path, mode: stats.mode & MODE_BITS, modified: stats.mtimeMs })

async function operationsFor (filesystem: Filesystem, entry: LocalEntry, options: PutOptions): Promise<Operation[]> {
  const { local, path, stats } = entry
  if (stats.isDirectory()) return [directoryOperation(entry)]
  if (stats.isSymbolicLink()) return [{ type: 'link', path, target: await readlink(local), modified: stats.mtimeMs }]
  return preparePut(filesystem, entry, options)
}

/** Everything below a directory, parents first, in the order of names. Sockets, pipes and devices hold no bytes to keep. */
async function * walkLocal (top: LocalEntry, options: PutOptions): AsyncGenerator<LocalEntry> {
  let names: string[] = []
  try { names = (await readdir(top.local)).sort() } catch (error) { await options.onFailure(top.local, error) }
  for (const name of names) {
    const local = join(top.local, name)
    let stats: Stats
    try { stats = await lstat(local) } catch (error) { await options.onFailure(local, error); continue }
    const entry = { local, path: joinVaultPath(top.path, name), stats }
    if (stats.isFile() || stats.isDirectory() || stats.isSymbolicLink()) yield entry
    if (stats.isDirectory()) yield * walkLocal(entry, options)
  }
}

async function * grouped<T> (items: AsyncIterable<T>): AsyncGenerator<T[]> {
  let group: T[] = []
  for await (const item of items) if (group.push(item) >= GROUP) { yield group; group = [] }
  if (group.length > 0) yield group
}

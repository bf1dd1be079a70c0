import type { FileEntry } from '@holdfast/filesystem'
import { lstat, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { CommandContext, Handler } from '../context.js'
import { DONE, PARTLY_DONE, RefusedError, UsageError, type ExitCode } from '../errors.js'
import { count, formatBytes } from '../format.js'
import { existsAt, requireEmptyDirectory, writeLocalFile, writeLocalLink } from '../local-files.js'
import { materialise } from '../materialise.js'
import { preparePut, putTree, type PutOptions } from '../put-tree.js'
import { statOrNull } from '../vault-entries.js'
import { joinVaultPath, namesDirectory, vaultName, vaultPath } from '../vault-path.js'
import { entryJson } from './listing.js'
import type { CommandGroup } from './group.js'
import { refresh, settle } from './syncing.js'

/** The mode of what came from standard input: as a new file of a person has it. */
const PIPED_MODE = 0o644

const put: Handler = async (context, [localText = '', pathText = '']) => {
  await refresh(context)
  if (localText === '-') return putInput(context, pathText)
  const local = resolve(context.cwd, localText)
  const stats = await stat(local)
  if (!stats.isFile() && !stats.isDirectory()) throw new RefusedError(`${local} is neither a file nor a directory`, 'Name a file or a directory')
  const path = await destination(context, pathText, basename(local))
  const bar = context.progress(basename(local))
  let done = 0
  let failures = 0
  const options: PutOptions = {
    signal: context.signal,
    onBytes: bytes => { bar.update(done += bytes, stats.isFile() ? stats.size : undefined) },
    onFailure: async (_local, error) => { failures++; await context.warn(error) }
  }
  let entry: FileEntry
  try {
    entry = stats.isDirectory() ? await putTree(context.client.filesystem, { local, path, stats }, options) : await putFile(context, { local, path, stats }, options)
  } finally { await bar.end() }
  return finishPut(context, entry, failures, done)
}

async function putFile (context: CommandContext, top: Parameters<typeof preparePut>[1], options: PutOptions): Promise<FileEntry> {
  const { filesystem } = context.client
  const operations = await preparePut(filesystem, top, options)
  if (operations.length > 0) await filesystem.commit(operations, { signal: context.signal })
  return filesystem.stat(top.path)
}

async function putInput (context: CommandContext, pathText: string): Promise<ExitCode> {
  const path = vaultPath(pathText)
  const { filesystem } = context.client
  const there = await statOrNull(filesystem, path)
  if (there?.kind === 'directory' || namesDirectory(pathText)) throw new UsageError('standard input has no name', 'Name the file itself, not a directory')
  const facts = { modified: context.now(), mode: there?.kind === 'file' ? there.mode : PIPED_MODE, ...(there?.kind === 'file' ? { replaces: path } : {}) }
  const content = await filesystem.prepare(context.stdin(), facts, { signal: context.signal })
  const [entry] = await filesystem.commit([{ type: 'write', path, content }], { signal: context.signal })
  return finishPut(context, entry!, 0, entry!.size)
}

async function finishPut (context: CommandContext, entry: FileEntry, failures: number, bytes: number): Promise<ExitCode> {
  await context.result(entryJson(entry), [])
  await context.note(`${entry.path} holds it now (${formatBytes(bytes)}).`)
  const code = await settle(context)
  if (failures > 0) await context.note(`holdfast: ${count(failures, 'entry', 'entries')} could not be read and ${failures === 1 ? 'was' : 'were'} left out.`)
  return failures > 0 ? PARTLY_DONE : code
}

/** As `cp` does: into PATH when that is a directory, otherwise PATH itself. */
async function destination (context: CommandContext, pathText: string, name: string): Promise<string> {
  const path = vaultPath(pathText)
  const there = await statOrNull(context.client.filesystem, path)
  return there?.kind === 'directory' || namesDirectory(pathText) ? joinVaultPath(path, name) : path
}

const get: Handler = async (context, [pathText, localText = '']) => {
  const path = vaultPath(pathText)
  await refresh(context)
  const { filesystem } = context.client
  const entry = await filesystem.stat(path)
  const named = resolve(context.cwd, localText)
  const into = await isDirectory(named) || namesDirectory(localText)
  const local = into ? join(named, path === '/' ? 'vault' : vaultName(path)) : named
  if (entry.kind === 'directory') return getDirectory(context, path, local)
  if (await isDirectory(local)) throw new RefusedError(`${local} is a directory`, 'Choose another name')
  if (entry.kind === 'link') await writeLocalLink(local, entry.target ?? '', entry.modified, false)
  else await getFile(context, entry, local)
  await context.result({ path, local, bytes: entry.size }, [])
  return DONE
}

async function getFile (context: CommandContext, entry: FileEntry, local: string): Promise<void> {
  const bar = context.progress(vaultName(entry.path))
  let done = 0
  try {
    const source = context.client.filesystem.read(entry.path, undefined, { signal: context.signal })
    await writeLocalFile(local, source, entry, { signal: context.signal, onBytes: bytes => { bar.update(done += bytes, entry.size) } })
  } finally { await bar.end() }
}

async function getDirectory (context: CommandContext, path: string, local: string): Promise<ExitCode> {
  await requireEmptyDirectory(local)
  const bar = context.progress(vaultName(path))
  let result
  try {
    result = await materialise(context.client.filesystem, path, local, { signal: context.signal, onBytes: bytes => { bar.add(bytes) }, onFailure: async (_path, error) => context.warn(error) })
  } finally { await bar.end() }
  await context.result({ path, local, entries: result.entries, bytes: result.bytes }, [])
  return result.failures === 0 ? DONE : PARTLY_DONE
}

const isDirectory = async (path: string): Promise<boolean> => await existsAt(path) && ((await lstat(path)).isDirectory() || (await stat(path).catch(() => null))?.isDirectory() === true)

export const transferGroup: CommandGroup = {
  words: ['put', 'get'],
  define (program, bind) {
    program.command('put').description('store a local file or directory; into PATH when that is a directory')
      .argument('<local>', 'a file or directory; - for standard input').argument('<path>', 'where in the vault').action(bind('put'))
    program.command('get').description('write a file or directory of the vault to disk; into LOCAL when that is a directory')
      .argument('<path>', 'what, in the vault').argument('<local>', 'where').action(bind('get'))
  },
  handlers: { put, get }
}

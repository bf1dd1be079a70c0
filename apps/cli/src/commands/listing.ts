import type { FileEntry } from '@holdfast/filesystem'
import type { CommandContext, Handler } from '../context.js'
import { DONE, RefusedError } from '../errors.js'
import { count, formatBytes, formatTime, printable, table } from '../format.js'
import { flag } from '../invocation.js'
import { vaultName, vaultPath } from '../vault-path.js'
import type { CommandGroup } from './group.js'
import { refresh } from './syncing.js'

/** An entry as `--json` prints it everywhere. */
export const entryJson = (entry: FileEntry): Record<string, unknown> => ({
  path: entry.path, kind: entry.kind, size: entry.size, modified: entry.modified, id: entry.id, versions: entry.versions, conflicts: entry.conflicts,
  mode: entry.mode, ...(entry.target === undefined ? {} : { target: entry.target })
})

const marks = (entry: FileEntry): string => entry.conflicts === 0 ? '' : `  (${count(entry.conflicts + 1, 'version')} at once: see \`holdfast log\`)`

function entryRow (entry: FileEntry, name: string): string[] {
  const shown = `${printable(name)}${entry.kind === 'directory' && name !== '/' ? '/' : ''}`
  const target = entry.target === undefined ? '' : ` -> ${printable(entry.target)}`
  return [entry.kind === 'file' ? formatBytes(entry.size) : '-', formatTime(entry.modified), `${shown}${target}${marks(entry)}`]
}

const ls: Handler = async (context, [text], options) => {
  const path = vaultPath(text ?? '/')
  await refresh(context)
  const { filesystem } = context.client
  const top = await filesystem.stat(path)
  if (flag(options, 'recursive')) {
    const found: FileEntry[] = []
    for await (const entry of filesystem.walk(path)) if (entry.path !== path || entry.kind !== 'directory') found.push(entry)
    await printEntries(context, found, entry => entry.path)
  } else {
    const entries = top.kind === 'directory' ? await filesystem.readdir(path) : [top]
    await printEntries(context, entries, entry => vaultName(entry.path))
  }
  return DONE
}

/** A vault may hold a hundred thousand entries: the answer is written in parts, so that no string grows without end. */
async function printEntries (context: CommandContext, entries: readonly FileEntry[], name: (entry: FileEntry) => string): Promise<void> {
  if (!context.json) { await writeParts(context, table(entries.map(entry => entryRow(entry, name(entry))), [0]).map(line => `${line}\n`)); return }
  await writeParts(context, ['[', ...entries.map((entry, index) => `${index === 0 ? '' : ','}${JSON.stringify(entryJson(entry))}`), ']\n'])
}

const PART = 1_000
async function writeParts (context: CommandContext, parts: readonly string[]): Promise<void> {
  for (let at = 0; at < parts.length; at += PART) await context.out.write(parts.slice(at, at + PART).join(''))
}

const stat: Handler = async (context, [text]) => {
  await refresh(context)
  const entry = await context.client.filesystem.stat(vaultPath(text))
  await context.result(entryJson(entry), table([
    ['path', printable(entry.path)],
    ['kind', entry.kind],
    ...(entry.kind === 'file' ? [['size', `${formatBytes(entry.size)} (${entry.size} bytes)`]] : []),
    ...(entry.target === undefined ? [] : [['points to', printable(entry.target)]]),
    ['modified', formatTime(entry.modified)],
    ['mode', entry.mode.toString(8).padStart(3, '0')],
    ['id', entry.id],
    ...(entry.kind === 'file' ? [['versions', String(entry.versions)]] : []),
    ...(entry.conflicts === 0 ? [] : [['conflicts', String(entry.conflicts)]])
  ]))
  return DONE
}

const cat: Handler = async (context, [text]) => {
  const path = vaultPath(text)
  await refresh(context)
  const { filesystem } = context.client
  const entry = await filesystem.stat(path)
  if (entry.kind === 'directory') throw new RefusedError(`${path} is a directory`, 'Name a file; `holdfast ls` lists a directory')
  if (entry.kind === 'link') throw new RefusedError(`${path} is a link to ${entry.target ?? ''}`, 'Name the file that it points to')
  const bar = context.progress(vaultName(path))
  try {
    let done = 0
    for await (const bytes of filesystem.read(path, undefined, { signal: context.signal })) {
      await context.out.write(bytes)
      bar.update(done += bytes.length, entry.size)
    }
  } finally { await bar.end() }
  return DONE
}

export const listingGroup: CommandGroup = {
  words: ['ls', 'stat', 'cat'],
  define (program, bind) {
    program.command('ls').description('list a directory of the vault').argument('[path]', 'a path in the vault', '/')
      .option('-R, --recursive', 'with all that is below').action(bind('ls'))
    program.command('stat').description('show what is known of an entry').argument('<path>').action(bind('stat'))
    program.command('cat').description('write a file to standard output').argument('<path>').action(bind('cat'))
  },
  handlers: { ls, stat, cat }
}

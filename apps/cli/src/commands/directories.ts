import type { FileEntry, Operation } from '@holdfast/filesystem'
import type { CommandContext, Handler } from '../context.js'
import { DONE, RefusedError } from '../errors.js'
import { flag } from '../invocation.js'
import { joinVaultPath, namesDirectory, vaultName, vaultParent, vaultPath } from '../vault-path.js'
import { statOrNull } from '../vault-entries.js'
import { entryJson } from './listing.js'
import type { CommandGroup } from './group.js'
import { refresh, settle } from './syncing.js'

const mkdir: Handler = async (context, [text], options) => {
  const path = vaultPath(text)
  await refresh(context)
  const existing = await statOrNull(context.client.filesystem, path)
  if (existing !== null) {
    if (!flag(options, 'parents') || existing.kind !== 'directory') throw new RefusedError(`${path} exists already`, 'Choose another name')
    await context.result(entryJson(existing), [])
    return DONE
  }
  if (!flag(options, 'parents')) await requireParent(context, path)
  const [made] = await commit(context, [{ type: 'mkdir', path }])
  await context.result(entryJson(made!), [])
  return settle(context)
}

const mv: Handler = async (context, [fromText, toText = '']) => {
  const from = vaultPath(fromText)
  await refresh(context)
  const { filesystem } = context.client
  const source = await filesystem.stat(from)
  if (from === '/') throw new RefusedError('the vault itself cannot be moved', 'Name something in it')
  const into = await statOrNull(filesystem, vaultPath(toText))
  if (into === null && namesDirectory(toText) && source.kind !== 'directory') throw new RefusedError(`there is no directory ${vaultPath(toText)}`, 'Make it first with `holdfast mkdir`')
  const to = into?.kind === 'directory' && into.id !== source.id ? joinVaultPath(into.path, vaultName(from)) : vaultPath(toText)
  if (to.startsWith(`${from}/`)) throw new RefusedError(`${from} cannot be moved into itself`, 'Choose another place')
  await requireParent(context, to)
  const moved = to === from ? source : (await commit(context, await moveOperations(context, source, to))).at(-1)!
  await context.result(entryJson(moved), [])
  return settle(context)
}

/** What is in the way goes to the trash in the same change, as `mv` replaces a file; a directory is not replaced. */
async function moveOperations (context: CommandContext, source: FileEntry, to: string): Promise<Operation[]> {
  const move: Operation = { type: 'move', from: source.path, to }
  const there = await statOrNull(context.client.filesystem, to)
  if (there === null || there.id === source.id) return [move]
  if (there.kind === 'directory' || source.kind === 'directory') throw new RefusedError(`${to} exists already`, 'Remove it first or choose another name')
  return [{ type: 'remove', path: to }, move]
}

const rm: Handler = async (context, [text], options) => {
  const path = vaultPath(text)
  await refresh(context)
  if (path === '/') throw new RefusedError('the vault itself cannot be removed', 'Name something in it')
  const entry = await context.client.filesystem.stat(path)
  if (entry.kind === 'directory' && !flag(options, 'recursive')) throw new RefusedError(`${path} is a directory`, 'Add -r to remove it with all that is in it')
  await commit(context, [{ type: 'remove', path }])
  await context.result({ ...entryJson(entry), removed: true }, [])
  await context.note(`${path} is in the trash; \`holdfast trash restore ${path}\` brings it back.`)
  return settle(context)
}

const commit = async (context: CommandContext, operations: Operation[]): Promise<FileEntry[]> =>
  context.client.filesystem.commit(operations, { signal: context.signal })

async function requireParent (context: CommandContext, path: string): Promise<void> {
  const parent = vaultParent(path)
  const entry = await statOrNull(context.client.filesystem, parent)
  if (entry === null) throw new RefusedError(`there is no directory ${parent}`, 'Make it first; `holdfast mkdir -p` makes it with the ones above')
  if (entry.kind !== 'directory') throw new RefusedError(`${parent} is not a directory`, 'Choose another place')
}

export const directoryGroup: CommandGroup = {
  words: ['mkdir', 'mv', 'rm'],
  define (program, bind) {
    program.command('mkdir').description('make a directory').argument('<path>')
      .option('-p, --parents', 'with the directories above it; no error when it exists').action(bind('mkdir'))
    program.command('mv').description('move or rename; into TO when that is a directory').argument('<from>').argument('<to>').action(bind('mv'))
    program.command('rm').description('move to the trash').argument('<path>')
      .option('-r, --recursive', 'a directory with all that is in it').action(bind('rm'))
  },
  handlers: { mkdir, mv, rm }
}

import type { TrashEntry } from '@holdfast/filesystem'
import type { CommandContext, Handler } from '../context.js'
import { DONE, RefusedError } from '../errors.js'
import { count, formatBytes, formatTime, printable, table } from '../format.js'
import { vaultPath } from '../vault-path.js'
import { entryJson } from './listing.js'
import type { CommandGroup } from './group.js'
import { refresh, settle } from './syncing.js'

const trash: Handler = async context => {
  await refresh(context)
  const entries = await context.client.filesystem.trash()
  const lines = table(entries.map(entry => [
    entry.kind === 'file' ? formatBytes(entry.size) : '-', formatTime(entry.deletedAt), `${printable(entry.path)}${entry.kind === 'directory' ? '/' : ''}`
  ]), [0])
  await context.result(entries, lines.length > 0 ? lines : ['The trash is empty.'])
  return DONE
}

const restore: Handler = async (context, [text = '']) => {
  await refresh(context)
  const entry = await context.client.filesystem.restoreTrash((await findInTrash(context, text)).id, { signal: context.signal })
  await context.result(entryJson(entry), [])
  await context.note(`${entry.path} is back.`)
  return settle(context)
}

const empty: Handler = async context => {
  const { entries, bytes } = await context.client.filesystem.emptyTrash({ signal: context.signal })
  await context.result({ entries, bytes }, [`${count(entries, 'entry', 'entries')} gone for good, ${formatBytes(bytes)}.`])
  return settle(context)
}

/** The newest of what was deleted from that path; an id names one exactly. */
async function findInTrash (context: CommandContext, text: string): Promise<TrashEntry> {
  const path = vaultPath(text)
  const matching = (await context.client.filesystem.trash()).filter(entry => entry.id === text || entry.path === path)
  const newest = matching.sort((a, b) => b.deletedAt - a.deletedAt)[0]
  if (newest === undefined) throw new RefusedError(`nothing in the trash was at ${path}`, '`holdfast trash` lists what is there')
  return newest
}

export const trashGroup: CommandGroup = {
  words: ['trash'],
  define (program, bind) {
    const group = program.command('trash').description('list what was deleted').action(bind('trash'))
    group.command('empty').description('delete for good what is in the trash').action(bind('trash empty'))
    group.command('restore').description('bring a deleted entry back to where it was').argument('<path>', 'where it was, or its id').action(bind('trash restore'))
  },
  handlers: { trash, 'trash restore': restore, 'trash empty': empty }
}

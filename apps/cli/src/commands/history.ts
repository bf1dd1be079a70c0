import type { Handler } from '../context.js'
import { DONE, UsageError } from '../errors.js'
import { formatBytes, formatTime, table } from '../format.js'
import { textOption } from '../invocation.js'
import { vaultPath } from '../vault-path.js'
import { entryJson } from './listing.js'
import type { CommandGroup } from './group.js'
import { refresh, settle } from './syncing.js'

/** The end of a version's CID is enough to name it, and fits a line. */
const SHOWN = 12

const log: Handler = async (context, [text]) => {
  const path = vaultPath(text)
  await refresh(context)
  const versions = await context.client.filesystem.history(path, { signal: context.signal })
  const lines = table(versions.map(version => [
    version.version.slice(-SHOWN), formatTime(version.at), formatBytes(version.size), version.device === null ? 'merged' : `by ${version.device.slice(-8)}`, version.current ? 'current' : ''
  ]), [2])
  await context.result(versions, lines)
  return DONE
}

const restore: Handler = async (context, [text], options) => {
  const path = vaultPath(text)
  const version = textOption(options, 'version')
  if (version === undefined || version === '') throw new UsageError('which version?', 'Name it with --version V; `holdfast log` lists them')
  const to = textOption(options, 'to')
  await refresh(context)
  const entry = await context.client.filesystem.restoreVersion(path, version, to === undefined ? undefined : vaultPath(to), { signal: context.signal })
  await context.result(entryJson(entry), [])
  await context.note(`${entry.path} holds that version again (${formatBytes(entry.size)}).`)
  return settle(context)
}

export const historyGroup: CommandGroup = {
  words: ['log', 'restore'],
  define (program, bind) {
    program.command('log').description('list the versions of a file, newest first').argument('<path>').action(bind('log'))
    program.command('restore').description('make an old version of a file the newest one').argument('<path>')
      .requiredOption('--version <version>', 'which; from `holdfast log`').option('--to <path>', 'as another file, leaving the first as it is').action(bind('restore'))
  },
  handlers: { log, restore }
}

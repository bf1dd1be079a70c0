import { resolve } from 'node:path'
import type { Handler } from '../context.js'
import { DONE, PARTLY_DONE } from '../errors.js'
import { count, formatBytes } from '../format.js'
import { requireEmptyDirectory } from '../local-files.js'
import { materialise } from '../materialise.js'
import type { CommandGroup } from './group.js'
import { refresh } from './syncing.js'

const exportVault: Handler = async (context, [directory = '']) => {
  const target = resolve(context.cwd, directory)
  await requireEmptyDirectory(target)
  await refresh(context)
  const { filesystem, engine } = context.client
  const total = engine.status().vaults[0]?.bytes
  const bar = context.progress('exporting')
  let done = 0
  let result
  try {
    result = await materialise(filesystem, '/', target, {
      signal: context.signal,
      onBytes: bytes => { bar.update(done += bytes, total) },
      onFailure: async (_path, error) => context.warn(error)
    })
  } finally { await bar.end() }
  const { entries, bytes, failures } = result
  await context.result({ entries, bytes }, [`${count(entries, 'entry', 'entries')}, ${formatBytes(bytes)}, are in ${target}.`])
  return failures === 0 ? DONE : PARTLY_DONE
}

export const exportGroup: CommandGroup = {
  words: ['export'],
  define (program, bind) {
    program.command('export').description('write the whole vault as plain files').argument('<directory>', 'a new or empty directory').action(bind('export'))
  },
  handlers: { export: exportVault }
}

import type { Handler } from '../context.js'
import { DONE, DamagedError, PARTLY_DONE } from '../errors.js'
import { count, formatBytes } from '../format.js'
import { flag } from '../invocation.js'
import type { CommandGroup } from './group.js'

const verify: Handler = async (context, _args, options) => {
  const bar = context.progress('checking')
  const repair = flag(options, 'repair')
  let report
  try {
    report = await context.client.engine.verify({ repair, signal: context.signal, onProgress: ({ done, total }) => { bar.update(done, total) } })
  } finally { await bar.end() }
  const { blocks, bytes, bad, repaired, failures } = report
  for (const failure of failures) await context.warn(failure)
  const broken = bad.filter(block => !repaired.includes(block))
  await context.result({ blocks, bytes, bad, repaired }, [
    ...bad.map(block => `${repaired.includes(block) ? 'repaired' : 'bad     '}  ${block}`),
    ...(broken.length === 0 ? [`All ${count(blocks, 'block')} (${formatBytes(bytes)}) are good.`] : [])
  ])
  if (broken.length === 0) return failures.length === 0 ? DONE : PARTLY_DONE
  throw new DamagedError(`${count(broken.length, 'block')} of ${blocks} ${broken.length === 1 ? 'is' : 'are'} bad or missing`, repair
    ? 'No good copy was reachable: connect another device or node that has one and run this again'
    : 'Run `holdfast verify --repair` to take good copies from a node or another device')
}

export const verifyGroup: CommandGroup = {
  words: ['verify'],
  define (program, bind) {
    program.command('verify').description('read and check every block and every link from the root, here and on the nodes')
      .option('--repair', 'replace what is bad from whoever has a good copy').action(bind('verify'))
  },
  handlers: { verify }
}

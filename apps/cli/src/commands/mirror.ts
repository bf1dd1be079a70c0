import type { Mirror, MirrorReport } from '@holdfast/mirror'
import { realpath } from 'node:fs/promises'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import type { CommandContext, Handler } from '../context.js'
import { DONE, NotOnNodesError, PARTLY_DONE, RefusedError, type ExitCode } from '../errors.js'
import { count, formatBytes } from '../format.js'
import { flag, type Options } from '../invocation.js'
import { createEventGate, syncedNow, type PrintedEvent } from '../mirror-events.js'
import type { CommandGroup } from './group.js'

const mirror: Handler = async (context, [text = ''], options) => {
  const directory = await realpathOr(resolve(context.cwd, text))
  const printer = createPrinter(context, directory)
  const running = context.holder.mirrors.get(directory)
  if (running !== undefined && !flag(options, 'once')) throw new RefusedError(`${directory} is being mirrored already`, 'Leave that one running, or stop it first')
  if (running !== undefined) return finishing(printer, async () => once(context, running, printer))
  await refuseOverlap(context, directory)
  const created = await open(context, directory, options)
  context.holder.mirrors.set(directory, created)
  try {
    return await finishing(printer, async () => flag(options, 'once') ? once(context, created, printer) : untilStopped(context, created, printer))
  } catch (error) {
    if (context.signal.aborted && !flag(options, 'once')) return DONE
    throw explainGuard(error)
  } finally {
    context.holder.mirrors.delete(directory)
    await created.stop()
  }
}

async function open (context: CommandContext, directory: string, options: Options): Promise<Mirror> {
  const { createMirror } = await import('@holdfast/mirror')
  const { filesystem, records, clock, random } = context.client
  return createMirror({ directory, filesystem, records, clock, random }, { allowMassDelete: flag(options, 'allowMassDelete') })
}

async function untilStopped (context: CommandContext, mirrored: Mirror, printer: Printer): Promise<ExitCode> {
  const { engine } = context.client
  const gate = createEventGate(() => engine.status(), printer.print)
  const unsubscribe = [engine.on(gate.onEngine), mirrored.on(gate.onMirror)]
  try {
    await context.say(`Comparing ${mirrored.directory} with the vault. This runs until you press Ctrl-C.`)
    await mirrored.start({ signal: context.signal })
    await new Promise<void>(done => {
      if (context.signal.aborted) done()
      else context.signal.addEventListener('abort', () => { done() }, { once: true })
    })
  } finally { for (const stop of unsubscribe) stop() }
  return DONE
}

/** Rounds in which nothing moved before `--once` says what is missing: another device may still be uploading it. */
const PATIENT_ROUNDS = 8
const FIRST_PAUSE_MS = 100

/** Until the directory, this device and every node that answers hold the same, and those nodes have said so. */
async function once (context: CommandContext, mirrored: Mirror, printer: Printer): Promise<ExitCode> {
  const { engine } = context.client
  const stop = mirrored.on(event => { if (event.type === 'conflict') printer.print({ event: 'conflict', path: event.path, versions: event.versions }) })
  try {
    let report = await mirrored.once({ signal: context.signal })
    printer.print({ event: 'ready' })
    for (let quiet = 0; engine.nodes().length > 0;) {
      const sync = await engine.sync({ signal: context.signal })
      const before = engine.status().vaults[0]?.body
      report = await mirrored.once({ signal: context.signal })
      const still = isQuiet(report) && engine.status().vaults[0]?.body === before
      if (sync.reachableNodes === 0) return await unfinished(context, report, sync.failures, 'no node was reachable')
      if (still && receipted(context)) { await tellAway(context, sync.failures); break }
      if (!still) { quiet = 0; continue }
      if (++quiet > PATIENT_ROUNDS) return await unfinished(context, report, sync.failures, 'a node has not confirmed it yet')
      await new Promise(done => { setTimeout(done, FIRST_PAUSE_MS * 2 ** Math.min(quiet, 5)) })
      context.signal.throwIfAborted()
    }
    const synced = syncedNow(engine.status())
    if (synced !== null) printer.print(synced)
    return await tellFailures(context, report)
  } finally { stop() }
}

const isQuiet = ({ uploaded, downloaded, moved, removedFromVault, removedFromDisk, attributes }: MirrorReport): boolean =>
  uploaded + downloaded + moved + removedFromVault + removedFromDisk + attributes === 0

/** Every node that answers has a receipt for exactly what is here. */
function receipted (context: CommandContext): boolean {
  const { vaults: [vault], nodes } = context.client.engine.status()
  return vault !== undefined && vault.root !== null && nodes.every(node => !node.reachable || node.receipt?.root === vault.root)
}

async function unfinished (context: CommandContext, report: MirrorReport, failures: readonly unknown[], why: string): Promise<ExitCode> {
  for (const failure of failures) await context.warn(failure)
  if (failures.length === 0) await context.warn(new NotOnNodesError(why))
  await tellFailures(context, report)
  return PARTLY_DONE
}

async function tellAway (context: CommandContext, failures: readonly unknown[]): Promise<void> {
  for (const failure of failures) await context.warn(failure)
}

async function tellFailures (context: CommandContext, report: MirrorReport): Promise<ExitCode> {
  for (const failure of report.failures) await context.warn(failure)
  return report.failures.length === 0 ? DONE : PARTLY_DONE
}

interface Printer { print: (event: PrintedEvent) => void, settled: () => Promise<void> }

/** Events come when they come; they are written one after the other, and a reader that has gone ends the command. */
function createPrinter (context: CommandContext, directory: string): Printer {
  let writing: Promise<void> = Promise.resolve()
  const lines = async (event: PrintedEvent): Promise<void> => {
    if (context.json) return context.event(event)
    switch (event.event) {
      case 'ready': return context.say(`${directory} and the vault hold the same.`)
      case 'synced': return context.say(`Safe on ${count(context.client.engine.nodes().length, 'node')}: ${count(event.entries, 'entry', 'entries')}, ${formatBytes(event.bytes)}.`)
      case 'conflict': return context.say(`${event.path} has ${event.versions} versions at once; \`holdfast log ${event.path}\` shows them.`)
      case 'error': return context.err.write(`holdfast: ${event.message}. ${event.remedy}\n`)
      case 'evidence': return context.err.write(`holdfast: the device ${event.device} has shown a ${event.kind} of its history. Its roots ${event.roots.join(' and ')} are the evidence; nothing was lost here.\n`)
    }
  }
  return {
    print: event => {
      writing = writing.then(async () => lines(event))
      // Told where it is awaited; until then it must not count as unhandled.
      writing.catch(() => undefined)
    },
    settled: async () => writing
  }
}

async function finishing (printer: Printer, work: () => Promise<ExitCode>): Promise<ExitCode> {
  const code = await work()
  await printer.settled()
  return code
}

/** A mirror of a directory that holds the device's own state would store that state in itself, for ever. */
async function refuseOverlap (context: CommandContext, directory: string): Promise<void> {
  const home = await realpathOr(context.holder.home)
  if (contains(directory, home) || contains(home, directory)) throw new RefusedError(`${directory} and this device's own state in ${home} lie within each other`, 'Mirror another directory, or move the state with --home')
  for (const other of context.holder.mirrors.keys()) {
    if (contains(directory, other) || contains(other, directory)) throw new RefusedError(`${directory} and ${other}, which is being mirrored, lie within each other`, 'Mirror only one of them')
  }
}

export function contains (outer: string, inner: string): boolean {
  const path = relative(outer, inner)
  return path === '' || (path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path))
}

async function realpathOr (path: string): Promise<string> {
  try { return await realpath(path) } catch { return path }
}

const explainGuard = (error: unknown): unknown => error instanceof Error && error.name === 'GuardError'
  ? new RefusedError(error.message, 'Put the files back, or add --allow-mass-delete to delete them in the vault too; they stay in the trash') : error

export const mirrorGroup: CommandGroup = {
  words: ['mirror'],
  define (program, bind) {
    program.command('mirror').description('keep a directory and the home vault the same until stopped')
      .argument('<directory>')
      .option('--once', 'end when this device and its nodes agree and all is receipted')
      .option('--allow-mass-delete', 'most of the directory is gone and shall be deleted in the vault too')
      .action(bind('mirror'))
  },
  handlers: { mirror }
}

import type { CommandContext } from '../context.js'
import { DONE, NotOnNodesError, PARTLY_DONE, reportOf, type ExitCode } from '../errors.js'
import { count } from '../format.js'

/** How long a command that changed something tries to bring it to a node before it leaves that to later. */
const SETTLE_MS = 10_000
/** How long a command that reads waits for news before it shows what is here. */
const REFRESH_MS = 4_000

const bounded = (context: CommandContext, ms: number): AbortSignal => AbortSignal.any([context.signal, AbortSignal.timeout(ms)])

/**
 * After a change: it is stored here; now it goes to the nodes, if they answer in time. Partly done when none does,
 * or when one that does refuses it.
 */
export async function settle (context: CommandContext, ms = SETTLE_MS): Promise<ExitCode> {
  const { engine } = context.client
  const paired = engine.nodes().length
  if (paired === 0) return DONE
  const limit = bounded(context, ms)
  try {
    const report = await engine.sync({ signal: limit })
    for (const failure of report.failures) await context.warn(failure)
    if (report.reachableNodes > 0 && (report.failures.length === 0 || isOnANode(context))) return DONE
    if (report.failures.length === 0) await context.warn(new NotOnNodesError('no node was reachable'))
  } catch (error) {
    if (!limit.aborted || context.signal.aborted) throw error
    // What took so long may have been the contents of other devices, which come after our own change.
    if (isOnANode(context)) return DONE
    await context.warn(new NotOnNodesError(`${count(paired, 'node')} did not take it within ${Math.round(ms / 1000)} seconds`))
  }
  return PARTLY_DONE
}

/** Some node has a receipt for exactly what is here. */
function isOnANode (context: CommandContext): boolean {
  const { vaults: [vault], nodes } = context.client.engine.status()
  return vault !== undefined && vault.root !== null && nodes.some(node => node.receipt?.root === vault.root)
}

/**
 * Before reading: asks the nodes for news, unless this process hears of them as they come. What is here is shown in
 * any case. Contents are fetched when they are read, so that the first `ls` of a large vault does not wait for them.
 */
export async function refresh (context: CommandContext, ms = REFRESH_MS): Promise<void> {
  const { engine } = context.client
  if (context.holder.live || engine.nodes().length === 0) return
  const limit = bounded(context, ms)
  try {
    const report = await engine.sync({ signal: limit, contents: false })
    if (report.reachableNodes === 0) await context.note('holdfast: no node is reachable; this is what is on this device.')
  } catch (error) {
    if (context.signal.aborted) throw error
    const { message } = reportOf(error)
    await context.note(`holdfast: ${limit.aborted ? 'the nodes did not answer in time' : message}; this is what is on this device.`)
  }
}

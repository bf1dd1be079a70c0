import type { EngineStatus, NodeStatus, VaultStatus } from '@holdfast/engine'
import type { CommandContext, Handler } from '../context.js'
import { DONE } from '../errors.js'
import { count, formatAge, formatBytes, table } from '../format.js'
import { vaultPath } from '../vault-path.js'
import { entryJson } from './listing.js'
import type { CommandGroup } from './group.js'
import { refresh } from './syncing.js'

const status: Handler = async (context, [text]) => {
  await refresh(context)
  return text === undefined ? wholeStatus(context) : pathStatus(context, vaultPath(text))
}

async function wholeStatus (context: CommandContext): Promise<typeof DONE> {
  const facts = context.client.engine.status()
  await context.result(facts, statusLines(facts, context.now()))
  return DONE
}

/** What a person should know first: is everything safe, and if not, what is missing. */
export function statusLines (facts: EngineStatus, now: number): string[] {
  const vaults = facts.vaults.flatMap(vault => [
    `${vault.name}: ${count(vault.entries, 'entry', 'entries')}, ${formatBytes(vault.bytes)}`,
    `  ${safety(vault, facts.nodes, now)}`,
    ...(vault.pendingBlocks === 0 ? [] : [`  ${count(vault.pendingBlocks, 'block')} still to be uploaded`]),
    ...(vault.conflicts === 0 ? [] : [`  ${count(vault.conflicts, 'file has', 'files have')} several versions at once; \`holdfast log\` shows them`])
  ])
  const nodes = table(facts.nodes.map(node => ['  ' + node.url, node.reachable ? 'reachable' : 'not reachable', node.receipt === null ? 'nothing verified yet' : `verified ${formatAge(node.receipt.at, now)}`]))
  const errors = facts.nodes.flatMap(node => node.error === undefined ? [] : [`  ${node.url}: ${node.error}`])
  return [`Account ${facts.account}`, `Device  ${facts.device}`, ...vaults, ...(nodes.length === 0 ? [] : ['Nodes:', ...nodes, ...errors])]
}

/** Only a receipt for exactly what is here counts as safe. */
function safety (vault: VaultStatus, nodes: readonly NodeStatus[], now: number): string {
  const verified = nodes.flatMap(node => node.receipt !== null && node.receipt.root === vault.root ? [node.receipt.at] : [])
  if (verified.length > 0) return `safe on ${count(verified.length, 'node')}, verified ${formatAge(Math.max(...verified), now)}`
  return nodes.length === 0 ? 'on this device only: no node is paired' : 'the newest changes are on no node yet'
}

async function pathStatus (context: CommandContext, path: string): Promise<typeof DONE> {
  const entry = await context.client.filesystem.stat(path)
  const nodes = await context.client.safety(path, { signal: context.signal })
  const safe = nodes.filter(node => node.safe)
  const newest = Math.max(...safe.map(node => node.at ?? 0))
  await context.result({ ...entryJson(entry), safeOn: safe.length, nodes }, [
    safe.length === 0 ? `${path} is on no node yet.` : `${path} is safe on ${count(safe.length, 'node')}, verified ${formatAge(newest, context.now())}.`,
    ...nodes.filter(node => !node.safe).map(node => `  not yet on ${node.url}`)
  ])
  return DONE
}

export const statusGroup: CommandGroup = {
  words: ['status'],
  define (program, bind) {
    program.command('status').description('what there is, what is still to be uploaded, and what the nodes have verified; for a path, on how many nodes it is safe')
      .argument('[path]').action(bind('status'))
  },
  handlers: { status }
}

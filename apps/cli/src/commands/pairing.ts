import type { Handler } from '../context.js'
import { DONE, RefusedError, UsageError } from '../errors.js'
import { formatAge, formatTime, table } from '../format.js'
import { textOption } from '../invocation.js'
import type { CommandGroup } from './group.js'
import { refresh, settle } from './syncing.js'

const pair: Handler = async (context, [url = ''], options) => {
  const node = nodeUrl(url)
  const token = textOption(options, 'token')
  const known = context.client.engine.nodes().find(one => one.url === node)
  const { peerId, failures } = known === undefined ? await context.client.pairNode(node, { signal: context.signal, ...(token === undefined ? {} : { token }) }) : { peerId: known.peerId, failures: [] }
  for (const failure of failures) await context.warn(failure)
  await context.result({ node, peerId }, [`This device now uses the node ${node} (${peerId}).`])
  return settle(context)
}

const nodes: Handler = async context => {
  const known = context.client.engine.nodes()
  const now = context.now()
  const lines = known.length === 0
    ? ['No node is paired. Start one with `holdfast node` and pair it with `holdfast pair URL --token T`.']
    : table(known.map(node => [node.url, node.peerId, node.receipt === null ? 'nothing verified yet' : `verified ${formatAge(node.receipt.at, now)}`, node.error ?? '']))
  await context.result(known, lines)
  return DONE
}

const removeNode: Handler = async (context, [url = '']) => {
  const node = nodeUrl(url)
  if (!context.client.engine.nodes().some(known => known.url === node)) throw new RefusedError(`${node} is not paired`, 'See `holdfast nodes` for those that are')
  await context.client.unpairNode(node)
  await context.result({ node, removed: true }, [`This device no longer uses the node ${node}. What it keeps stays there until somebody deletes it.`])
  return DONE
}

const devices: Handler = async context => {
  await refresh(context)
  const known = context.client.engine.devices()
  await context.result(known, table(known.map(device => [
    device.id, device.current ? 'this device' : device.revokedAt === null ? '' : `revoked ${formatTime(device.revokedAt)}`
  ])))
  return DONE
}

const revoke: Handler = async (context, [id = '']) => {
  // The device may be one that this one has not heard of yet.
  await refresh(context)
  const matching = context.client.engine.devices().filter(device => device.id.startsWith(id) || device.peerId === id)
  const [device] = matching
  if (device === undefined) throw new RefusedError(`no device of this account is ${id}`, 'See `holdfast devices` for their ids')
  if (matching.length > 1) throw new RefusedError(`${matching.length} devices begin with ${id}`, 'Write more of the id')
  if (device.current) throw new RefusedError('a device cannot revoke itself', 'Do it from another device of the account')
  await context.client.engine.revoke(device.id)
  await context.result({ id: device.id, revoked: true }, [`The device ${device.id} is revoked: nodes and devices take nothing more from it. What it has already read it may still have.`])
  return settle(context)
}

/** A node's address in one form: no slash at the end, `http://` where no scheme is named. */
export function nodeUrl (text: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  let url: URL
  try { url = new URL(full) } catch { throw new UsageError(`"${text}" is not the address of a node`, 'Give it as http://HOST:PORT or https://HOST') }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new UsageError(`a node is reached by http or https, not ${url.protocol}`, 'Give it as http://HOST:PORT or https://HOST')
  return url.href.replace(/\/+$/, '')
}

export const pairingGroup: CommandGroup = {
  words: ['pair', 'nodes', 'devices'],
  define (program, bind) {
    program.command('pair').description('use a node; several may be paired').argument('<url>', 'where the node listens')
      .option('--token <token>', 'the one-time token that the node printed (or $HOLDFAST_TOKEN); not needed once a device of the account is paired')
      .action(bind('pair'))
    const list = program.command('nodes').description('list the paired nodes').action(bind('nodes'))
    list.command('remove').description('stop using a node').argument('<url>').action(bind('nodes remove'))
    const devicesCommand = program.command('devices').description('list the devices of the account').action(bind('devices'))
    devicesCommand.command('revoke').description('shut a device out for good').argument('<id>', 'its id, or enough of its beginning').action(bind('devices revoke'))
  },
  handlers: { pair, nodes, 'nodes remove': removeNode, devices, 'devices revoke': revoke }
}

import { createHook } from 'node:async_hooks'
import { afterAll, expect, test } from 'vitest'
import { connect, createTestPeers, LOOPBACK, randomBlock, until } from '../test-support.js'

interface Handle { hasRef? (): boolean, _idleTimeout?: number, _destroyed?: boolean }

/** Timers, sockets and servers made since, which would keep a process from ending. */
const open = new Map<number, { type: string, handle: Handle }>()
const hook = createHook({
  init (id, type, _trigger, resource: object) { if (/^(Timeout|TCP.*WRAP|PIPE.*WRAP|TTYWRAP)$/.test(type)) open.set(id, { type, handle: resource }) },
  destroy (id) { open.delete(id) }
})
afterAll(() => { hook.disable() })

const holding = (type: RegExp): string[] => [...open.values()]
  .filter(({ type: made, handle }) => type.test(made) && handle._destroyed !== true && handle.hasRef?.() !== false)
  .map(({ type: made, handle }) => `${made} ${handle._idleTimeout ?? ''}`)

test.each([LOOPBACK, `${LOOPBACK}/ws`])('NET-1 close ends every timer, socket and listener (%s)', async address => {
  hook.enable()
  const peers = createTestPeers()
  const node = await peers.start({ listen: [address], relay: true })
  const [device, other] = [await peers.start({ listen: ['/p2p-circuit'] }), await peers.start()]
  const block = await randomBlock(1000)
  await node.blocks.put([block])
  const heard: string[] = []
  for (const { network } of [node, device, other]) network.subscribe('vault', () => heard.push(network.peerId))
  await connect(device, node)
  await connect(other, node)
  other.network.keep([`/ip4/127.0.0.1/tcp/1/p2p/${device.network.peerId}`])
  await until(() => heard.includes(other.network.peerId), async () => device.network.publish('vault', new Uint8Array(10)))
  await device.network.fetchBlock(block.cid)
  const missing = device.network.fetchBlock((await randomBlock(10)).cid).catch((error: Error) => error.name)

  await peers.close()
  expect(['NetworkClosedError', 'BlockNotFoundError']).toContain(await missing)
  await until(() => holding(/WRAP/).length === 0)
  // None is waited for: libp2p and gossipsub would leave some that fire within a second.
  expect(holding(/Timeout/)).toEqual([])
  hook.disable()
  open.clear()
})

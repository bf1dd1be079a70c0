import { createBlock, encode, MAX_ANNOUNCEMENT_BYTES, RAW, type BlockStore } from '@holdfast/protocol'
import { createMemoryBlockStore } from '@holdfast/storage-memory'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, test } from 'vitest'
import { connect, createManualClock, createTestPeers, LOOPBACK, randomBlock, until } from '../test-support.js'

const peers = createTestPeers()
afterEach(async () => peers.close())

const named = (name: string) => expect.objectContaining({ name })

test('NODE-2 a stranger is refused: not connected, served nothing, told nothing', async () => {
  const block = await randomBlock(1000)
  const known = new Set<string>()
  const node = await peers.start({ listen: [LOOPBACK], relay: true, allowPeer: peer => known.has(peer) })
  await node.blocks.put([block])
  const clock = createManualClock()
  const stranger = await peers.start({ clock })
  const device = await peers.start()
  known.add(device.network.peerId)
  const events: string[] = []
  node.network.onPeer(({ peer }) => events.push(peer))
  const heard: string[] = []
  stranger.network.subscribe('vault', (_message, from) => heard.push(from))
  node.network.subscribe('vault', () => {})
  stranger.network.keep(node.network.addresses())
  // It has tried, and been refused, when it waits to try again.
  await until(() => clock.waiting().length === 1)
  clock.advance(500)
  await until(() => clock.waiting()[0] === 1000)
  await connect(device, node)
  await device.network.publish('vault', encode('for members'))

  expect(node.network.connectedPeers()).toEqual([device.network.peerId])
  expect(stranger.network.connectedPeers()).toEqual([])
  await expect(stranger.network.fetchBlock(block.cid)).rejects.toThrow(named('BlockNotFoundError'))
  expect(events).toEqual([device.network.peerId])
  expect(heard).toEqual([])
})

test('NODE-2 nobody is let in while allowPeer fails', async () => {
  const node = await peers.start({ listen: [LOOPBACK], allowPeer: () => { throw new Error('the records cannot be read') } })
  const clock = createManualClock()
  const device = await peers.start({ clock })
  device.network.keep(node.network.addresses())
  await until(() => clock.waiting().length === 1)
  expect(node.network.connectedPeers()).toEqual([])
})

test('NODE-2 a device does not connect to whom it neither keeps nor allows, even if that peer dials', async () => {
  const clock = createManualClock()
  const device = await peers.start({ listen: [LOOPBACK], allowPeer: () => false })
  const other = await peers.start({ clock })
  other.network.keep(device.network.addresses())
  await until(() => clock.waiting().length === 1)
  expect(device.network.connectedPeers()).toEqual([])
})

test('NODE-2 a revoked device is cut off and served no more', async () => {
  const revoked = new Set<string>()
  const node = await peers.start({ listen: [LOOPBACK], allowPeer: peer => !revoked.has(peer) })
  const [before, after] = [await randomBlock(1000), await randomBlock(1000)]
  await node.blocks.put([before, after])
  const clock = createManualClock()
  const device = await peers.start({ clock })
  const other = await peers.start()
  await connect(device, node)
  await connect(other, node)
  expect(await device.network.fetchBlock(before.cid)).toEqual(before.bytes)

  revoked.add(device.network.peerId)
  await node.network.disconnectDisallowed()
  await until(() => clock.waiting().length === 1)
  clock.advance(60_000)
  await until(() => clock.waiting().length === 1)
  expect(node.network.connectedPeers()).toEqual([other.network.peerId])
  await expect(device.network.fetchBlock(after.cid)).rejects.toThrow(named('BlockNotFoundError'))
})

test('ANN-1 an announcement over the limit is neither sent nor taken', async () => {
  const node = await peers.start({ listen: [LOOPBACK] })
  await expect(node.network.publish('vault', new Uint8Array(MAX_ANNOUNCEMENT_BYTES + 1))).rejects.toThrow(named('LimitExceededError'))

  const sizes: number[] = []
  node.network.subscribe('vault', message => sizes.push(message.length))
  const rude = await createLibp2p({ transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux()], services: { identify: identify(), pubsub: gossipsub() } })
  try {
    await rude.dial(node.network.addresses().map(address => multiaddr(address)))
    await until(() => rude.services.pubsub.getSubscribers('vault').length === 1)
    await rude.services.pubsub.publish('vault', new Uint8Array(MAX_ANNOUNCEMENT_BYTES + 1))
    await rude.services.pubsub.publish('vault', new Uint8Array(MAX_ANNOUNCEMENT_BYTES))
    await until(() => sizes.length > 0)
    expect(sizes).toEqual([MAX_ANNOUNCEMENT_BYTES])
  } finally {
    await rude.stop()
  }
})

test('ANN-1 sixteen devices of one node all hear each announcement, without waiting for a heartbeat', async () => {
  const node = await peers.start({ listen: [LOOPBACK] })
  node.network.subscribe('vault', () => {})
  const devices = await Promise.all(Array.from({ length: 16 }, async () => peers.start()))
  const heard = devices.map(() => new Set<string>())
  devices.forEach((device, i) => device.network.subscribe('vault', message => heard[i]!.add(String(message))))
  for (const device of devices) await connect(device, node)
  const [author, ...others] = heard
  await until(() => others.every(each => each.size > 0), async () => devices[0]!.network.publish('vault', Uint8Array.of(0)))
  const begun = performance.now()
  for (let i = 1; i <= 5; i++) {
    await devices[0]!.network.publish('vault', Uint8Array.of(i))
    await until(() => others.every(each => each.has(String(i))))
  }
  // Whoever is outside the mesh of the node learns of each at a heartbeat, once a second.
  expect(performance.now() - begun).toBeLessThan(1500)
  expect(author).toEqual(new Set())
})

test('ANN-2 fetchBlock takes the network\'s copy even where the own store has a damaged one', async () => {
  const block = await randomBlock(5000)
  const damaged: BlockStore = { ...createMemoryBlockStore(), has: async () => true, get: async () => new Uint8Array(5000) }
  const device = await peers.start({ blocks: damaged })
  const node = await peers.start({ listen: [LOOPBACK] })
  await node.blocks.put([block])
  await connect(device, node)
  expect(await device.network.fetchBlock(block.cid)).toEqual(block.bytes)
})

test('ANN-2 a peer with other bytes than the CID says is never believed', async () => {
  const block = await randomBlock(5000)
  const lying: BlockStore = { ...createMemoryBlockStore(), has: async () => true, get: async () => new Uint8Array(5000) }
  const honest = await peers.start({ listen: [LOOPBACK] })
  const liar = await peers.start({ listen: [LOOPBACK], blocks: lying })
  await honest.blocks.put([block])
  const device = await peers.start({ fetchTimeoutMs: 300 })
  await connect(device, liar)
  await expect(device.network.fetchBlock(block.cid)).rejects.toThrow(named('BlockNotFoundError'))
  const patient = await peers.start()
  await connect(patient, liar)
  await connect(patient, honest)
  expect(await patient.network.fetchBlock(block.cid)).toEqual(block.bytes)
})

test('ANN-2 one unreadable block does not keep a peer from serving the others', async () => {
  const [broken, ...rest] = await Promise.all([1, 2, 3, 4].map(async () => randomBlock(2000)))
  const memory = createMemoryBlockStore()
  const failing: BlockStore = { ...memory, get: async (cid, options) => cid.equals(broken!.cid) ? Promise.reject(new Error('disk error')) : memory.get(cid, options) }
  const node = await peers.start({ listen: [LOOPBACK], blocks: failing })
  await memory.put([broken!, ...rest])
  const device = await peers.start()
  await connect(device, node)
  const [bad, ...good] = await Promise.allSettled([broken!, ...rest].map(async ({ cid }) => device.network.fetchBlock(cid)))
  expect(bad).toMatchObject({ status: 'rejected', reason: named('BlockNotFoundError') })
  expect(good.map(result => result.status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
})

test('ANN-2 a block that a peer lacked, or has sent before, can be asked for again', async () => {
  const block = await randomBlock(2000)
  const node = await peers.start({ listen: [LOOPBACK] })
  // No answer at all would take an hour.
  const device = await peers.start({ fetchTimeoutMs: 3_600_000 })
  await connect(device, node)
  await expect(device.network.fetchBlock(block.cid)).rejects.toThrow(named('BlockNotFoundError'))
  await expect(device.network.fetchBlock(block.cid)).rejects.toThrow(named('BlockNotFoundError'))
  await node.blocks.put([block])
  for (let i = 0; i < 3; i++) expect(await device.network.fetchBlock(block.cid)).toEqual(block.bytes)
})

test('ANN-2 a fetch ends when its time is up, though a peer never answers', async () => {
  const silent: BlockStore = { ...createMemoryBlockStore(), has: async () => new Promise(() => {}) }
  const node = await peers.start({ listen: [LOOPBACK], blocks: silent })
  const clock = createManualClock()
  const device = await peers.start({ clock, fetchTimeoutMs: 20_000 })
  await connect(device, node)
  const fetched = device.network.fetchBlock((await randomBlock(10)).cid)
  clock.advance(19_999)
  const early = await Promise.race([fetched.then(() => 'settled', () => 'settled'), new Promise(resolve => { setImmediate(() => resolve('waiting')) })])
  expect(early).toBe('waiting')
  clock.advance(1)
  await expect(fetched).rejects.toThrow(named('BlockNotFoundError'))
  expect(clock.waiting()).toEqual([])
})

test('ANN-2 the largest block there is comes through', async () => {
  const block = await randomBlock(1 << 20)
  const node = await peers.start({ listen: [LOOPBACK] })
  await node.blocks.put([block])
  const device = await peers.start()
  await connect(device, node)
  expect(await device.network.fetchBlock(block.cid)).toEqual(block.bytes)
  await expect(device.network.fetchBlock((await createBlock(RAW, new Uint8Array(1))).cid.toV1(), { signal: AbortSignal.abort(new Error('not now')) })).rejects.toThrow('not now')
})

test('NODE-2 a node relays between devices it allows, and a device takes only whom it allows', async () => {
  const friends = new Set<string>()
  const node = await peers.start({ listen: [LOOPBACK], relay: true })
  const host = await peers.start({ listen: ['/p2p-circuit'], allowPeer: peer => friends.has(peer) || peer === node.network.peerId })
  const friend = await peers.start()
  const clock = createManualClock()
  const other = await peers.start({ clock })
  friends.add(friend.network.peerId)
  const block = await randomBlock(300_000)
  await host.blocks.put([block])
  await connect(host, node)
  await until(() => host.network.addresses().length > 0)
  const relayed = host.network.addresses()
  expect(relayed[0]).toContain(`${node.network.peerId}/p2p-circuit/p2p/${host.network.peerId}`)

  await connect(friend, node)
  friend.network.keep(relayed)
  await until(() => host.network.connectedPeers().includes(friend.network.peerId))
  // Over the default allowance of a relay, which is 128 KiB: a person's own node has none.
  expect(await friend.network.fetchBlock(block.cid)).toEqual(block.bytes)

  await connect(other, node)
  other.network.keep(relayed)
  await until(() => clock.waiting().length === 1)
  expect(host.network.connectedPeers()).not.toContain(other.network.peerId)
})

test('NODE-2 a node that is no relay relays nothing', async () => {
  const node = await peers.start({ listen: [LOOPBACK] })
  const host = await peers.start({ listen: ['/p2p-circuit'] })
  await connect(host, node)
  expect(host.network.addresses()).toEqual([])
  const clock = createManualClock()
  const other = await peers.start({ clock })
  await connect(other, node)
  other.network.keep(node.network.addresses().map(address => `${address}/p2p-circuit/p2p/${host.network.peerId}`))
  await until(() => clock.waiting().length === 1)
  expect(host.network.connectedPeers()).toEqual([node.network.peerId])
})

test('NODE-2 an address that is taken, or a seed of the wrong size, is an error that says so', async () => {
  const node = await peers.start({ listen: [LOOPBACK] })
  const taken = node.network.addresses()[0]!.replace(/\/p2p\/.*/, '')
  await expect(peers.start({ listen: [taken] })).rejects.toThrow(named('ListenError'))
  await expect(peers.start({ seed: new Uint8Array(31) })).rejects.toThrow(named('InvalidArgumentError'))
})

test('NODE-2 a device is reachable again through a relay that restarted', async () => {
  const node = await peers.start({ listen: [LOOPBACK], relay: true })
  const host = await peers.start({ listen: ['/p2p-circuit'] })
  const friend = await peers.start()
  await connect(host, node)
  await until(() => host.network.addresses().length > 0)
  await connect(friend, node)
  friend.network.keep(host.network.addresses())
  await until(() => friend.network.connectedPeers().includes(host.network.peerId))

  const listen = node.network.addresses().map(address => address.replace(/\/p2p\/.*/, ''))
  await node.network.close()
  await until(() => friend.network.connectedPeers().length === 0 && host.network.connectedPeers().length === 0)
  await peers.start({ seed: node.seed, listen, relay: true })
  await until(() => friend.network.connectedPeers().includes(host.network.peerId))
})

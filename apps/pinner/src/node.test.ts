import { createNetwork } from '@holdfast/network/node'
import { peerIdOfDevice, revokeDevice, type Block, type NodeClient, type VaultId } from '@holdfast/protocol'
import { decodeAnnouncement, encodeAnnouncement } from '@holdfast/roots'
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { collect, createMemoryBlockStore, createTestDevice, createTestAccount, createTestFile, createTestRandom, createTestRoot, createTestVault, idsOf, registrationOf, type TestDevice, type TestRoot } from '../../../test/compliance/node-world.js'
import { startTestNode, type TestNode } from '../../../test/compliance/running-node.js'
import { isLoopback, parseListen } from './listen-address.js'
import { startNode } from './node.js'
import { systemClock } from './system.js'

const random = createTestRandom(13)
const networkOf = async (device: TestDevice, blocks = createMemoryBlockStore()): ReturnType<typeof createNetwork> => createNetwork({ seed: device.seed, listen: [], blocks, allowPeer: () => true, clock: systemClock })

describe('listening', () => {
  test('NODE-1 a network address without TLS or a key of one\'s own is refused', async () => {
    const dataDirectory = '/nonexistent/never-created'
    for (const listen of ['0.0.0.0:0', '[::]:0', '192.168.1.1:0', 'node.example.org:0']) {
      await expect(startNode({ dataDirectory, listen })).rejects.toMatchObject({ name: 'UnprotectedListenError', remedy: expect.stringContaining('TLS') })
    }
    for (const listen of ['4747', 'localhost', 'localhost:99999', 'a b:1', '::1:80', '']) await expect(startNode({ dataDirectory, listen })).rejects.toMatchObject({ name: 'InvalidArgumentError' })
    expect(['127.0.0.1', '127.8.9.1', '::1', 'localhost', '::ffff:127.0.0.1'].map(isLoopback)).toEqual([true, true, true, true, true])
    expect(['0.0.0.0', '::', '10.0.0.1', 'localhost.example.org', '1::1'].map(isLoopback)).toEqual([false, false, false, false, false])
    expect(parseListen('[::1]:80')).toEqual({ host: '::1', port: 80 })
  })
  test('NODE-1 a network address with a key of one\'s own is served', async () => {
    const world = await startTestNode({ listen: '0.0.0.0:0', apiKey: 'a long one', peerListen: [] })
    const port = new URL(world.node.url).port
    expect((await fetch(`http://127.0.0.1:${port}/api/v1/usage`, { headers: { authorization: 'Bearer a long one' } })).status).toBe(200)
    await world.end()
  })
})

describe('state', () => {
  test('NODE-1 a restart keeps the node\'s key and pairings, and makes a new token', async () => {
    const world = await startTestNode()
    const { peerId, pairing, apiKey } = world.node
    const { device } = await world.pairedDevice(random)
    for (const name of ['node-key', 'api-key']) expect((await stat(join(world.directory, name))).mode & 0o777, name).toBe(0o600)
    await chmod(join(world.directory, 'api-key'), 0o644)
    await world.restart()
    expect((await stat(join(world.directory, 'api-key'))).mode & 0o777).toBe(0o600)
    expect(world.node).toMatchObject({ peerId, apiKey })
    expect(world.node.pairing).not.toBe(pairing)
    expect((await world.client(device.seed).describe()).peerId).toBe(peerId)
    const stranger = await createTestDevice(createTestAccount(random), random)
    const client = world.client(stranger.seed)
    await expect(client.pair({ token: pairing, certificate: stranger.certificate })).rejects.toMatchObject({ name: 'UnauthorisedError' })
    await client.pair({ token: world.node.pairing, certificate: stranger.certificate })
    await world.end()
  })
  test('NODE-1 a damaged key file stops the start; a second node on the data is refused', async () => {
    const world = await startTestNode()
    await expect(startNode({ dataDirectory: world.directory, listen: '127.0.0.1:0' })).rejects.toMatchObject({ name: 'StoreLockedError' })
    const key = await readFile(join(world.directory, 'node-key'), 'utf8')
    await world.node.stop()
    await writeFile(join(world.directory, 'node-key'), 'short')
    await expect(startNode({ dataDirectory: world.directory, listen: '127.0.0.1:0' })).rejects.toMatchObject({ name: 'CorruptBlockError' })
    await writeFile(join(world.directory, 'node-key'), key)
    await world.restart()
    await world.end()
  })
})

describe('damage', () => {
  const packs = async (directory: string): Promise<string[]> => (await readdir(join(directory, 'blocks', 'packs'))).map(name => join(directory, 'blocks', 'packs', name))
  const receipted = async (): Promise<{ world: TestNode, client: NodeClient, vault: VaultId, made: TestRoot }> => {
    const world = await startTestNode({ peerListen: [] })
    const { device, client } = await world.pairedDevice(random)
    const vault = createTestVault(random)
    await client.registerVault(registrationOf(device, vault))
    const made = await createTestRoot(device, vault, [await createTestFile(random, [5_000, 6_000])], { counter: 1 })
    await client.putBlocks(made.blocks)
    await client.putRecord(device.head, made.record)
    expect(await client.receipt(vault, made.root.cid)).toHaveProperty('receipt')
    await world.node.stop()
    return { world, vault, made, get client () { return world.client(device.seed) } }
  }
  /** As a device does it. */
  const bringBack = async (client: NodeClient, vault: VaultId, made: TestRoot): Promise<number> => {
    for (let sent = 0; ;) {
      const answer = await client.receipt(vault, made.root.cid)
      if ('receipt' in answer) return sent
      const wanted = new Set(idsOf(answer.missing.map(cid => ({ cid }))))
      await client.putBlocks(made.blocks.filter(block => wanted.has(block.cid.toString())))
      sent += wanted.size
    }
  }
  test('NODE-4 with a pack gone no receipt is given, the lost blocks are named and can be brought again', async () => {
    const node = await receipted()
    for (const pack of await packs(node.world.directory)) await rm(pack)
    await node.world.restart()
    const { client, vault, made } = node
    expect(await client.receipt(vault, made.root.cid)).toHaveProperty('missing')
    expect(await bringBack(client, vault, made)).toBe(made.blocks.length)
    expect(idsOf(await collect(client.getBlocks(made.blocks.map(block => block.cid))))).toEqual(idsOf(made.blocks))
    await node.world.end()
    expect(node.world.errors.map(String)).toContainEqual(expect.stringContaining('damaged or missing'))
  })
  test('NODE-4 CHK-3 a block that rots is not served and no longer receipted; an upload replaces it', async () => {
    const node = await receipted()
    const { vault, made } = node
    const victim = made.blocks.find(block => block.bytes.length === 5_000)!
    for (const pack of await packs(node.world.directory)) {
      const bytes = await readFile(pack)
      const at = bytes.indexOf(victim.bytes)
      if (at < 0) continue
      bytes[at + 100]! ^= 1
      await writeFile(pack, bytes)
    }
    await node.world.restart()
    const { client } = node
    expect(idsOf(await collect(client.getBlocks(made.blocks.map(block => block.cid))))).toEqual(idsOf(made.blocks.filter(block => block !== victim)))
    expect((await node.world.operator(`/ipfs/${victim.cid.toString()}?format=raw`)).status).toBe(404)
    expect(await client.receipt(vault, made.root.cid)).toEqual({ missing: [victim.cid] })
    expect(await bringBack(client, vault, made)).toBe(1)
    expect(idsOf(await collect(client.getBlocks([victim.cid])))).toEqual(idsOf([victim]))
    await node.world.end()
  })
})

describe('peers', () => {
  test('ANN-1 a restart listens on the same peer ports, and on others when those are taken', async () => {
    const world = await startTestNode()
    const addresses = world.node.addresses().toSorted()
    expect(addresses).toHaveLength(2)
    await world.restart()
    expect(world.node.addresses().toSorted()).toEqual(addresses)
    await world.node.stop()
    const squatter = createServer()
    const port = Number(/\/tcp\/(\d+)/.exec(addresses[0]!)![1])
    await new Promise<void>(resolve => { squatter.listen({ host: '127.0.0.1', port }, resolve) })
    await world.restart()
    const others = world.node.addresses().toSorted()
    expect(others).toHaveLength(2)
    expect(others).not.toContain(addresses[0])
    await writeFile(join(world.directory, 'peer-ports'), 'tcp 99999\nws nonsense\n')
    await world.restart()
    expect(world.node.addresses()).toHaveLength(2)
    await world.end()
    await new Promise(resolve => { squatter.close(resolve) })
  })
  test('ANN-1 HEAD-2 an announcement is stored by the node, relayed, and receipted over HTTP', async () => {
    const world = await startTestNode()
    const { device, client } = await world.pairedDevice(random)
    const second = await createTestDevice(device.account, random)
    const other = world.client(second.seed)
    await other.pair({ certificate: second.certificate })
    const vault = createTestVault(random)
    const registration = registrationOf(device, vault)
    await client.registerVault(registration)
    await other.registerVault(registrationOf(second, vault))

    const [mine, theirs] = await Promise.all([networkOf(device), networkOf(second)])
    const heard: string[] = []
    theirs.subscribe(registration.topic, message => { void decodeAnnouncement(message).then(({ head }) => heard.push(head)) })
    mine.subscribe(registration.topic, () => undefined)
    mine.keep(world.node.addresses())
    theirs.keep(world.node.addresses())
    const made = await createTestRoot(device, vault, [await createTestFile(random, [500])], { counter: 1 })
    const announcement = encodeAnnouncement({ head: device.head, record: made.record, blocks: made.blocks })
    await vi.waitFor(async () => {
      await mine.publish(registration.topic, announcement)
      expect(heard).toContain(device.head)
      expect(await client.getRecord(device.head)).toEqual(made.record)
    }, { timeout: 15_000, interval: 100 })
    expect(await client.receipt(vault, made.root.cid)).toHaveProperty('receipt')

    // Over HTTP alone: the node tells the peers.
    heard.length = 0
    const next = await createTestRoot(second, vault, [], { counter: 1, others: made.vector })
    await other.putBlocks(next.blocks)
    mine.subscribe(registration.topic, message => { void decodeAnnouncement(message).then(({ head }) => heard.push(head)) })
    await other.putRecord(second.head, next.record)
    await vi.waitFor(() => { expect(heard).toContain(second.head) }, { timeout: 15_000 })

    await Promise.all([mine.close(), theirs.close()])
    await world.end()
    expect(world.errors).toEqual([])
  })
  test('ANN-1 a root too large to come along is fetched from the announcing device', async () => {
    const world = await startTestNode()
    const { device, client } = await world.pairedDevice(random)
    const vault = createTestVault(random)
    const registration = registrationOf(device, vault)
    await client.registerVault(registration)
    const blocks = createMemoryBlockStore()
    const made = await createTestRoot(device, vault, [], { counter: 1 })
    await blocks.put(made.blocks)
    const network = await networkOf(device, blocks)
    network.subscribe(registration.topic, () => undefined)
    network.keep(world.node.addresses())
    await vi.waitFor(async () => {
      await network.publish(registration.topic, encodeAnnouncement({ head: device.head, record: made.record, blocks: [] as Block[] }))
      expect(await client.getRecord(device.head)).toEqual(made.record)
    }, { timeout: 15_000, interval: 200 })
    await network.close()
    await world.end()
    expect(world.errors).toEqual([])
  })
  test('NODE-2 a peer that nobody paired, or that was revoked, is not served', async () => {
    const world = await startTestNode()
    const { device, client } = await world.pairedDevice(random)
    const stranger = await createTestDevice(createTestAccount(random), random)
    const outside = await networkOf(stranger)
    outside.keep(world.node.addresses())
    const second = await createTestDevice(device.account, random)
    await world.client(second.seed).pair({ certificate: second.certificate })
    const lost = await networkOf(second)
    lost.keep(world.node.addresses())
    await vi.waitFor(() => { expect(lost.connectedPeers()).toContain(world.node.peerId) }, { timeout: 15_000 })
    const [block] = (await createTestFile(random, [10])).chunks
    await client.putBlocks([block!])
    expect(await lost.fetchBlock(block!.cid)).toEqual(block!.bytes)
    await expect(outside.fetchBlock(block!.cid, { signal: AbortSignal.timeout(2_000) })).rejects.toThrow()
    await client.revoke(await revokeDevice(device.account.signer, second.id, 2))
    await vi.waitFor(() => { expect(lost.connectedPeers()).not.toContain(world.node.peerId) }, { timeout: 15_000 })
    expect(peerIdOfDevice(second.id)).toBe(lost.peerId)
    await Promise.all([outside.close(), lost.close()])
    await world.end()
    expect(world.errors).toEqual([])
  })
})

import { createNetwork } from '@holdfast/network/node'
import { createNodeClient } from '@holdfast/node-client'
import { blockId, createBlock, RAW, type Block, type Clock, type NodeClient } from '@holdfast/protocol'
import { createMemoryBlockStore } from '@holdfast/storage-memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestWorld, damaged, names, read, save, type TestDevice, type TestWorld } from '../../packages/engine/src/world.test-support.js'
import { collect } from '../compliance/node-world.js'
import { startTestNode, type TestNode } from '../compliance/running-node.js'

/** Real nodes, over real HTTP and libp2p. */
const systemClock: Clock = {
  now: () => Date.now(),
  schedule (ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => { clearTimeout(timer) }
  }
}

let node: TestNode
let world: TestWorld

beforeEach(async () => {
  node = await startTestNode()
  world = createTestWorld({ nodes: 0 })
})
afterEach(async () => node.end())

/** A device that reaches the node through `through`. */
async function join (through: typeof fetch = fetch): Promise<TestDevice> {
  let seed = new Uint8Array(32)
  const device = await world.device({ components: { connectNode: url => createNodeClient({ url, seed, fetch: through }) } })
  seed = new Uint8Array(device.keys.seed)
  await device.engine.addNode(node.node.url, { token: await node.node.newPairingToken() })
  return device
}

/** Changes what comes back for requests to this path. */
const tampering = (path: string, change: (bytes: Uint8Array) => Uint8Array): typeof fetch => async (input, init) => {
  const response = await fetch(input, init)
  const url = input instanceof Request ? input.url : input.toString()
  if (!url.endsWith(path) || !response.ok) return response
  return new Response(change(new Uint8Array(await response.arrayBuffer())) as BodyInit, { status: response.status, headers: response.headers })
}

const someBlock = async (text: string): Promise<Block> => createBlock(RAW, new TextEncoder().encode(text))

describe('a node that answers with something else', () => {
  it.each<[string, (bytes: Uint8Array) => Uint8Array, string]>([
    ['other bytes for a block', damaged, 'corrupt'],
    ['something that is no CAR', () => new TextEncoder().encode('<html>Please log in</html>'), 'corrupt'],
    ['a CAR that breaks off', bytes => bytes.subarray(0, bytes.length - 20), 'corrupt'],
    ['nothing', () => new Uint8Array(), 'corrupt']
  ])('ANN-2 %s is refused, nothing changes, and the truth is taken later', async (_, change, family) => {
    let lies = false
    const honest = await join()
    const victim = await join(async (input, init) => (lies ? tampering('/api/v1/blocks', change) : fetch)(input, init))
    await save(honest, world.clock, 'file', 'contents')
    await honest.engine.sync()
    const before = victim.body()
    lies = true
    const report = await victim.engine.sync()
    expect(report.failures.map(failure => failure.family)).toEqual([family])
    expect(report.failures[0]!.remedy).toMatch(/[.]$/)
    expect(victim.body()).toBe(before)
    expect(names(victim)).toEqual([])
    lies = false
    expect(await victim.engine.sync()).toMatchObject({ settled: true, failures: [] })
    expect(await read(victim, 'file')).toBe('contents')
  })
})

describe('a device that says something else', () => {
  it('ANN-2 a block whose CID is another\'s is refused over HTTP, and the node keeps nothing of it', async () => {
    const { client } = await node.pairedDevice(world.random)
    const [good, other] = [await someBlock('good'), await someBlock('other')]
    await expect(client.putBlocks([{ cid: good.cid, bytes: other.bytes }])).rejects.toMatchObject({ name: 'CorruptBlockError', family: 'corrupt' })
    await expect(client.putBlocks([good, { cid: other.cid, bytes: damaged(other.bytes) }])).rejects.toMatchObject({ family: 'corrupt' })
    expect((await collect(client.getBlocks([other.cid]))).map(block => blockId(block.cid))).toEqual([])
    await client.putBlocks([good, other])
    expect(await collect(client.getBlocks([good.cid, other.cid]))).toHaveLength(2)
  })
})

describe('a stranger', () => {
  it('NODE-1 is told by every call over HTTP that it is not paired, and gets nothing', async () => {
    const { client } = await node.pairedDevice(world.random)
    const block = await someBlock('secret')
    await client.putBlocks([block])
    const stranger = node.client(world.random.bytes(32))
    const vault = '0'.repeat(32) as never
    const calls: [string, (asked: NodeClient) => Promise<unknown>][] = [
      ['describe', async asked => asked.describe()],
      ['heads', async asked => asked.heads(vault)],
      ['getBlocks', async asked => collect(asked.getBlocks([block.cid]))],
      ['putBlocks', async asked => asked.putBlocks([block])],
      ['receipt', async asked => asked.receipt(vault, block.cid)],
      ['usage', async asked => asked.usage()],
      ['putRecord', async asked => asked.putRecord('k51qzi5uqu5djuaao16gcmnomogypa7wwe9taz6pntmt7lembr1e7ka9snpj97' as never, new Uint8Array(9))],
      ['registerVault', async asked => asked.registerVault({ vault, topic: 'x', head: 'k51qzi5uqu5djuaao16gcmnomogypa7wwe9taz6pntmt7lembr1e7ka9snpj97' as never, headKey: new Uint8Array(32) })]
    ]
    for (const [name, call] of calls) await expect(call(stranger), name).rejects.toMatchObject({ name: 'UnauthorisedError', family: 'unauthorised', remedy: expect.stringContaining('holdfast pair') as string })
    for (const path of [`/ipfs/${block.cid.toString()}?format=raw`, '/api/v0/pin/ls', `/api/v0/block/get?arg=${block.cid.toString()}`, '/metrics']) {
      const answer = await fetch(node.node.url + path, { method: path.startsWith('/api') ? 'POST' : 'GET' })
      expect(answer.status, path).toBe(401)
      expect(await answer.text(), path).not.toContain('secret')
    }
  })

  it('NODE-2 is served nothing over libp2p; the device that paired is', async () => {
    const { device, client } = await node.pairedDevice(world.random)
    const block = await someBlock('secret')
    await client.putBlocks([block])
    const networks = await Promise.all([device.seed, world.random.bytes(32)].map(async seed =>
      createNetwork({ seed, listen: [], blocks: createMemoryBlockStore(), allowPeer: () => true, clock: systemClock, fetchTimeoutMs: 1_500 })))
    const [paired, stranger] = networks as [typeof networks[0], typeof networks[0]]
    try {
      const heard: unknown[] = []
      stranger.subscribe('topic', message => heard.push(message))
      for (const network of networks) network.keep(node.node.addresses())
      await vi.waitFor(() => { expect(paired.connectedPeers()).toHaveLength(1) }, { timeout: 10_000 })
      expect(await paired.fetchBlock(block.cid)).toEqual(block.bytes)
      await expect(stranger.fetchBlock(block.cid)).rejects.toMatchObject({ name: 'BlockNotFoundError', family: 'retryable' })
      expect(stranger.connectedPeers()).toEqual([])
      expect(heard).toEqual([])
      // The node goes on for those it knows.
      expect(await paired.fetchBlock(block.cid)).toEqual(block.bytes)
    } finally { for (const network of networks) await network.close() }
  })
})

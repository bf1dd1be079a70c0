import type { NetworkOptions } from '@holdfast/network'
import { createNetwork } from '@holdfast/network/node'
import type { Clock } from '@holdfast/protocol'
import { createMemoryBlockStore } from '@holdfast/storage-memory'
import { networkCompliance, type CompliancePeer, type ComplianceWorld } from './network.js'

const clock: Clock = {
  now: () => Date.now(),
  schedule (ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  }
}

/** Real sockets on loopback. */
async function createLoopback (address: string): Promise<ComplianceWorld> {
  const strangers = new Set<string>()
  const started = new Map<CompliancePeer, NetworkOptions>()

  const start = async (options: NetworkOptions): Promise<CompliancePeer> => {
    const network = await createNetwork(options)
    const peer = { network, blocks: options.blocks, addresses: () => network.addresses() }
    started.set(peer, options)
    return peer
  }

  return {
    async start ({ node = false, stranger = false } = {}) {
      const seed = crypto.getRandomValues(new Uint8Array(32))
      const peer = await start({ seed, listen: node ? [address] : [], relay: node, blocks: createMemoryBlockStore(), clock, allowPeer: id => !strangers.has(id) })
      if (stranger) strangers.add(peer.network.peerId)
      return peer
    },
    async restart (peer) {
      const listen = peer.addresses().map(each => each.replace(/\/p2p\/.*/, ''))
      await peer.network.close()
      return start({ ...started.get(peer)!, listen })
    },
    async until (condition, meanwhile) {
      const deadline = Date.now() + 20_000
      while (!condition()) {
        if (Date.now() > deadline) throw new Error(`never came true: ${condition.toString()}`)
        await meanwhile?.()
        await new Promise(resolve => { setTimeout(resolve, 5) })
      }
    },
    async close () { await Promise.all([...started.keys()].map(async ({ network }) => network.close())) }
  }
}

networkCompliance('libp2p over TCP', async () => createLoopback('/ip4/127.0.0.1/tcp/0'))
networkCompliance('libp2p over WebSocket', async () => createLoopback('/ip4/127.0.0.1/tcp/0/ws'))

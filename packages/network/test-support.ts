import { createMemoryBlockStore } from '@holdfast/storage-memory'
import { createBlock, RAW, type Block, type BlockStore, type Clock } from '@holdfast/protocol'
import { createNetwork } from './src/node.js'
import type { Libp2pNetwork, NetworkOptions } from './src/options.js'

export const systemClock: Clock = {
  now: () => Date.now(),
  schedule (ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  }
}

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Clock { advance (ms: number): void, waiting (): number[] }

export function createManualClock (): ManualClock {
  let now = 0
  const timers = new Set<{ at: number, callback: () => void }>()
  return {
    now: () => now,
    schedule (ms, callback) {
      const timer = { at: now + ms, callback }
      timers.add(timer)
      return () => { timers.delete(timer) }
    },
    advance (ms) {
      now += ms
      for (const timer of [...timers].filter(({ at }) => at <= now).toSorted((a, b) => a.at - b.at)) {
        if (timers.delete(timer)) timer.callback()
      }
    },
    /** How long each timer still has, shortest first. */
    waiting: () => [...timers].map(({ at }) => at - now).toSorted((a, b) => a - b)
  }
}

/** Resolves once the condition holds; `meanwhile` runs at each look. Rejects after ten seconds. */
export async function until (condition: () => boolean, meanwhile: () => unknown = () => {}): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never came true: ${condition.toString()}`)
    await meanwhile()
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
}

/** A block of `size` bytes that is like no other. */
export async function randomBlock (size: number): Promise<Block> {
  const bytes = new Uint8Array(size)
  crypto.getRandomValues(bytes.subarray(0, 32))
  return createBlock(RAW, bytes)
}

export interface TestPeer { network: Libp2pNetwork, blocks: BlockStore, seed: Uint8Array }

export interface TestPeers {
  start (options?: Partial<NetworkOptions>): Promise<TestPeer>
  /** Everything that is still open. */
  close (): Promise<void>
}

export const LOOPBACK = '/ip4/127.0.0.1/tcp/0'

export function createTestPeers (): TestPeers {
  const started: TestPeer[] = []
  return {
    async start (options = {}) {
      const seed = options.seed ?? crypto.getRandomValues(new Uint8Array(32))
      const blocks = options.blocks ?? createMemoryBlockStore()
      const network = await createNetwork({ listen: [], allowPeer: () => true, clock: systemClock, ...options, seed, blocks })
      const peer = { network, blocks, seed }
      started.push(peer)
      return peer
    },
    async close () { await Promise.all(started.splice(0).map(async ({ network }) => network.close())) }
  }
}

export async function connect (from: TestPeer, to: TestPeer): Promise<void> {
  from.network.keep(to.network.addresses())
  await until(() => from.network.connectedPeers().includes(to.network.peerId) && to.network.connectedPeers().includes(from.network.peerId))
}

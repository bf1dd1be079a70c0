import { BlockNotFoundError, UnreachableError, type Block, type BlockStore, type Network, type NodeClient } from '@holdfast/protocol'
import { CrashedError } from './crash-stores.js'
import type { Seeded } from './seeded.js'
import type { VirtualClock } from './virtual-clock.js'

export interface Weather {
  /** Milliseconds that a message takes, at least and at most: more than one in flight arrive in another order. */
  delay: readonly [number, number]
  /** Chance that a gossip message is lost, and that it comes twice. */
  drop: number
  repeat: number
  /** Chance that a request to a node fails: before it arrives, or after it was carried out. */
  fail: number
}

export const CALM: Weather = { delay: [1, 5], drop: 0, repeat: 0, fail: 0 }

/** Everyone's connections. Two parties reach each other when both are up and no partition is between them. */
export interface SimNetwork {
  weather: Weather
  /** Groups that cannot reach one another; empty: everyone reaches everyone. */
  partition (groups: readonly (readonly string[])[]): void
  setUp (name: string, up: boolean): void
  reaches (a: string, b: string): boolean
  /** A party's Network port. It says nothing any more once the party has left, or joined again after a crash. */
  join (name: string, blocks: () => BlockStore): Network
  leave (name: string): void
  /** A node as this party reaches it: each call travels, and may fail on either way. */
  client (from: string, to: string, node: () => NodeClient): NodeClient
}

interface Party { subscriptions: Map<string, Set<(message: Uint8Array, from: string) => void>>, peerListeners: Set<(event: { peer: string, connected: boolean }) => void>, blocks: () => BlockStore }

export function createSimNetwork (clock: VirtualClock, random: Seeded): SimNetwork {
  const parties = new Map<string, Party>()
  const down = new Set<string>()
  let groups: readonly (readonly string[])[] = []

  const groupOf = (name: string): number => groups.findIndex(group => group.includes(name))
  const reaches = (a: string, b: string): boolean => parties.has(a) && parties.has(b) && !down.has(a) && !down.has(b) && (groups.length === 0 || groupOf(a) === groupOf(b))
  const travel = (): number => { const [least, most] = network.weather.delay; return least + random.next() * (most - least) }

  function withConnectionEvents (change: () => void): void {
    const names = [...parties.keys()]
    const before = new Set(names.flatMap(a => names.filter(b => a !== b && reaches(a, b)).map(b => `${a} ${b}`)))
    change()
    for (const a of names) {
      for (const b of names) {
        if (a === b) continue
        const connected = reaches(a, b)
        if (connected === before.has(`${a} ${b}`)) continue
        clock.schedule(travel(), () => { for (const listener of parties.get(a)?.peerListeners ?? []) listener({ peer: b, connected }) })
      }
    }
  }

  function deliver (from: string, to: string, topic: string, message: Uint8Array): void {
    if (random.chance(network.weather.drop)) return
    const copies = random.chance(network.weather.repeat) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      clock.schedule(travel(), () => {
        if (!reaches(from, to)) return
        for (const listener of parties.get(to)?.subscriptions.get(topic) ?? []) listener(message, from)
      })
    }
  }

  async function call<T> (from: string, to: string, work: () => Promise<T>): Promise<T> {
    await clock.sleep(travel())
    if (!reaches(from, to) || random.chance(network.weather.fail / 2)) throw new UnreachableError(to)
    const result = await work().catch(error => { throw error instanceof CrashedError ? new UnreachableError(to, { cause: error }) : error })
    await clock.sleep(travel())
    if (!reaches(from, to) || random.chance(network.weather.fail / 2)) throw new UnreachableError(to)
    return result
  }

  const network: SimNetwork = {
    weather: CALM,
    partition (next) { withConnectionEvents(() => { groups = next }) },
    setUp (name, up) { withConnectionEvents(() => { if (up) down.delete(name); else down.add(name) }) },
    reaches,
    join (name, blocks) {
      const party: Party = { subscriptions: new Map(), peerListeners: new Set(), blocks }
      withConnectionEvents(() => { parties.set(name, party) })
      return partyNetwork(name, party)
    },
    leave (name) { withConnectionEvents(() => { parties.delete(name) }) },
    client (from, to, node) {
      const mine = parties.get(from)
      return travellingClient(node, async work => {
        if (mine === undefined || parties.get(from) !== mine) throw new UnreachableError(to)
        return call(from, to, work)
      }, `sim://${to}`)
    }
  }

  function partyNetwork (name: string, party: Party): Network {
    const others = (): string[] => [...parties.keys()].filter(other => other !== name && reaches(name, other))
    return {
      peerId: name,
      keep: () => undefined,
      forget: () => undefined,
      connectedPeers: others,
      subscribe (topic, onMessage) {
        const set = party.subscriptions.get(topic) ?? new Set()
        party.subscriptions.set(topic, set.add(onMessage))
        return () => { set.delete(onMessage) }
      },
      async publish (topic, message) { if (parties.get(name) === party) for (const other of others()) deliver(name, other, topic, message) },
      onPeer (listener) {
        party.peerListeners.add(listener)
        return () => { party.peerListeners.delete(listener) }
      },
      async fetchBlock (cid) {
        for (const other of parties.get(name) === party ? others() : []) {
          try {
            return await call(name, other, async () => parties.get(other)!.blocks().get(cid))
          } catch { /* this peer has no such block, went away or crashed: the next one is asked */ }
        }
        throw new BlockNotFoundError(cid.toString())
      },
      async close () { if (parties.get(name) === party) parties.delete(name) }
    }
  }

  return network
}

type Call = <T>(work: () => Promise<T>) => Promise<T>

function travellingClient (node: () => NodeClient, call: Call, url: string): NodeClient {
  return {
    url,
    describe: async options => call(async () => node().describe(options)),
    pair: async (request, options) => call(async () => node().pair(request, options)),
    revoke: async (revocation, options) => call(async () => node().revoke(revocation, options)),
    registerVault: async (registration, options) => call(async () => node().registerVault(registration, options)),
    registerEnvelope: async (name, options) => call(async () => node().registerEnvelope(name, options)),
    heads: async (vault, options) => call(async () => node().heads(vault, options)),
    async putBlocks (blocks, options) {
      // Blocks travel one request for a few, so that an upload can break off in the middle.
      let batch: Block[] = []
      const send = async (): Promise<void> => { const sent = batch; batch = []; await call(async () => node().putBlocks(sent, options)) }
      for await (const block of blocks) {
        batch.push(block)
        if (batch.length >= 8) await send()
      }
      if (batch.length > 0) await send()
    },
    async * getBlocks (cids, options) {
      yield * await call(async () => {
        const found: Block[] = []
        for await (const block of node().getBlocks(cids, options)) found.push(block)
        return found
      })
    },
    putRecord: async (name, record, options) => call(async () => node().putRecord(name, record, options)),
    getRecord: async (name, options) => call(async () => node().getRecord(name, options)),
    receipt: async (vault, root, options) => call(async () => node().receipt(vault, root, options)),
    usage: async options => call(async () => node().usage(options)),
    close: async () => undefined
  }
}

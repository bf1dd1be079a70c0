import { createSigner, webPrimitives } from '@holdfast/crypto'
import { createDevice, generateRootKey, openAccount, type Account, type DeviceKeys } from '@holdfast/identity'
import {
  blockId, blockLinks, BlockNotFoundError, checkBlock, parseCid, peerIdOfKey, ROOT_ENTRY, signReceipt, UnreachableError,
  type BlockId, type BlockStore, type Clock, type DeviceCertificate, type EntryId, type HeadName, type NodeClient, type Random, type RecordStore
} from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { createEngine, type Engine, type EngineComponents, type EngineEvent } from './index.js'

/** Whole engines on stores in memory, for tests: real keys, signatures and formats; a node of a few lines. */

/** Reproducible bytes (mulberry32). */
export function createTestRandom (seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  return { bytes: length => Uint8Array.from({ length }, () => next() & 0xff) }
}

/** Time that a test moves by hand. Timers fire when they are due, in order. */
export interface TestClock extends Clock { advance (ms: number): void }

export function createTestClock (start = Date.UTC(2030, 0, 1)): TestClock {
  let now = start
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
      for (const timer of [...timers].filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)) { timers.delete(timer); timer.callback() }
    }
  }
}

/** What a test's disk holds, and a hook that may make a write fail. */
export interface TestDisk {
  readonly blocks: BlockStore
  readonly records: RecordStore
  readonly held: Map<BlockId, Uint8Array>
  /** Called before every write; what it throws is what the write throws. */
  beforeWrite: (what: 'put' | 'flush' | 'delete' | 'record') => void
  /** A disk with the same contents, as from a backup. */
  copy (): TestDisk
}

export function createTestDisk (held = new Map<BlockId, Uint8Array>(), kept = new Map<string, Uint8Array>()): TestDisk {
  const disk: TestDisk = {
    held,
    beforeWrite: () => undefined,
    copy: () => createTestDisk(new Map(held), new Map(kept)),
    blocks: {
      has: async cid => held.has(blockId(cid)),
      async get (cid) {
        const bytes = held.get(blockId(cid))
        if (bytes === undefined) throw new BlockNotFoundError(cid.toString())
        return bytes
      },
      async put (blocks) { disk.beforeWrite('put'); for (const { cid, bytes } of blocks) held.set(blockId(cid), bytes) },
      async delete (cids) { disk.beforeWrite('delete'); for (const cid of cids) held.delete(blockId(cid)) },
      async * list () { yield * [...held.keys()].map(parseCid) },
      async flush () { disk.beforeWrite('flush') },
      async close () { /* memory */ }
    },
    records: {
      get: async key => kept.get(key),
      async write (changes) {
        disk.beforeWrite('record')
        for (const { key, value } of changes) if (value === undefined) kept.delete(key); else kept.set(key, value)
      },
      async * range ({ prefix, after, reverse, limit }) {
        const keys = [...kept.keys()].filter(key => key.startsWith(prefix) && (after === undefined || (reverse === true ? key < after : key > after))).sort()
        if (reverse === true) keys.reverse()
        for (const key of keys.slice(0, limit)) yield [key, kept.get(key)!] as const
      },
      async close () { /* memory */ }
    }
  }
  return disk
}

/** A node that keeps what it is given, and answers as it is told to. */
export interface TestNode {
  readonly url: string
  readonly held: Map<BlockId, Uint8Array>
  readonly heads: Map<HeadName, { device: string, record: Uint8Array | null }>
  /** What it was sent, for counting. */
  readonly received: BlockId[]
  reachable: boolean
  /** Laid over the honest answers. */
  sabotage: Partial<NodeClient>
  client (): NodeClient
}

export function createTestNode (name: string, clock: Clock): TestNode {
  const signer = createSigner(createTestRandom(name.length + 77).bytes(32))
  const description = { peerId: peerIdOfKey(signer.publicKey), version: 'test', addresses: [] }
  const held: TestNode['held'] = new Map()
  const heads: TestNode['heads'] = new Map()
  const received: BlockId[] = []
  const honest: Omit<NodeClient, 'url'> = {
    describe: async () => description,
    pair: async () => description,
    revoke: async () => undefined,
    async registerVault ({ head }) { if (!heads.has(head)) heads.set(head, { device: head, record: null }) },
    registerEnvelope: async () => undefined,
    heads: async () => [...heads].map(([head, { device, record }]) => ({ head, device, record })),
    async putBlocks (blocks) { for await (const { cid, bytes } of blocks) { received.push(blockId(cid)); held.set(blockId(cid), bytes) } },
    async * getBlocks (cids) {
      for (const cid of cids) {
        const bytes = held.get(blockId(cid))
        if (bytes !== undefined) yield checkBlock(cid, bytes)
      }
    },
    async putRecord (head, record) { heads.set(head, { device: head, record }) },
    getRecord: async head => heads.get(head)?.record ?? null,
    async receipt (vault, root) {
      const missing = missingUnder(held, root)
      return missing.length > 0 ? { missing } : { receipt: await signReceipt(signer, { vault, root, at: clock.now() }) }
    },
    usage: async () => ({ usedBytes: 0, quotaBytes: null, blocks: held.size, vaults: [] }),
    close: async () => undefined
  }
  const node: TestNode = {
    url: `test://${name}`, held, heads, received, reachable: true, sabotage: {},
    client: () => new Proxy({ url: node.url, ...honest }, {
      get (target, property, receiver) {
        if (property === 'url' || property === 'close') return Reflect.get(target, property, receiver) as unknown
        if (!node.reachable) return property === 'getBlocks' ? () => unreachable(node.url) : async () => { throw new UnreachableError(node.url) }
        return Reflect.get(node.sabotage, property) ?? Reflect.get(target, property, receiver) as unknown
      }
    })
  }
  return node
}

function missingUnder (held: ReadonlyMap<BlockId, Uint8Array>, root: CID): CID[] {
  const missing: CID[] = []
  const seen = new Set<BlockId>()
  const queue = [root]
  for (let cid = queue.pop(); cid !== undefined; cid = queue.pop()) {
    if (seen.has(blockId(cid))) continue
    seen.add(blockId(cid))
    const bytes = held.get(blockId(cid))
    if (bytes === undefined) missing.push(cid)
    else queue.push(...blockLinks({ cid, bytes }))
  }
  return missing
}

export interface TestDevice {
  readonly keys: DeviceKeys & { readonly certificate: DeviceCertificate }
  readonly engine: Engine
  readonly disk: TestDisk
  readonly events: EngineEvent[]
  /** Names of the errors that the engine told of by itself. */
  errors (): string[]
  body (): string
  /** Stops, and opens again, on the same disk or another. */
  restart (disk?: TestDisk): Promise<TestDevice>
}

export interface TestWorld {
  readonly clock: TestClock
  readonly account: Account
  readonly random: Random
  readonly nodes: TestNode[]
  /** Another device of the account, paired with all nodes unless told otherwise. */
  device (options?: { paired?: boolean, disk?: TestDisk, components?: Partial<EngineComponents> }): Promise<TestDevice>
}

/** One person, `nodes` nodes, and devices as a test asks for them. No engine is started: what happens, a test makes happen. */
export function createTestWorld ({ seed = 1, nodes = 1 }: { seed?: number, nodes?: number } = {}): TestWorld {
  const clock = createTestClock()
  const random = createTestRandom(seed)
  const account = openAccount(generateRootKey(random))
  const all = Array.from({ length: nodes }, (_, i) => createTestNode(`node-${i}`, clock))

  async function open (keys: TestDevice['keys'], disk: TestDisk, components: Partial<EngineComponents> = {}): Promise<TestDevice> {
    const engine = await createEngine({
      blocks: disk.blocks, records: disk.records, network: null, clock, random, primitives: webPrimitives, account, device: keys,
      connectNode: url => all.find(node => node.url === url)!.client(), ...components
    })
    const events: EngineEvent[] = []
    engine.on(event => { events.push(event) })
    return {
      keys, engine, disk, events,
      errors: () => events.flatMap(event => event.type === 'error' ? [event.error.name] : []),
      body: () => engine.status().vaults[0]!.body,
      restart: async (other = disk) => { await engine.stop(); return open(keys, other, components) }
    }
  }
  return {
    clock, account, random, nodes: all,
    async device ({ paired = true, disk = createTestDisk(), components } = {}) {
      const device = await open(await createDevice(account, random, clock.now()), disk, components)
      if (paired) for (const node of all) await device.engine.addNode(node.url)
      return device
    }
  }
}

/** Rounds until every device has heard of every other; the text merges are done by then. */
export async function syncAll (...devices: readonly TestDevice[]): Promise<void> {
  for (let round = 0; round < 3; round++) for (const { engine } of devices) await engine.sync()
}

/** Saves a file in the vault's root, after the versions that are shown there. */
export async function save ({ engine: { vault }, keys }: TestDevice, clock: Clock, name: string, data: string | Uint8Array): Promise<EntryId> {
  const bytes = typeof data === 'string' ? bytesOf(data) : data
  const existing = vault.index.lookup(`/${name}`)
  const previous = existing?.content.kind !== 'file' ? [] : existing.versions.map(({ node, key }) => ({ node, key }))
  const facts = { previous, modified: 1_900_000_000_000, mode: 0o644, by: keys.id, at: clock.now() }
  const { sealed, fresh, inline } = await vault.prepare([bytes], { ...facts, size: bytes.length })
  return vault.transact(transaction => {
    transaction.bring({ node: sealed.ref.node, fresh, inline })
    const content = { kind: 'file' as const, stamp: transaction.stamp(), modified: facts.modified, mode: facts.mode, size: sealed.size, digest: sealed.digest, node: sealed.ref.node, key: sealed.ref.key, alternates: [] }
    if (existing === undefined) return transaction.create(ROOT_ENTRY, name, content)
    transaction.content(existing.id, content)
    return existing.id
  })
}

export async function readBytes ({ engine: { vault } }: TestDevice, name: string): Promise<Uint8Array> {
  const content = vault.index.lookup(`/${name}`)?.content
  if (content?.kind !== 'file') throw new Error(`no file ${name}`)
  const parts: Uint8Array[] = []
  for await (const part of (await vault.open(content)).read()) parts.push(part)
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  parts.reduce((at, part) => { bytes.set(part, at); return at + part.length }, 0)
  return bytes
}

export const read = async (device: TestDevice, name: string): Promise<string> => new TextDecoder().decode(await readBytes(device, name))

/** Names in the vault's root. */
export const names = ({ engine: { vault } }: TestDevice): string[] => vault.index.children(ROOT_ENTRY).map(entry => entry.name)

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Bytes of a block's copy with one bit turned. */
export const damaged = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes, (byte, i) => i === bytes.length >> 1 ? byte ^ 1 : byte)

/** An iteration that fails at its first step, as a request to a node that is away does. */
function unreachable (url: string): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: async () => { throw new UnreachableError(url) } }) }
}

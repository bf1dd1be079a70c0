import { createSigner } from '@holdfast/crypto'
import { headSeed } from '@holdfast/identity'
import { createLocalNodeClient, createPinner, type Pinner } from '@holdfast/pinner/core'
import { blockId, checkBlock, decode, type Block, type BlockId, type HeadName, type NodeClient, type RegisteredHead, type VersionVector } from '@holdfast/protocol'
import { createHeadRecord, decodeBody, encodeBody, headNameOf, readRoot, signRoot, type Body, type Root } from '@holdfast/roots'
import type { CID } from 'multiformats/cid'
import { createTestDisk, createTestWorld, type TestDevice, type TestDisk, type TestWorld } from '../../packages/engine/src/world.test-support.js'

/** A node that runs the honest program, and a hand over it that forges what it says. */
export interface HostileNode {
  readonly url: string
  readonly pinner: Pinner
  readonly disk: TestDisk
  /** Heads that it tells of instead of the true ones; null: the true ones. */
  heads: RegisteredHead[] | null
  /** Blocks of its own making. */
  readonly forged: Map<BlockId, Uint8Array>
  /** Blocks that it says it does not have. */
  readonly withheld: Set<BlockId>
  /** Laid over everything else. */
  sabotage: Partial<NodeClient>
  /** Honest from now on. */
  repent (): void
}

export interface HostileWorld extends TestWorld {
  readonly node: HostileNode
  join (): Promise<TestDevice>
}

const URL = 'hostile://node'

/** One account, devices without a clock of their own, and one node that may do as it likes. */
export async function createHostileWorld (seed = 1): Promise<HostileWorld> {
  const world = createTestWorld({ seed, nodes: 0 })
  const disk = createTestDisk()
  const pinner = await createPinner({ ...disk, clock: world.clock, random: world.random, signer: createSigner(world.random.bytes(32)) })
  const node: HostileNode = {
    url: URL, pinner, disk, heads: null, forged: new Map(), withheld: new Set(), sabotage: {},
    repent () { node.heads = null; node.forged.clear(); node.withheld.clear(); node.sabotage = {} }
  }
  return {
    ...world,
    node,
    async join () {
      let publicKey = new Uint8Array(32)
      const device = await world.device({ components: { connectNode: () => hostileClient(node, () => publicKey) } })
      publicKey = device.keys.signer.publicKey as Uint8Array<ArrayBuffer>
      await device.engine.addNode(URL, { token: await pinner.newPairingToken() })
      return device
    }
  }
}

/** What a device's client of that node gives: the client checks blocks against their CIDs, whatever the node says. */
function hostileClient (node: HostileNode, publicKey: () => Uint8Array): NodeClient {
  const honest = (): NodeClient => createLocalNodeClient({ pinner: node.pinner, publicKey: publicKey(), url: URL })
  const lying: Partial<NodeClient> = {
    heads: async vault => node.heads ?? honest().heads(vault),
    async * getBlocks (cids, options) {
      const forged = cids.filter(cid => node.forged.has(blockId(cid)))
      for (const cid of forged) yield checkBlock(cid, node.forged.get(blockId(cid))!)
      yield * honest().getBlocks(cids.filter(cid => !node.forged.has(blockId(cid)) && !node.withheld.has(blockId(cid))), options)
    }
  }
  return new Proxy({ url: URL } as NodeClient, {
    get: (_target, property) => property === 'url' ? URL : Reflect.get(node.sabotage, property) ?? Reflect.get(lying, property) ?? Reflect.get(honest(), property) as unknown
  })
}

export interface ForgedHead extends RegisteredHead { record: Uint8Array, root: Block, blocks: Block[] }

/** The root that a device shows now, its body, and how to read its blocks. */
export async function shownRoot (device: TestDevice): Promise<{ cid: CID, root: Root, body: Body, read: (cid: CID) => Promise<Uint8Array> }> {
  const head = await device.disk.records.get([...await keysOf(device)].find(key => key.includes(`/head/${device.keys.id}`))!)
  const cid = (decode(head!) as { root: CID }).root
  const read = async (one: CID): Promise<Uint8Array> => device.disk.blocks.get(one)
  const root = await readRoot({ cid, bytes: await read(cid) })
  return { cid, root, body: decodeBody(await read(root.body)), read }
}

async function keysOf ({ disk }: TestDevice): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of disk.records.range({ prefix: 'vault/' })) keys.push(key)
  return keys
}

export interface Forgery {
  /** Who signs the root. */
  by: TestDevice
  /** Whose head name it comes under. Default: the signer's. */
  under?: TestDevice
  body: Body | CID
  counter: number
  vector?: VersionVector
  blocks?: Block[]
  sequence?: bigint
}

/** A root and head as only the holder of the keys can make them: what a stolen or broken device might publish. */
export async function forgeHead (world: HostileWorld, { by, under = by, body, counter, vector, blocks = [], sequence = BigInt(counter) }: Forgery): Promise<ForgedHead> {
  const { vault } = world.account.homeVault()
  const bodyBlock = 'log' in body ? await encodeBody(body) : null
  const made: Root = { vault, device: by.keys.id, counter, vector: { ...vector, [by.keys.id]: counter } as VersionVector, body: bodyBlock?.cid ?? body as CID, at: world.clock.now() }
  const root = await signRoot(made, by.keys.signer)
  return { ...await headOf(world, under, root.cid, sequence), root, blocks: [root, ...bodyBlock === null ? [] : [bodyBlock], ...blocks] }
}

/** The record of a device's head that points to whatever block one likes. */
export async function headOf (world: HostileWorld, under: TestDevice, root: CID, sequence: bigint): Promise<RegisteredHead & { record: Uint8Array }> {
  const seed = headSeed(under.keys.seed, world.account.homeVault().vault)
  const record = await createHeadRecord(seed, root, sequence, { lifetimeMs: 86_400_000, ttlMs: 1_000, now: world.clock.now() })
  return { head: nameOf(world, under), device: under.keys.id, record }
}

export const nameOf = (world: HostileWorld, device: TestDevice): HeadName =>
  headNameOf(createSigner(headSeed(device.keys.seed, world.account.homeVault().vault)).publicKey)

/** From now on the node tells of this head alone, and has its blocks. */
export function offer (node: HostileNode, head: RegisteredHead & { blocks?: Block[] }): void {
  node.heads = [{ head: head.head, device: head.device, record: head.record }]
  for (const block of head.blocks ?? []) node.forged.set(blockId(block.cid), block.bytes)
}

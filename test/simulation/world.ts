import { nodePrimitives } from '@holdfast/client/node-primitives'
import { createEngine, type Engine } from '@holdfast/engine'
import { createFilesystem, type FileEntry, type Filesystem } from '@holdfast/filesystem'
import { generateDeviceSeed, generateRootKey, openAccount, openDevice, type Account } from '@holdfast/identity'
import { certifyDevice, deviceId, toHex, UnauthorisedError, type DeviceCertificate, type DeviceId, type NodeClient, type Signer } from '@holdfast/protocol'
import { createLocalNodeClient, createPinner, type Pinner } from '@holdfast/pinner/core'
import { decodeAnnouncement } from '@holdfast/roots'
import { createSigner } from '@holdfast/crypto'
import { createCrashDisk, CrashedError, type CrashDisk } from './crash-stores.js'
import { instantSigner } from './runtime.js'
import { createSeeded, type Seeded } from './seeded.js'
import { createSimNetwork, type SimNetwork } from './sim-network.js'
import { createVirtualClock, type VirtualClock } from './virtual-clock.js'

/** Whole devices and nodes of one account in one process, on virtual time, a seeded network and disks that crash. */
export interface World {
  readonly seed: number
  readonly random: Seeded
  readonly clock: VirtualClock
  readonly network: SimNetwork
  readonly devices: SimDevice[]
  readonly nodes: SimNode[]
  /** Faults that an engine told of, other than what crashes and cuts explain. */
  readonly faults: string[]
}

export interface SimDevice {
  readonly name: string
  readonly id: DeviceId
  readonly disk: CrashDisk
  /** Null while the device is off. */
  running: { engine: Engine, filesystem: Filesystem } | null
  /** Digest and where it was, of every content whose commit was acknowledged. */
  readonly acknowledged: Map<string, string>
  boot (): Promise<void>
  crash (): void
}

export interface SimNode {
  readonly name: string
  readonly disk: CrashDisk
  pinner: Pinner | null
  boot (): Promise<void>
  crash (): void
}

export async function createWorld (seed: number, shape: { devices: number, nodes: number }): Promise<World> {
  const random = createSeeded(seed)
  const clock = createVirtualClock()
  const network = createSimNetwork(clock, random.fork('network'))
  const account = openAccount(generateRootKey(random.fork('account')))
  const world: World = { seed, random, clock, network, devices: [], nodes: [], faults: [] }
  for (let i = 0; i < shape.nodes; i++) world.nodes.push(createNode(world, `node-${i}`))
  for (const node of world.nodes) await node.boot()
  for (let i = 0; i < shape.devices; i++) world.devices.push(await createDevice(world, account, `device-${i}`))
  return world
}

function createNode (world: World, name: string): SimNode {
  const random = world.random.fork(name)
  const disk = createCrashDisk(random.fork('disk'))
  const seed = random.bytes(32)
  const signer = instantSigner(seed, createSigner(seed).publicKey)
  const node: SimNode = {
    name,
    disk,
    pinner: null,
    async boot () {
      const { blocks, records } = disk.open()
      const pinner = await createPinner({ blocks, records, clock: world.clock, random, signer })
      const port = world.network.join(name, () => blocks)
      const subscribed = new Set<string>()
      const subscribe = (): void => {
        for (const topic of pinner.topics()) {
          if (subscribed.has(topic)) continue
          subscribed.add(topic)
          port.subscribe(topic, message => { void takeAnnouncement(world, pinner, message) })
        }
      }
      pinner.on(subscribe)
      subscribe()
      node.pinner = pinner
    },
    crash () {
      disk.crash()
      node.pinner = null
      world.network.leave(name)
    }
  }
  return node
}

async function takeAnnouncement (world: World, pinner: Pinner, message: Uint8Array): Promise<void> {
  try {
    const { head, record, blocks } = await decodeAnnouncement(message)
    await pinner.acceptRecord(head, record, { blocks })
  } catch (error) {
    // Gossip comes late and out of order: a node refuses what is older than what it has, or not registered yet.
    if (!(error instanceof UnauthorisedError)) noteFault(world, 'a node took an announcement', error)
  }
}

async function createDevice (world: World, account: Account, name: string): Promise<SimDevice> {
  const random = world.random.fork(name)
  const seed = generateDeviceSeed(random)
  const { publicKey } = openDevice(seed).signer
  const signer: Signer = instantSigner(seed, publicKey)
  const id = deviceId(publicKey)
  const certificate: DeviceCertificate = await certifyDevice(account.signer, id, world.clock.now())
  const disk = createCrashDisk(random.fork('disk'))
  const device: SimDevice = {
    name,
    id,
    disk,
    running: null,
    acknowledged: new Map(),
    async boot () {
      const { blocks, records } = disk.open()
      const port = world.network.join(name, () => blocks)
      const engine = await createEngine({
        blocks, records, network: port, clock: world.clock, random: random.fork(`boot-${world.clock.now()}`), primitives: nodePrimitives, account,
        device: { id, seed, signer, certificate },
        connectNode: url => nodeClient(world, name, url, publicKey)
      })
      engine.on(event => { if (event.type === 'error') noteFault(world, name, event.error) })
      device.running = { engine, filesystem: createFilesystem({ engine, clock: world.clock }) }
      engine.start()
    },
    crash () {
      disk.crash()
      const { running } = device
      device.running = null
      world.network.leave(name)
      // Its timers end; whatever it still tries fails on the dead disk, as it would without power.
      running?.engine.stop().catch(error => noteFault(world, name, error))
    }
  }
  return device
}

function nodeClient (world: World, from: string, url: string, publicKey: Uint8Array): NodeClient {
  const name = url.slice('sim://'.length)
  const node = world.nodes.find(one => one.name === name)!
  return world.network.client(from, name, () => {
    if (node.pinner === null) throw new CrashedError('the node is off')
    return createLocalNodeClient({ pinner: node.pinner, publicKey, url })
  })
}

/** Crashes and cuts are the simulation's own; everything else that an engine calls a fault is one. */
function noteFault (world: World, where: string, error: unknown): void {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  if (/CrashedError|UnreachableError|BlockNotFoundError|AbortError|the disk is gone|the power went/.test(text)) return
  world.faults.push(`${where}: ${text}`)
}

/** Pairs a device with a node by a fresh token; the way is calm for so long. */
export async function pair (world: World, device: SimDevice, node: SimNode): Promise<void> {
  const token = await node.pinner!.newPairingToken()
  let done: unknown = null
  device.running!.engine.addNode(`sim://${node.name}`, { token }).then(() => { done = true }, error => { done = error })
  await world.clock.runUntil(() => done !== null, 60_000)
  if (done !== true) throw new Error('pairing failed', { cause: done })
}

/** A device's whole tree as text, for comparison. */
export async function treeOf (filesystem: Filesystem): Promise<string[]> {
  const lines: string[] = []
  for await (const entry of filesystem.walk()) if (entry.path !== '/') lines.push(describe(entry))
  return lines
}

const describe = (entry: FileEntry): string => `${entry.path} ${entry.kind} ${entry.digest ?? entry.target ?? ''} ${entry.mode} ${entry.modified} ${entry.versions}`

/** Digests of every version of everything in the tree and the trash. */
export async function recoverable (engine: Engine): Promise<Set<string>> {
  const { index } = engine.vault
  const digests = new Set<string>()
  const tops = index.trash()
  const entries = [...index.walk(), ...tops, ...tops.flatMap(top => [...index.walk(top.id)])]
  for (const entry of entries) {
    if (entry.kind !== 'file') continue
    for (const version of await engine.vault.history(entry.id)) digests.add(toHex(version.digest))
  }
  return digests
}


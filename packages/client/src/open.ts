import { createSealedRecordStore } from '@holdfast/crypto'
import { createEngine, type Engine } from '@holdfast/engine'
import { createFilesystem } from '@holdfast/filesystem'
import { openAccount, openDevice, stateKey, type Keyring } from '@holdfast/identity'
import { createNodeClient } from '@holdfast/node-client'
import { peerIdOfDevice, type BlockStore, type Clock, type Network, type Random, type RecordStore } from '@holdfast/protocol'
import { openLevelStores } from '@holdfast/storage-level'
import { createClient, type Client, type OpenedClient } from './client.js'
import { closeAll } from './close-all.js'
import { HomeLockedError } from './errors.js'
import { homeLayout } from './home.js'
import { readKeyringFile } from './keyring-file.js'
import { nodePrimitives } from './node-primitives.js'
import { systemClock, systemRandom } from './system.js'

export interface Surroundings { clock?: Clock, random?: Random }

export interface OpenOptions extends Surroundings {
  /** The device's directory. */
  home: string
  /** Needed when the keyring is protected by one. */
  passphrase?: string | null
  /**
   * Speak to other devices and nodes over libp2p too: announcements arrive as they are made. Without it everything
   * goes over HTTP to the nodes, and the process starts sooner. Default false.
   */
  peers?: boolean
  /** Multiaddrs to listen on; none by default: devices dial their nodes. */
  listen?: readonly string[]
}

/** Opens a device. Throws NoAccountError, HomeLockedError, PassphraseNeededError, WrongPassphraseError. */
export async function openClient (options: OpenOptions): Promise<Client> {
  const keyring = await readKeyringFile(options.home, options.passphrase ?? null)
  return compose(keyring, options)
}

/** Puts a device together from its keys. What was opened is closed again when a later part fails. */
export async function compose (keyring: Keyring, options: OpenOptions): Promise<OpenedClient> {
  const { home, clock = systemClock, random = systemRandom } = options
  const stores = await openStores(home)
  const closers: (() => Promise<void>)[] = [async () => stores.records.close(), async () => stores.blocks.close()]
  try {
    const account = openAccount(keyring.rootKey)
    const device = openDevice(keyring.deviceSeed)
    const records = createSealedRecordStore(stores.records, stateKey(keyring.deviceSeed), nodePrimitives, random)
    let engine: Engine | undefined
    const allowPeer = (peerId: string): boolean => engine !== undefined && isOurs(engine, peerId)
    const network = options.peers === true ? await openNetwork({ keyring, options, blocks: stores.blocks, allowPeer, clock }) : null
    if (network !== null) closers.unshift(async () => network.close())
    engine = await createEngine({
      blocks: stores.blocks, records, network, clock, random, primitives: nodePrimitives, account,
      connectNode: url => createNodeClient({ url, seed: keyring.deviceSeed, certificate: keyring.certificate }),
      device: { id: device.id, seed: keyring.deviceSeed, signer: device.signer, certificate: keyring.certificate }
    })
    const filesystem = createFilesystem({ engine, clock })
    return createClient({ account, device: device.id, rootKey: keyring.rootKey, engine, filesystem, records, blocks: stores.blocks, clock, random, closers })
  } catch (error) {
    await closeAll(closers)
    throw error
  }
}

export async function openStores (home: string): Promise<{ blocks: BlockStore, records: RecordStore }> {
  try { return await openLevelStores(homeLayout(home).store) } catch (error) {
    throw error instanceof Error && error.name === 'StoreLockedError' ? new HomeLockedError(home, { cause: error }) : error
  }
}

/** NODE-2 for a device: only the account's own devices and its nodes. */
function isOurs (engine: Engine, peerId: string): boolean {
  return engine.status().nodes.some(node => node.peerId === peerId) ||
    engine.devices().some(device => device.revokedAt === null && peerIdOfDevice(device.id) === peerId)
}

interface NetworkParts { keyring: Keyring, options: OpenOptions, blocks: BlockStore, allowPeer: (peerId: string) => boolean, clock: Clock }

/** libp2p is loaded only when it is wanted: it is by far the largest part to load. */
async function openNetwork ({ keyring, options, blocks, allowPeer, clock }: NetworkParts): Promise<Network> {
  const { createNetwork } = await import('@holdfast/network/node')
  return createNetwork({ seed: keyring.deviceSeed, listen: [...options.listen ?? []], blocks, allowPeer, clock })
}

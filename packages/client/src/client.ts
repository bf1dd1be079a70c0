import type { Engine } from '@holdfast/engine'
import type { Filesystem } from '@holdfast/filesystem'
import { enrolWallet, sealEnvelope, type Account, type UnlockMethod, type Wallet } from '@holdfast/identity'
import { isHoldfastError, type AccountId, type BlockStore, type CallOptions, type Clock, type DeviceId, type HoldfastError, type NodeDescription, type Random, type RecordStore } from '@holdfast/protocol'
import { closeAll } from './close-all.js'
import { entrySafety, type NodeSafety } from './safety.js'
import { envelopeNameOf, rememberUnlockMethod, rememberedUnlockMethods } from './unlock-records.js'

/** One device of an account, opened. */
export interface Client {
  readonly account: AccountId
  readonly device: DeviceId
  readonly engine: Engine
  readonly filesystem: Filesystem
  /** The device's records, sealed at rest; each user keeps to keys under a prefix of its own. */
  readonly records: RecordStore
  readonly clock: Clock
  readonly random: Random
  /**
   * Pairs a node and writes its address into the account's envelopes, so that the phrase alone leads back to it
   * (KEY-3). Throws UnreachableError, UnauthorisedError.
   */
  pairNode (url: string, options?: CallOptions & { token?: string }): Promise<PairedNode>
  /** Stops using a node. What it keeps stays there. */
  unpairNode (url: string): Promise<{ failures: HoldfastError[] }>
  /** KEY-1: from now on this wallet unlocks the account as well. Throws NonDeterministicWalletError. */
  addWalletEnvelope (wallet: Wallet): Promise<{ failures: HoldfastError[] }>
  /** For each node: whether its receipt covers what is at the path now. Throws NotFoundError. */
  safety (path: string, options?: CallOptions): Promise<NodeSafety[]>
  close (): Promise<void>
}

/** `failures`: nodes that did not take the account's envelope; the pairing itself is done. */
export interface PairedNode extends NodeDescription { failures: HoldfastError[] }

export interface ClientParts {
  account: Account
  device: DeviceId
  rootKey: Uint8Array
  engine: Engine
  filesystem: Filesystem
  records: RecordStore
  blocks: BlockStore
  clock: Clock
  random: Random
  closers: readonly (() => Promise<void>)[]
}

/** What only this package may do with an open client. */
export interface OpenedClient extends Client {
  /** Keeps an unlocking method, so that later its envelope can be sealed anew. */
  rememberUnlockMethod (method: UnlockMethod): Promise<void>
  /** Keeps it, and brings its envelope to every node now. */
  addUnlockMethod (method: UnlockMethod): Promise<HoldfastError[]>
}

export function createClient (parts: ClientParts): OpenedClient {
  const { account, device, rootKey, engine, filesystem, records, blocks, random, closers } = parts
  /** A node that is away keeps the older envelope, which opens the account as well: that is told, not thrown. */
  const publish = async (method: UnlockMethod): Promise<HoldfastError[]> => {
    const nodes = engine.nodes().map(node => node.url)
    const block = await sealEnvelope(rootKey, method, { nodes }, random)
    try { await engine.addEnvelope(envelopeNameOf(method), method.nameSeed, block) } catch (error) {
      if (!isHoldfastError(error)) throw error
      return [error]
    }
    return []
  }
  const publishAll = async (): Promise<HoldfastError[]> => {
    const failures: HoldfastError[] = []
    for (const method of await rememberedUnlockMethods(records)) failures.push(...await publish(method))
    return failures
  }
  const remember = async (method: UnlockMethod): Promise<void> => rememberUnlockMethod(records, method)
  const addUnlockMethod = async (method: UnlockMethod): Promise<HoldfastError[]> => {
    await remember(method)
    return publish(method)
  }
  return {
    account: account.id, device, engine, filesystem, records, clock: parts.clock, random, addUnlockMethod, rememberUnlockMethod: remember,
    pairNode: async (url, options = {}) => {
      const description = await engine.addNode(url, options)
      return { ...description, failures: await publishAll() }
    },
    unpairNode: async url => {
      await engine.removeNode(url)
      return { failures: await publishAll() }
    },
    addWalletEnvelope: async wallet => ({ failures: await addUnlockMethod(await enrolWallet(wallet)) }),
    safety: async (path, options) => entrySafety({ engine, blocks }, (await filesystem.stat(path)).id, options),
    close: async () => closeAll([async () => engine.stop(), ...closers])
  }
}

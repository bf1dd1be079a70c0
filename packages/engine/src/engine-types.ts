import type { Content, FileFacts, OpenFile, SealedFile } from '@holdfast/content'
import type { Account } from '@holdfast/identity'
import type { Primitives } from '@holdfast/crypto'
import type { TreeChange, TreeIndex } from '@holdfast/manifest'
import type { Membership } from '@holdfast/membership'
import type { AccountId, Block, BlockStore, CallOptions, Clock, DeviceCertificate, DeviceId, EntryId, HeadName, HoldfastError, Network, NodeClient, NodeDescription, NodeUsage, ProgressOptions, Random, RecordStore, Signer, VaultId } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { Transaction } from './transaction.js'

export type { Content, FileFacts, OpenFile, SealedFile }

export interface EngineComponents {
  blocks: BlockStore
  /** Already sealed: nothing secret reaches the disk in the clear. */
  records: RecordStore
  network: Network | null
  connectNode: (url: string) => NodeClient
  clock: Clock
  random: Random
  primitives: Primitives
  account: Account
  device: { id: DeviceId, seed: Uint8Array, signer: Signer, certificate: DeviceCertificate }
}

export interface EngineOptions {
  /** How often heads are fetched although nothing was announced. Milliseconds. */
  pollIntervalMs?: number
}

export type EngineEvent =
  | { type: 'changed', changes: TreeChange[] }
  | { type: 'status' }
  | { type: 'conflict', path: string, entry: EntryId }
  | { type: 'synced', root: string, entries: number, bytes: number }
  | { type: 'evidence', kind: 'rollback' | 'fork', device: DeviceId, roots: [string, string] }
  | { type: 'error', error: HoldfastError }

/** `contents` false: only the tree; what files contain is fetched when it is read. */
export interface SyncOptions extends CallOptions { contents?: boolean }

export interface SyncReport { settled: boolean, nodes: number, reachableNodes: number, failures: HoldfastError[] }

export interface NodeStatus { url: string, peerId: string, reachable: boolean, receipt: { root: string, at: number } | null, error?: string }

export interface VaultStatus { id: VaultId, name: string, root: string | null, body: string, entries: number, bytes: number, pendingBlocks: number, conflicts: number }

/** The shape of `holdfast status --json`. */
export interface EngineStatus { account: AccountId, device: DeviceId, vaults: VaultStatus[], nodes: NodeStatus[] }

export interface DeviceStatus { id: DeviceId, peerId: string, current: boolean, revokedAt: number | null }

export interface VerifyReport { blocks: number, bytes: number, bad: string[], repaired: string[], /** Nodes that could not be checked. */ failures: HoldfastError[] }

/** A file's content, sealed and stored, that no entry names yet. */
export interface PreparedFile {
  readonly sealed: SealedFile
  readonly facts: FileFacts
  /** Blocks that were not in the store before. */
  readonly fresh: readonly CID[]
  /** The same blocks when they are small enough to announce; otherwise empty. */
  readonly inline: readonly Block[]
}

/** One version in a file's history. */
export interface HistoryVersion { node: CID, key: Uint8Array, size: number, digest: Uint8Array, modified: number, mode: number, by: DeviceId | null, at: number, current: boolean }

export interface VaultSession {
  readonly id: VaultId
  /** Read only: it serves every read and is changed by transactions and merges alone. */
  readonly index: TreeIndex
  readonly membership: Membership
  /** Chunks, seals and stores. Nothing is visible yet; the blocks are kept until a transaction names them. */
  prepare (source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, facts: FileFacts & { size?: number }, options?: ProgressOptions): Promise<PreparedFile>
  /** One commit, atomic and durable when it resolves. `body` must be synchronous. */
  transact<T> (body: (transaction: Transaction) => T, options?: CallOptions): Promise<T>
  /** Opens a version of a file; what is not here is fetched. Throws BlockNotFoundError, CorruptBlockError. */
  open (version: { node: CID, key: Uint8Array }, options?: CallOptions): Promise<OpenFile>
  /** Newest first; reaches back as far as file nodes are to be had. */
  history (entry: EntryId, options?: CallOptions): Promise<HistoryVersion[]>
}

export interface Engine {
  readonly vault: VaultSession
  /** Begins to publish, announce, fetch, merge and push by itself. Every operation works before and without it. */
  start (): void
  /** Ends what is running; closes nothing that was passed in. */
  stop (): Promise<void>
  addNode (url: string, options?: CallOptions & { token?: string }): Promise<NodeDescription>
  removeNode (url: string): Promise<void>
  nodes (): NodeStatus[]
  nodeUsage (url: string, options?: CallOptions): Promise<NodeUsage>
  /** KEY-3: keeps the envelope and publishes it, under its own name, to every node. */
  addEnvelope (name: HeadName, seed: Uint8Array, block: Block): Promise<void>
  /** One round with every node: heads, merge, publish, push, receipts, contents. */
  sync (options?: SyncOptions): Promise<SyncReport>
  status (): EngineStatus
  devices (): DeviceStatus[]
  revoke (device: DeviceId): Promise<void>
  verify (options: ProgressOptions & { repair: boolean }): Promise<VerifyReport>
  on (listener: (event: EngineEvent) => void): () => void
}

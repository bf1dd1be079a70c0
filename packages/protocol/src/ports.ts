import type { CID } from 'multiformats/cid'
import type { Block } from './block.js'
import type { HeadName, VaultId } from './ids.js'
import type { DeviceCertificate, Receipt, Revocation } from './statements.js'

/** What every async public method takes. */
export interface CallOptions { signal?: AbortSignal }

/** Told as a long call goes on. Units are bytes unless the method says otherwise; `total` is absent while unknown. */
export interface Progress { done: number, total?: number }
export interface ProgressOptions extends CallOptions { onProgress?: (progress: Progress) => void }

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now (): number
  /** Calls back once after `ms`; the returned function cancels. */
  schedule (ms: number, callback: () => void): () => void
}

export interface Random {
  /** Cryptographically strong, except in simulations, where they come from the seed. */
  bytes (length: number): Uint8Array
}

/** Blocks by CID. Puts are idempotent. The caller has checked bytes against their CIDs. */
export interface BlockStore {
  has (cid: CID, options?: CallOptions): Promise<boolean>
  /** Throws BlockNotFoundError. */
  get (cid: CID, options?: CallOptions): Promise<Uint8Array>
  put (blocks: readonly Block[], options?: CallOptions): Promise<void>
  delete (cids: readonly CID[], options?: CallOptions): Promise<void>
  list (options?: CallOptions): AsyncIterable<CID>
  /** Everything put before this call survives a power cut after it (fsync). */
  flush (options?: CallOptions): Promise<void>
  close (): Promise<void>
}

export type RecordChange = { readonly key: string, readonly value: Uint8Array } | { readonly key: string, readonly value: undefined }
export interface RecordRange { prefix: string, after?: string, reverse?: boolean, limit?: number }

/** Small values by key, ordered by the key's UTF-8 bytes. A batch happens wholly or not at all. */
export interface RecordStore {
  get (key: string, options?: CallOptions): Promise<Uint8Array | undefined>
  /** Atomic. An undefined value deletes. With `durable` it survives a power cut once this resolves. */
  write (changes: readonly RecordChange[], options?: CallOptions & { durable?: boolean }): Promise<void>
  range (range: RecordRange, options?: CallOptions): AsyncIterable<readonly [key: string, value: Uint8Array]>
  close (): Promise<void>
}

/** Peers: gossip and block exchange (libp2p, gossipsub, bitswap; or the simulated network). */
export interface Network {
  /** This device's peer id in its usual text form (`12D3Koo…`). */
  readonly peerId: string
  /** Connects and stays connected, redialling with back-off, until `forget`. */
  keep (addresses: readonly string[]): void
  forget (addresses: readonly string[]): void
  connectedPeers (): readonly string[]
  /** ANN-1. Delivery is best effort: lost, repeated and reordered messages are normal. */
  subscribe (topic: string, onMessage: (message: Uint8Array, from: string) => void): () => void
  publish (topic: string, message: Uint8Array, options?: CallOptions): Promise<void>
  onPeer (listener: (event: { peer: string, connected: boolean }) => void): () => void
  /** Asks connected peers (bitswap). The bytes were checked against the CID. Throws BlockNotFoundError when nobody has it. */
  fetchBlock (cid: CID, options?: CallOptions): Promise<Uint8Array>
  close (): Promise<void>
}

export interface NodeDescription {
  peerId: string
  version: string
  /** Multiaddrs that a device can dial. */
  addresses: string[]
}

export interface NodeUsage { usedBytes: number, quotaBytes: number | null, blocks: number, vaults: { vault: VaultId, usedBytes: number }[] }

/** What a device registers for a vault, so that the node accepts its heads (HEAD-2) and relays its topic (ANN-1). */
export interface VaultRegistration { vault: VaultId, topic: string, head: HeadName, headKey: Uint8Array }
export interface RegisteredHead { head: HeadName, device: string, /** the newest IPNS record the node holds */ record: Uint8Array | null }

export type ReceiptAnswer = { receipt: Receipt } | { /** Some of what is not there; upload these and ask again. */ missing: CID[] }

/** How an engine talks to one node: HTTP to our pinner, to a stock Kubo, or to a simulated node. Throws UnreachableError, UnauthorisedError, QuotaExceededError. */
export interface NodeClient {
  readonly url: string
  describe (options?: CallOptions): Promise<NodeDescription>
  /** First device of an account: the one-time token is spent. Later devices: the certificate alone is enough. */
  pair (request: { token?: string, certificate: DeviceCertificate }, options?: CallOptions): Promise<NodeDescription>
  revoke (revocation: Revocation, options?: CallOptions): Promise<void>
  registerVault (registration: VaultRegistration, options?: CallOptions): Promise<void>
  /** KEY-3: lets the holder of this envelope name's key, and nobody else new, read its record and block. */
  registerEnvelope (name: HeadName, options?: CallOptions): Promise<void>
  heads (vault: VaultId, options?: CallOptions): Promise<RegisteredHead[]>
  putBlocks (blocks: AsyncIterable<Block> | Iterable<Block>, options?: ProgressOptions): Promise<void>
  /** Yields what the node has of these, each checked against its CID, in any order; what it lacks is left out. */
  getBlocks (cids: readonly CID[], options?: CallOptions): AsyncIterable<Block>
  /** Stores and re-broadcasts a signed IPNS record. */
  putRecord (name: HeadName, record: Uint8Array, options?: CallOptions): Promise<void>
  getRecord (name: HeadName, options?: CallOptions): Promise<Uint8Array | null>
  /** NODE-4: a receipt when the root and all it reaches are on the node's disk, otherwise what is missing. */
  receipt (vault: VaultId, root: CID, options?: CallOptions): Promise<ReceiptAnswer>
  usage (options?: CallOptions): Promise<NodeUsage>
  close (): Promise<void>
}

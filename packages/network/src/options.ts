import type { BlockStore, CallOptions, Clock, HeadName, Network } from '@holdfast/protocol'
import type { Libp2pOptions } from 'libp2p'

/** What libp2p calls transport factories: `[tcp(), webSockets()]`. */
export type Transports = NonNullable<Libp2pOptions['transports']>

export interface NetworkOptions {
  /** The device's or node's Ed25519 seed, 32 bytes. Its public key is the peer id. */
  seed: Uint8Array
  /** Multiaddrs to listen on, such as `/ip4/127.0.0.1/tcp/0` or `/ip4/0.0.0.0/tcp/4002/ws`; none to only dial. */
  listen: readonly string[]
  /** What bitswap may serve to allowed peers. Fetched blocks are returned, never put here: that is the caller's. */
  blocks: BlockStore
  /** NODE-2: asked for every peer that connects, is dialled, relays or is relayed. Peers named by `keep` are allowed without being asked for. */
  allowPeer (peerId: string): boolean | Promise<boolean>
  /** A node relays between the peers it allows (circuit relay v2); a device can be reached through such nodes. Default false. */
  relay?: boolean
  clock: Clock
  /** How connections are made. Default: WebSocket, which runs everywhere; `@holdfast/network/node` adds TCP. */
  transports?: Transports
  /** The addresses to tell others instead of the ones listened on, for a machine behind NAT or a reverse proxy. */
  announce?: readonly string[]
  /** A fetch gives up after this long when the caller does not abort before. Milliseconds, default 10,000. */
  fetchTimeoutMs?: number
}

/** The Network port, and what only real sockets have. */
export interface Libp2pNetwork extends Network {
  /** Multiaddrs, with the peer id, that others can dial now. */
  addresses (): string[]
  /** Asks `allowPeer` again for everyone connected and closes the connections of those it refuses (a revoked device). */
  disconnectDisallowed (): Promise<void>
  readonly heads: HeadRouting
}

/**
 * Heads over IPNS by pubsub (`@helia/ipns`; IPNS PubSub Router specification), beside the announcements and the node's HTTP API:
 * a topic for each name, records as their owners signed them, no private keys.
 */
export interface HeadRouting {
  /** HEAD-1: broadcasts a record signed elsewhere to the peers that follow this name. Throws CorruptBlockError or UnauthorisedError when it is not a valid record of this name. */
  broadcast (name: HeadName, record: Uint8Array, options?: CallOptions): Promise<void>
  /** Follows a name from now on and returns its newest record known here or to a connected peer, or null. */
  resolve (name: HeadName, options?: CallOptions): Promise<Uint8Array | null>
}

import { multiaddr } from '@multiformats/multiaddr'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Connection, ConnectionGater, Libp2p, PeerId } from '@libp2p/interface'
import type { Network } from '@holdfast/protocol'
import { createGater } from './gater.js'
import type { NetworkOptions } from './options.js'
import { createRedialler, type Redialler } from './redial.js'

/** How long one attempt at all of a peer's addresses may take. Milliseconds. */
const DIAL_TIMEOUT_MS = 15_000
/** How long a peer is given to take leave before its connection is cut. Milliseconds. */
const LEAVE_MS = 1_000

type PeerListener = Parameters<Network['onPeer']>[0]

export interface Peers {
  readonly gater: ConnectionGater
  readonly redialler: Redialler
  attach (libp2p: Libp2p): void
  onPeer (listener: PeerListener): () => void
  disconnectDisallowed (): Promise<void>
  close (): Promise<void>
}

async function end (connection: Connection): Promise<void> {
  try {
    await connection.close({ signal: AbortSignal.timeout(LEAVE_MS) })
  } catch (cause) {
    connection.abort(new Error('this peer is not allowed any more', { cause }))
  }
}

/** Who may connect, who is connected, and who is to stay so. */
export function createPeers ({ allowPeer, clock }: Pick<NetworkOptions, 'allowPeer' | 'clock'>): Peers {
  const listeners = new Set<{ call: PeerListener }>()
  const checks = new Set<Promise<void>>()
  let libp2p: Libp2p | null = null

  const connections = (peer?: string): Connection[] => libp2p?.getConnections(peer === undefined ? undefined : peerIdFromString(peer)) ?? []
  const redialler = createRedialler({
    async dial (addresses, signal) {
      const timely = AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)])
      await libp2p?.dial(addresses.map(address => multiaddr(address)), { signal: timely })
    },
    isConnected: peer => connections(peer).length > 0,
    hangUp: async peer => { await Promise.all(connections(peer).map(end)) }
  }, clock)

  const allowed = async (peer: string): Promise<boolean> => redialler.keeps(peer) || await allowPeer(peer)
  /** A peer whose standing cannot be told has none. */
  const endUnlessAllowed = async (connection: Connection): Promise<void> => {
    if (!await allowed(connection.remotePeer.toString()).catch(() => false)) await end(connection)
  }

  const tell = (peer: string, connected: boolean): void => {
    if (connected) redialler.connected(peer)
    else redialler.disconnected(peer)
    for (const listener of listeners) listener.call({ peer, connected })
  }
  const onConnect = (event: CustomEvent<PeerId>): void => tell(event.detail.toString(), true)
  const onDisconnect = (event: CustomEvent<PeerId>): void => tell(event.detail.toString(), false)
  // Who was revoked between the gater's question and this event would otherwise slip through.
  const onOpen = (event: CustomEvent<Connection>): void => {
    const check = endUnlessAllowed(event.detail).finally(() => checks.delete(check))
    checks.add(check)
  }

  return {
    gater: createGater(allowed),
    redialler,
    attach (started) {
      libp2p = started
      libp2p.addEventListener('peer:connect', onConnect)
      libp2p.addEventListener('peer:disconnect', onDisconnect)
      libp2p.addEventListener('connection:open', onOpen)
    },
    onPeer (listener) {
      const entry = { call: listener }
      listeners.add(entry)
      return () => { listeners.delete(entry) }
    },
    disconnectDisallowed: async () => { await Promise.all(connections().map(endUnlessAllowed)) },
    async close () {
      listeners.clear()
      libp2p?.removeEventListener('peer:connect', onConnect)
      libp2p?.removeEventListener('peer:disconnect', onDisconnect)
      libp2p?.removeEventListener('connection:open', onOpen)
      await redialler.close()
      await Promise.all(checks)
    }
  }
}

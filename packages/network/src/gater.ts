import type { ConnectionGater, PeerId } from '@libp2p/interface'

/**
 * NODE-2. A stranger learns the peer id, from the handshake, and nothing else: the connection is refused before a
 * stream can open on it. When `allowed` fails, libp2p drops the connection as well.
 */
export function createGater (allowed: (peer: string) => Promise<boolean>): ConnectionGater {
  const deny = async (peer: PeerId): Promise<boolean> => !await allowed(peer.toString())
  return {
    denyDialPeer: deny,
    // The default in browsers refuses private addresses; a person's node is often at one.
    denyDialMultiaddr: () => false,
    denyInboundEncryptedConnection: deny,
    denyOutboundEncryptedConnection: deny,
    denyInboundRelayReservation: deny,
    denyOutboundRelayedConnection: async (source, destination) => await deny(source) || await deny(destination),
    denyInboundRelayedConnection: async (_relay, remote) => deny(remote)
  }
}

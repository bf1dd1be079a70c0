import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight, type HeliaWithLibp2p } from '@helia/libp2p'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { fetch, type Fetch } from '@libp2p/fetch'
import type { GossipSub } from '@libp2p/gossipsub'
import { identify, type Identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PrivateKey } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { createHeliaLight } from 'helia'
import type { BlockBroker } from 'helia'
import { ListenError } from './errors.js'
import { createGossip } from './gossip.js'
import type { NetworkOptions, Transports } from './options.js'
import { serveBlocks } from './serve-blocks.js'

/** Connections that one address may open in a second: a household, or a proxy in front of the node, is one address. */
const CONNECTIONS_PER_SECOND = 50
const MAX_CONNECTIONS = 500
const MAX_RELAYED_PEERS = 256

interface Services extends Record<string, unknown> {
  identify: Identify
  pubsub: GossipSub
  fetch: Fetch
}

export interface StartOptions extends Pick<NetworkOptions, 'listen' | 'announce' | 'blocks' | 'relay'> {
  privateKey: PrivateKey
  gater: ConnectionGater
  transports: Transports
}

export interface RunningHelia {
  readonly helia: HeliaWithLibp2p<Services>
  readonly libp2p: Libp2p<Services>
  /** Bitswap, as Helia holds it. */
  readonly broker: BlockBroker
  stop (): Promise<void>
}

const services = (relay: boolean) => ({
  identify: identify(),
  pubsub: createGossip(),
  fetch: fetch(),
  // Only registered peers are relayed, and they are the node owner's: no limit of time and bytes.
  ...(relay ? { relay: circuitRelayServer({ reservations: { maxReservations: MAX_RELAYED_PEERS, applyDefaultLimit: false } }) } : {})
})

/** Composes and starts Helia. The order of the two mixins matters: bitswap starts on a running libp2p. */
export async function startHelia (options: StartOptions): Promise<RunningHelia> {
  const { privateKey, gater, transports, listen, announce, relay = false } = options
  const helia = withBitswap(withLibp2pLight<ReturnType<typeof createHeliaLight>, Services>(createHeliaLight({ blockstore: serveBlocks(options.blocks) }), {
    privateKey,
    addresses: { listen: [...listen], ...(announce === undefined ? {} : { announce: [...announce] }) },
    transports: [...transports, circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: gater,
    connectionManager: { maxConnections: MAX_CONNECTIONS, inboundConnectionThreshold: CONNECTIONS_PER_SECOND, reconnectRetries: 0 },
    services: services(relay)
  }), {
    // The default refuses for five seconds to send again what was sent; here a second request always has a reason.
    doNotResendBlockWindow: -1
  })

  // Helia keeps its block brokers to itself, and its own way to them reads the local store first: repairing a damaged block needs the network's copy.
  const brokers: BlockBroker[] = []
  const addBlockBroker = helia.addBlockBroker.bind(helia)
  helia.addBlockBroker = broker => {
    if (typeof broker !== 'function') brokers.push(broker)
    addBlockBroker(broker)
  }

  try {
    await helia.start()
  } catch (cause) {
    await helia.stop()
    throw new ListenError(listen, { cause })
  }
  const { libp2p } = helia
  return { helia, libp2p, broker: brokers[0]!, stop: async () => stopHelia(helia) }
}

type TimersLeft = {
  services: { pubsub: { status: { heartbeatTimeout?: ReturnType<typeof setTimeout> } } }
  components: { addressManager: { _updatePeerStoreAddresses: { stop? (): void } } }
}

/**
 * gossipsub 17.1 leaves its next heartbeat scheduled when it stops, and libp2p 3.3 a note of its last addresses to itself:
 * each would hold the process for up to a second. Neither offers a way to them; without these fields nothing is lost but that second.
 */
async function stopHelia (helia: HeliaWithLibp2p<Services>): Promise<void> {
  const { services, components } = helia.libp2p as unknown as TimersLeft
  const { status } = services.pubsub
  await helia.stop()
  clearTimeout(status.heartbeatTimeout)
  components.addressManager._updatePeerStoreAddresses.stop?.()
}

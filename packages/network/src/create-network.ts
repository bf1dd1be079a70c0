import { InvalidArgumentError, LimitExceededError, MAX_ANNOUNCEMENT_BYTES } from '@holdfast/protocol'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { webSockets } from '@libp2p/websockets'
import { createBlockFetcher } from './fetch-block.js'
import { NetworkClosedError } from './errors.js'
import { createTopics } from './gossip.js'
import { createHeadRouting } from './heads.js'
import { startHelia } from './helia.js'
import { createPeers } from './peers.js'
import type { Libp2pNetwork, NetworkOptions } from './options.js'

const FETCH_TIMEOUT_MS = 10_000

/**
 * Starts listening and returns. Throws ListenError when an address cannot be listened on, InvalidArgumentError for a
 * seed that is not 32 bytes. `close` ends every connection, timer and listener.
 */
export async function createNetwork (options: NetworkOptions): Promise<Libp2pNetwork> {
  if (options.seed.length !== 32) throw new InvalidArgumentError(`a seed has 32 bytes, not ${options.seed.length}`)
  const privateKey = await generateKeyPairFromSeed('Ed25519', options.seed)
  const peers = createPeers(options)
  const running = await startHelia({ ...options, privateKey, gater: peers.gater, transports: options.transports ?? [webSockets()] })
  const { helia, libp2p, broker } = running
  peers.attach(libp2p)
  const topics = createTopics(libp2p.services.pubsub)
  const heads = await createHeadRouting(helia)
  const fetcher = createBlockFetcher({ broker, clock: options.clock, timeoutMs: options.fetchTimeoutMs ?? FETCH_TIMEOUT_MS, connectedPeers: () => libp2p.getPeers() })
  peers.onPeer(({ peer, connected }) => { if (!connected) fetcher.disconnected(peer) })

  const closing = new AbortController()
  const open = (): void => closing.signal.throwIfAborted()
  let closed: Promise<void> | null = null

  return {
    peerId: libp2p.peerId.toString(),
    keep (addresses) { open(); peers.redialler.keep(addresses) },
    forget (addresses) { open(); peers.redialler.forget(addresses) },
    connectedPeers: () => libp2p.getPeers().map(String),
    subscribe (topic, onMessage) { open(); return topics.subscribe(topic, onMessage) },
    async publish (topic, message, { signal } = {}) {
      open()
      signal?.throwIfAborted()
      if (message.length > MAX_ANNOUNCEMENT_BYTES) throw new LimitExceededError('announcement', message.length, MAX_ANNOUNCEMENT_BYTES)
      await libp2p.services.pubsub.publish(topic, message)
    },
    onPeer: listener => peers.onPeer(listener),
    async fetchBlock (cid, { signal } = {}) {
      open()
      return fetcher.fetch(cid, { signal: signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]) })
    },
    addresses: () => libp2p.getMultiaddrs().map(String),
    disconnectDisallowed: async () => peers.disconnectDisallowed(),
    heads: heads.routing,
    async close () {
      closed ??= (async () => {
        closing.abort(new NetworkClosedError())
        topics.close()
        await heads.close()
        await peers.close()
        await running.stop()
      })()
      return closed
    }
  }
}


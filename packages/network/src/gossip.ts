import { LimitExceededError, MAX_ANNOUNCEMENT_BYTES } from '@holdfast/protocol'
import { gossipsub, type GossipSub, type Message } from '@libp2p/gossipsub'

/** What one transmission may hold: several announcements at once, when a peer catches up. Bytes. */
const MAX_TRANSMISSION_BYTES = 4 << 20
/** What may wait for a peer that reads slower than others write, before it is cut off. Bytes. */
const MAX_WAITING_BYTES = 16 << 20

function checkSize (_topic: string, data: Uint8Array): Uint8Array {
  if (data.length > MAX_ANNOUNCEMENT_BYTES) throw new LimitExceededError('announcement', data.length, MAX_ANNOUNCEMENT_BYTES)
  return data
}

/** Gossipsub for a person's machines: few peers, all of them known, that want each announcement at once. */
export const createGossip = (): ReturnType<typeof gossipsub> => gossipsub({
  // Signed, so that `from` is the author wherever it travelled. StrictNoSign would save 0.2 ms and lose that.
  globalSignaturePolicy: 'StrictSign',
  fallbackToFloodsub: false,
  allowPublishToZeroTopicPeers: true,
  ignoreDuplicatePublishError: true,
  emitSelf: false,
  doPX: false,
  // A star with a node in the middle: whoever is outside the node's mesh would wait a heartbeat for each message,
  // so up to 64 devices of a topic are inside it. Duplicates between devices are cut by IDONTWANT (gossipsub 1.2).
  floodPublish: true,
  D: 64,
  Dlo: 64,
  Dhi: 128,
  Dscore: 32,
  Dout: 0,
  // Whoever stops and starts following a topic is let in again after a second, not ten.
  unsubcribeBackoff: 1000,
  pruneBackoff: 10_000,
  dataTransform: { inboundTransform: checkSize, outboundTransform: checkSize },
  maxInboundDataLength: MAX_TRANSMISSION_BYTES,
  maxOutboundBufferSize: MAX_WAITING_BYTES,
  // On a slow line a late answer is no misbehaviour, and the peer it would cost may be the only one.
  gossipsubIWantFollowupMs: 30_000,
  scoreParams: {
    // A household's devices share one address.
    IPColocationFactorWeight: 0,
    behaviourPenaltyWeight: -1,
    behaviourPenaltyThreshold: 6
  }
})

export interface Topics {
  subscribe (topic: string, onMessage: (message: Uint8Array, from: string) => void): () => void
  close (): void
}

/** Several listeners to one topic are one subscription. */
export function createTopics (pubsub: GossipSub): Topics {
  type Listener = (message: Uint8Array, from: string) => void
  const listeners = new Map<string, Set<{ call: Listener }>>()

  const onMessage = (event: CustomEvent<Message>): void => {
    const message = event.detail
    if (message.type !== 'signed') return
    const called = listeners.get(message.topic)
    if (called === undefined) return
    // A copy: what libp2p hands out is a view, in Node a Buffer, of a whole transmission.
    const data = new Uint8Array(message.data)
    for (const listener of called) listener.call(data, message.from.toString())
  }
  pubsub.addEventListener('message', onMessage)

  return {
    subscribe (topic, onMessage) {
      const listener = { call: onMessage }
      const known = listeners.get(topic)
      if (known === undefined) {
        listeners.set(topic, new Set([listener]))
        pubsub.subscribe(topic)
      } else known.add(listener)
      return () => {
        const left = listeners.get(topic)
        if (left === undefined || !left.delete(listener) || left.size > 0) return
        listeners.delete(topic)
        pubsub.unsubscribe(topic)
      }
    },
    close () {
      // Not unsubscribed one by one: peers see the connection end.
      listeners.clear()
      pubsub.removeEventListener('message', onMessage)
    }
  }
}

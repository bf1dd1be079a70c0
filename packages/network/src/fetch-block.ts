import { BlockNotFoundError, checkBlock, checkCidKind, type CallOptions, type Clock } from '@holdfast/protocol'
import type { BlockBroker } from 'helia'
import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'

/** A peer that has not answered by then is not waited for any longer before the next is asked as well. Milliseconds. */
const NEXT_PEER_MS = 1_000
/**
 * Helia's ledger takes a second request for a block it has sent for the first one repeated, and drops both without an
 * answer; the next it serves. So a question without an answer is asked once more. Milliseconds.
 */
const ASK_AGAIN_MS = 500
/** That ledger says once per connection that it lacks a block. To whom it has said so, silence for this long says it again. Milliseconds. */
const SILENCE_MS = 1_000
/** Refusals remembered for one connection, so that a peer cannot fill this device's memory by refusing. */
const MAX_REFUSALS = 10_000

export interface FetchComponents {
  broker: BlockBroker
  clock: Clock
  timeoutMs: number
  connectedPeers (): PeerId[]
}

export interface BlockFetcher {
  fetch (cid: CID, options?: CallOptions): Promise<Uint8Array>
  /** What a peer lacked is asked of it afresh when it comes back. */
  disconnected (peer: string): void
}

/**
 * Fetches one block by bitswap. One peer is asked after another, the one that served last first: a want sent to all would
 * bring the same bytes from each of them, and those who lack it say so, which ends a vain search within a round trip.
 */
export function createBlockFetcher (components: FetchComponents): BlockFetcher {
  const { broker, clock, timeoutMs } = components
  const refusals = new Map<string, Set<string>>()
  let lastServer: string | null = null

  const after = async (ms: number, signal: AbortSignal): Promise<void> => new Promise(resolve => {
    signal.addEventListener('abort', clock.schedule(ms, resolve), { once: true })
  })

  const askOnce = async (cid: CID, peer: PeerId, signal: AbortSignal): Promise<Uint8Array> => {
    const session = broker.createSession?.({ providers: [peer.toCID()], minProviders: 1, maxProviders: 1 })
    const bytes = await session?.retrieve?.(cid, { signal })
    if (bytes === undefined) throw new BlockNotFoundError(cid.toString())
    // A copy: what libp2p hands out is a view, in Node a Buffer, of a transmission of up to 4 MiB.
    return (await checkBlock(cid, new Uint8Array(bytes))).bytes
  }

  const ask = async (cid: CID, peer: PeerId, signal: AbortSignal): Promise<Uint8Array> => {
    const said = refusals.get(peer.toString()) ?? new Set()
    const settled = new AbortController()
    const answers = [askOnce(cid, peer, signal), after(ASK_AGAIN_MS, settled.signal).then(async () => askOnce(cid, peer, signal))]
    if (said.has(cid.toString())) answers.push(after(SILENCE_MS, settled.signal).then(() => { throw new BlockNotFoundError(cid.toString()) }))
    try {
      const bytes = await Promise.race(answers)
      lastServer = peer.toString()
      return bytes
    } catch (error) {
      if (!signal.aborted && said.size < MAX_REFUSALS) refusals.set(peer.toString(), said.add(cid.toString()))
      throw error
    } finally {
      settled.abort()
    }
  }

  /** Asks each in turn, and beside those that take their time. Throws when all have refused. */
  const askAll = async (cid: CID, peers: readonly PeerId[], signal: AbortSignal): Promise<Uint8Array> => {
    const attempts: Promise<Uint8Array>[] = []
    for (const peer of peers) {
      const attempt = ask(cid, peer, signal)
      attempts.push(attempt)
      const served = Promise.any(attempts).then(() => true, () => false)
      const refused = attempt.then(() => true, () => false)
      if (await Promise.race([served, refused, after(NEXT_PEER_MS, signal).then(() => false)])) break
    }
    return Promise.any(attempts).catch(() => { throw new BlockNotFoundError(cid.toString()) })
  }

  return {
    async fetch (cid, { signal } = {}) {
      checkCidKind(cid)
      signal?.throwIfAborted()
      const peers = components.connectedPeers().toSorted((a, b) => Number(b.toString() === lastServer) - Number(a.toString() === lastServer))
      const done = new AbortController()
      const onAbort = (): void => done.abort(signal?.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      const cancelTimeout = clock.schedule(timeoutMs, () => done.abort(new BlockNotFoundError(cid.toString())))
      const given = new Promise<never>((_resolve, reject) => { done.signal.addEventListener('abort', () => reject(done.signal.reason), { once: true }) })
      try {
        return await Promise.race([askAll(cid, peers, done.signal), given])
      } finally {
        cancelTimeout()
        signal?.removeEventListener('abort', onAbort)
        done.abort()
      }
    },
    disconnected: peer => { refusals.delete(peer) }
  }
}

import { InvalidArgumentError, type Clock } from '@holdfast/protocol'
import { multiaddr } from '@multiformats/multiaddr'

/** Waits between attempts, milliseconds: half a second, doubling, up to half a minute. */
export const REDIAL = { first: 500, factor: 2, most: 30_000 } as const

export interface Dialler {
  /** Connects to a peer at one of its addresses. */
  dial (addresses: readonly string[], signal: AbortSignal): Promise<void>
  isConnected (peer: string): boolean
  hangUp (peer: string): Promise<void>
}

export interface Redialler {
  keep (addresses: readonly string[]): void
  forget (addresses: readonly string[]): void
  keeps (peer: string): boolean
  connected (peer: string): void
  disconnected (peer: string): void
  /** Stops all waiting and dialling; resolves when no attempt is left. */
  close (): Promise<void>
}

interface Kept {
  readonly addresses: Set<string>
  readonly stopped: AbortController
  failures: number
  connectedAt: number | null
  cancelWait: (() => void) | null
}

/** The peer that an address leads to. Throws InvalidArgumentError when it names none: anyone could answer there. */
export function peerOfAddress (address: string): string {
  let peer: string | undefined
  try {
    peer = multiaddr(address).getComponents().findLast(part => part.name === 'p2p')?.value
  } catch (cause) {
    throw new InvalidArgumentError(`"${address}" is not a multiaddr`, undefined, { address, cause })
  }
  if (peer === undefined) throw new InvalidArgumentError(`"${address}" does not say which peer it leads to`, 'Add its peer id: …/p2p/12D3Koo….', { address })
  return peer
}

export const redialDelay = (failures: number): number => Math.min(REDIAL.first * REDIAL.factor ** Math.max(0, failures - 1), REDIAL.most)

/** Keeps connections to chosen peers. Its own timers are the clock's, so tests decide when it tries again. */
export function createRedialler (dialler: Dialler, clock: Clock): Redialler {
  const peers = new Map<string, Kept>()
  const running = new Set<Promise<void>>()
  let closed = false

  const attempt = (peer: string, kept: Kept): void => {
    kept.cancelWait = null
    if (closed || kept.stopped.signal.aborted || dialler.isConnected(peer)) return
    const job = dialler.dial([...kept.addresses], kept.stopped.signal).catch(() => {
      // Why it failed changes nothing: the peer may be off, or the addresses of tomorrow's network.
      kept.failures++
      wait(peer, kept)
    }).finally(() => running.delete(job))
    running.add(job)
  }

  const wait = (peer: string, kept: Kept): void => {
    if (closed || kept.stopped.signal.aborted || kept.cancelWait !== null) return
    kept.cancelWait = clock.schedule(redialDelay(kept.failures), () => attempt(peer, kept))
  }

  const stop = (kept: Kept): void => {
    kept.cancelWait?.()
    kept.cancelWait = null
    kept.stopped.abort()
  }

  return {
    keep (addresses) {
      if (closed) return
      const named = addresses.map(address => [peerOfAddress(address), address] as const)
      for (const [peer, address] of named) {
        const kept = peers.get(peer) ?? { addresses: new Set<string>(), stopped: new AbortController(), failures: 0, connectedAt: null, cancelWait: null }
        if (kept.addresses.has(address)) continue
        kept.addresses.add(address)
        peers.set(peer, kept)
      }
      // After all of a peer's addresses are known, so that the first attempt tries each.
      for (const peer of new Set(named.map(([peer]) => peer))) {
        const kept = peers.get(peer)!
        kept.cancelWait?.()
        attempt(peer, kept)
      }
    },
    forget (addresses) {
      for (const address of addresses) {
        const peer = peerOfAddress(address)
        const kept = peers.get(peer)
        if (kept === undefined || !kept.addresses.delete(address) || kept.addresses.size > 0) continue
        peers.delete(peer)
        stop(kept)
        const job = dialler.hangUp(peer).finally(() => running.delete(job))
        running.add(job)
      }
    },
    keeps: peer => peers.has(peer),
    connected (peer) {
      const kept = peers.get(peer)
      if (kept === undefined) return
      kept.cancelWait?.()
      kept.cancelWait = null
      kept.connectedAt = clock.now()
    },
    disconnected (peer) {
      const kept = peers.get(peer)
      if (kept === undefined) return
      // A peer that takes the connection and drops it at once counts as a failure, or the two would spin.
      const lasted = kept.connectedAt === null ? 0 : clock.now() - kept.connectedAt
      kept.failures = lasted >= REDIAL.most ? 0 : kept.failures + 1
      kept.connectedAt = null
      wait(peer, kept)
    },
    async close () {
      closed = true
      for (const kept of peers.values()) stop(kept)
      await Promise.all(running)
    }
  }
}

import { MAX_BLOCKS_PER_REQUEST, QuotaExceededError, type BlockStore, type CallOptions, type Clock, type RecordStore } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { abortable } from './abortable.js'
import { mapParallel } from './batches.js'
import type { BlockFacts, Ledger, Owner, Quotas } from './ledger.js'
import { walkIncomplete, type Walk } from './walk.js'

/**
 * Finds out whether all that a root reaches is here, flushes it, and writes that down (NODE-4). What is written
 * down is true of the disk: blocks are flushed before their records say "complete".
 */
export interface Completeness {
  /** Empty when the root is complete, otherwise some of what is missing. Throws QuotaExceededError over the vault's quota. */
  settle (root: CID, owner: Owner, options?: CallOptions): Promise<readonly CID[]>
  /** Blocks that garbage collection took, or no longer calls complete: walks that rest on them start again. */
  invalidate (ids: Iterable<string>): void
  /** Told whenever blocks were found complete and written down as such. */
  onCompleted (listener: () => void): void
}

const WRITE_BATCH = 2_000
const READS_IN_FLIGHT = 64

export function createCompleteness ({ blocks, records, ledger, clock, quotas }: { blocks: BlockStore, records: RecordStore, ledger: Ledger, clock: Clock, quotas: Quotas }): Completeness {
  const running = new Set<{ visited: Set<string>, stale: boolean }>()
  const underway = new Map<string, Promise<readonly CID[]>>()
  const listeners = new Set<() => void>()

  const commit = async (walk: Walk, owner: Owner): Promise<void> => {
    const changes = new Map<CID, { before: BlockFacts | undefined, after: BlockFacts }>()
    const at = clock.now()
    let added = 0
    const completed = [...walk.completed]
    // Read again under the lock: an upload of the same block may have changed its record since the walk.
    const known = await mapParallel(completed, READS_IN_FLIGHT, async ([cid]) => ledger.facts(cid))
    for (const [i, [cid, { size }]] of completed.entries()) {
      const before = known[i]
      if (before?.complete === true) continue
      added += size
      changes.set(cid, { before, after: { size, at, owner, complete: true } })
    }
    if (quotas.vault !== null && owner.startsWith('vault:') && ledger.usedBy(owner) + added > quotas.vault) throw new QuotaExceededError(quotas.where, quotas.vault)
    await blocks.flush()
    for (const listener of listeners) listener()
    for (const part of parts([...changes], WRITE_BATCH)) {
      const { records: writes, apply } = ledger.change(new Map(part))
      await records.write(writes, { durable: true })
      apply()
    }
  }

  const settle = async (root: CID, owner: Owner, options: CallOptions): Promise<readonly CID[]> => {
    for (;;) {
      const run = { visited: new Set<string>(), stale: false }
      running.add(run)
      try {
        const walk = await walkIncomplete(root, { blocks, ledger, maxMissing: MAX_BLOCKS_PER_REQUEST }, { ...options, visited: run.visited })
        const fresh = await ledger.lock.run(async () => {
          if (run.stale) return false
          if (walk.completed.size > 0) await commit(walk, owner)
          return true
        })
        if (fresh) return walk.missing
      } finally { running.delete(run) }
    }
  }
  return {
    async settle (root, owner, options = {}) {
      options.signal?.throwIfAborted()
      // Devices ask about one root again and again: they share a walk. A caller's abort ends its own waiting alone.
      const key = `${owner} ${root.toString()}`
      let shared = underway.get(key)
      if (shared === undefined) {
        shared = settle(root, owner, {}).finally(() => underway.delete(key))
        underway.set(key, shared)
      }
      return abortable(shared, options.signal)
    },
    invalidate (ids) {
      for (const id of ids) for (const run of running) if (run.visited.has(id)) run.stale = true
    },
    onCompleted (listener) { listeners.add(listener) }
  }
}

function * parts<T> (items: readonly T[], size: number): Generator<T[]> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size)
}

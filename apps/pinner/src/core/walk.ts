import { blockId, blockLinks, BlockNotFoundError, checkCidKind, DAG_CBOR, type BlockStore, type CallOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { mapParallel } from './batches.js'
import type { BlockFacts, Ledger } from './ledger.js'

export interface Walk {
  /** Blocks that are here with all they reach, and that the ledger does not know as such yet. */
  readonly completed: ReadonlyMap<CID, { before: BlockFacts | undefined, size: number }>
  /** Some of what is not here, at most `maxMissing`. Empty when the root is complete. */
  readonly missing: readonly CID[]
  /** Every id that the result rests on. */
  readonly visited: ReadonlySet<string>
}

interface Visit { readonly cid: CID, readonly parents: Visit[], before: BlockFacts | undefined, size: number, incomplete: boolean }

const READS_IN_FLIGHT = 16

/**
 * Walks what a root reaches by plain DAG-CBOR links and stops at blocks that the ledger knows complete, so that
 * the cost is that of what is new. Breadth first; each block is visited once.
 */
export async function walkIncomplete (root: CID, { blocks, ledger, maxMissing }: { blocks: BlockStore, ledger: Ledger, maxMissing: number }, options: CallOptions & { visited?: Set<string> } = {}): Promise<Walk> {
  const visits = new Map<string, Visit>()
  const missing: CID[] = []
  const visited = options.visited ?? new Set<string>()
  let level = [arrive(visits, visited, root, null)!]
  while (level.length > 0 && missing.length < maxMissing) {
    options.signal?.throwIfAborted()
    const found = await mapParallel(level, READS_IN_FLIGHT, async visit => examine(visit, blocks, ledger, options))
    const next: Visit[] = []
    found.forEach((outcome, i) => {
      const visit = level[i]!
      if (outcome === 'missing') { if (missing.length < maxMissing) missing.push(visit.cid); markIncomplete(visit) }
      else if (outcome === 'known') visits.delete(blockId(visit.cid))
      else for (const link of outcome) {
        const child = arrive(visits, visited, link, visit)
        if (child !== undefined) next.push(child)
      }
    })
    level = next
  }
  for (const unvisited of level) markIncomplete(unvisited)
  const completed = new Map([...visits.values()].filter(visit => !visit.incomplete).map(visit => [visit.cid, { before: visit.before, size: visit.size }]))
  return { completed, missing, visited }
}

/** Notes a link. Returns the visit to make, or undefined when this block was met before. */
function arrive (visits: Map<string, Visit>, visited: Set<string>, cid: CID, parent: Visit | null): Visit | undefined {
  checkCidKind(cid)
  const id = blockId(cid)
  const earlier = visits.get(id)
  if (earlier !== undefined) {
    if (parent !== null) earlier.parents.push(parent)
    if (earlier.incomplete && parent !== null) markIncomplete(parent)
    return undefined
  }
  if (visited.has(id)) return undefined
  visited.add(id)
  const visit: Visit = { cid, parents: parent === null ? [] : [parent], before: undefined, size: 0, incomplete: false }
  visits.set(id, visit)
  return visit
}

async function examine (visit: Visit, blocks: BlockStore, ledger: Ledger, options: CallOptions): Promise<'known' | 'missing' | CID[]> {
  const facts = await ledger.facts(visit.cid, options)
  if (facts?.complete === true) return 'known'
  visit.before = facts
  if (visit.cid.code !== DAG_CBOR && facts !== undefined) {
    visit.size = facts.size
    return await blocks.has(visit.cid, options) ? [] : 'missing'
  }
  try {
    const bytes = await blocks.get(visit.cid, options)
    visit.size = bytes.length
    return blockLinks({ cid: visit.cid, bytes })
  } catch (error) {
    if (error instanceof BlockNotFoundError) return 'missing'
    throw error
  }
}

/** Whatever reaches an incomplete block is incomplete. */
function markIncomplete (visit: Visit): void {
  const stack = [visit]
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (at.incomplete) continue
    at.incomplete = true
    stack.push(...at.parents)
  }
}

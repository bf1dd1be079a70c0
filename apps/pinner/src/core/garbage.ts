import { blockLinks, BlockNotFoundError, DAG_CBOR, isHoldfastError, type Block, type BlockStore, type CallOptions, type Clock, type RecordStore } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { batches } from './batches.js'
import type { Completeness } from './completeness.js'
import type { BlockFacts, Ledger } from './ledger.js'
import type { Registry } from './registry.js'

export interface Collected {
  /** Blocks and bytes swept. */
  readonly blocks: number
  readonly bytes: number
  /** Blocks that nothing reaches any more, kept until their grace period is over. */
  readonly waiting: number
}

interface Components { registry: Registry, blocks: BlockStore, records: RecordStore, ledger: Ledger, completeness: Completeness, clock: Clock, uploadGraceMs: number }
type Swept = (cid: CID, facts: BlockFacts) => void

const SWEEP_BATCH = 500

/**
 * Marks what the pinned roots reach and sweeps the rest after a grace period, while uploads and receipts go on.
 *
 * 1. Mark from every pin.
 * 2. Unmarked blocks lose "complete" and their grace period begins. No block is deleted before none of its
 *    ancestors says that all below it is here; a kill in between leaves blocks that wait.
 * 3. Mark again from the pins there are now: roots that came meanwhile may rest on blocks of step 2.
 * 4. Delete what is unmarked, not complete and old: an upload in progress is young, a root completed meanwhile has
 *    made its blocks complete. Both are decided under the ledger's lock.
 *
 * While a root that was wholly here lacks a block with links, because the disk lost it, nothing is let go: what that block
 * reached cannot be known, and is to be there once a device brought the block again.
 */
export async function collectGarbage (components: Components, options: CallOptions & { onSwept?: Swept } = {}): Promise<Collected> {
  const marked = new Set<string>()
  const collected = await mark(components, marked, options) ? await release(components, marked, options) : { blocks: 0, bytes: 0, waiting: 0 }
  await adoptUncounted(components, options)
  return collected
}

async function release (components: Components, marked: Set<string>, options: CallOptions & { onSwept?: Swept }): Promise<Collected> {
  await demote(components, marked, options)
  const intact = await mark(components, marked, options)
  return intact ? sweep(components, marked, options) : { blocks: 0, bytes: 0, waiting: 0 }
}

/**
 * Everything that has to stay: wholly, or (roots of released heads, envelopes, direct pins) the block alone. The
 * latter are never marked: they stay, but nothing may say any longer that all below them is here. Roots in `arriving` have
 * perhaps not come wholly yet.
 */
function pinned (registry: Registry): { whole: CID[], arriving: CID[], alone: CID[] } {
  const whole: CID[] = []
  const arriving: CID[] = []
  const alone: CID[] = []
  for (const head of registry.head.values()) {
    if (head.root !== null) (head.released ? alone : arriving).push(head.root)
    if (head.pinned !== null) (head.released ? alone : whole).push(head.pinned)
  }
  for (const envelope of registry.envelope.values()) if (envelope.target !== null) alone.push(envelope.target)
  for (const pin of registry.pin.values()) (pin.recursive ? whole : alone).push(pin.cid)
  return { whole, arriving, alone }
}

/** Adds to `marked`; what is marked already is not walked again. False when something that was wholly here no longer is. */
async function mark ({ registry, blocks }: Components, marked: Set<string>, options: CallOptions): Promise<boolean> {
  const { whole, arriving } = pinned(registry)
  const intact = await markFrom(whole, blocks, marked, options)
  await markFrom(arriving, blocks, marked, options)
  return intact
}

/** Depth first, so that few blocks are in memory at once. False when a block was not here. */
async function markFrom (roots: readonly CID[], blocks: BlockStore, marked: Set<string>, options: CallOptions): Promise<boolean> {
  let intact = true
  const stack = [...roots]
  for (let cid = stack.pop(); cid !== undefined; cid = stack.pop()) {
    options.signal?.throwIfAborted()
    const id = cid.toString()
    if (marked.has(id)) continue
    marked.add(id)
    if (cid.code !== DAG_CBOR) continue
    const links = await linksOf(cid, blocks, options)
    if (links === undefined) intact = false
    else stack.push(...links)
  }
  return intact
}

/** Undefined when the block is not here. */
async function linksOf (cid: CID, blocks: BlockStore, options: CallOptions): Promise<CID[] | undefined> {
  try { return blockLinks({ cid, bytes: await blocks.get(cid, options) }) } catch (error) {
    if (error instanceof BlockNotFoundError) return undefined
    // An incomplete root, or one that holds something malformed: what is here of it stays, the rest goes on.
    if (isHoldfastError(error)) return []
    throw error
  }
}

async function demote ({ ledger, records, completeness, clock }: Components, marked: ReadonlySet<string>, options: CallOptions): Promise<void> {
  const unmarked = filterIds(ledger.all(options), ([id, facts]) => facts.complete && !marked.has(id))
  for await (const ids of batches(unmarked, { count: SWEEP_BATCH })) {
    await ledger.lock.run(async () => {
      const changes = new Map<CID, { before: BlockFacts, after: BlockFacts }>()
      for (const id of ids) {
        const cid = CID.parse(id)
        const before = await ledger.facts(cid, options)
        if (before?.complete === true) changes.set(cid, { before, after: { ...before, complete: false, at: clock.now() } })
      }
      completeness.invalidate(ids)
      const { records: writes, apply } = ledger.change(changes)
      await records.write(writes, { ...options, durable: true })
      apply()
    })
  }
}

async function sweep ({ registry, ledger, blocks, records, completeness, clock, uploadGraceMs }: Components, marked: ReadonlySet<string>, options: CallOptions & { onSwept?: Swept }): Promise<Collected> {
  const total = { blocks: 0, bytes: 0, waiting: 0 }
  const kept = (): Set<string> => new Set(Object.values(pinned(registry)).flat().map(cid => cid.toString()))
  const keptNow = kept()
  const old = (facts: BlockFacts): boolean => clock.now() - facts.at >= uploadGraceMs
  const unmarked = filterIds(ledger.all(options), ([id, facts]) => {
    if (facts.complete || marked.has(id) || keptNow.has(id)) return false
    if (!old(facts)) total.waiting++
    return old(facts)
  })
  for await (const ids of batches(unmarked, { count: SWEEP_BATCH })) {
    await ledger.lock.run(async () => {
      const targets = kept()
      const changes = new Map<CID, { before: BlockFacts, after: undefined }>()
      for (const id of ids) {
        const cid = CID.parse(id)
        const before = await ledger.facts(cid, options)
        if (before !== undefined && !before.complete && old(before) && !targets.has(id)) changes.set(cid, { before, after: undefined })
      }
      const swept = [...changes.keys()]
      completeness.invalidate(swept.map(cid => cid.toString()))
      // Blocks first: a kill in between leaves records of blocks that are gone, which the next run clears.
      await blocks.delete(swept, options)
      const { records: writes, apply } = ledger.change(changes)
      await records.write(writes, options)
      apply()
      for (const [cid, { before }] of changes) { total.blocks++; total.bytes += before.size; options.onSwept?.(cid, before) }
    })
  }
  return total
}

/** Blocks that no record counts (a power cut took the record, not the block) are counted from now on, and so swept one day. */
async function adoptUncounted ({ ledger, blocks }: Components, options: CallOptions): Promise<void> {
  for await (const group of batches(blocks.list(options), { count: SWEEP_BATCH })) {
    const uncounted: Block[] = []
    for (const cid of group) {
      if (await ledger.facts(cid, options) !== undefined) continue
      const bytes = await blocks.get(cid, options).catch((error: unknown) => {
        if (error instanceof BlockNotFoundError) return undefined
        throw error
      })
      if (bytes !== undefined) uncounted.push({ cid, bytes })
    }
    if (uncounted.length > 0) await ledger.adopt(uncounted, options)
  }
}

async function * filterIds (items: AsyncIterable<readonly [string, BlockFacts]>, matches: (item: readonly [string, BlockFacts]) => boolean): AsyncGenerator<string> {
  for await (const item of items) if (matches(item)) yield item[0]
}

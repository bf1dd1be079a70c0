import {
  blockId, checkVersion, decode, encode, equalBytes, fieldReader, isHoldfastError, QuotaExceededError,
  type AccountId, type Block, type BlockStore, type CallOptions, type Clock, type RecordChange, type RecordStore, type VaultId
} from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { createMutex, type Mutex } from './mutex.js'

/** Who a block counts for: the account that uploaded it until a complete root reaches it, then that root's vault. */
export type Owner = `account:${AccountId}` | `vault:${VaultId}` | 'operator' | 'pins'

export interface BlockFacts {
  /** Bytes. */
  readonly size: number
  /** When it was last uploaded, or last found to be reached by nothing. */
  readonly at: number
  readonly owner: Owner
  /** This block and all it reaches are here and flushed. A walk need not go below it. */
  readonly complete: boolean
}

/**
 * One small record for each block: its size, its owner, and whether all below it is here. The record is written
 * before the block, so that a kill in between leaves a record without a block, which garbage collection clears;
 * never a block that nothing counts.
 */
export interface Ledger {
  /** Held by whatever decides on the fate of blocks: putting, completing, sweeping. */
  readonly lock: Mutex
  facts (cid: CID, options?: CallOptions): Promise<BlockFacts | undefined>
  /** Counts and stores; a stored block with other bytes than this one is replaced. Throws QuotaExceededError, before anything is stored. */
  add (blocks: readonly Block[], owner: Owner, options?: CallOptions): Promise<void>
  /** Counts blocks that are here already, whatever the quota says: what is here is here. */
  adopt (blocks: readonly Block[], options?: CallOptions): Promise<void>
  /** The caller holds the lock. Totals follow. The records to write are returned, to be written with others at once. */
  change (changes: ReadonlyMap<CID, { before: BlockFacts | undefined, after: BlockFacts | undefined }>): { records: RecordChange[], apply: () => void }
  all (options?: CallOptions): AsyncIterable<readonly [id: string, facts: BlockFacts]>
  used (): number
  count (): number
  usedBy (owner: Owner): number
}

const VERSION = 1
const PREFIX = 'pinner/block/'
const keyOf = (cid: CID): string => PREFIX + blockId(cid)
const toBytes = (f: BlockFacts): Uint8Array => encode({ v: VERSION, size: f.size, at: f.at, owner: f.owner, complete: f.complete ? 1 : 0 })

function fromBytes (bytes: Uint8Array): BlockFacts {
  const value = decode(bytes, 'block record')
  checkVersion('block record', value, VERSION)
  const f = fieldReader('block record', value)
  return { size: f.integer('size'), at: f.integer('at'), owner: f.text('owner', 128) as Owner, complete: f.integer('complete', 0, 1) === 1 }
}

export interface Quotas {
  /** The node's name in errors. */
  readonly where: string
  /** In all. Bytes; null for none. */
  readonly total: number | null
  /** For one vault. Bytes; null for none. */
  readonly vault: number | null
}

export async function openLedger ({ records, blocks, clock, quotas }: { records: RecordStore, blocks: BlockStore, clock: Clock, quotas: Quotas }): Promise<Ledger> {
  const lock = createMutex()
  const totals = createTotals()
  const all = async function * (options?: CallOptions): AsyncGenerator<readonly [string, BlockFacts]> {
    for await (const [key, value] of records.range({ prefix: PREFIX }, options)) yield [key.slice(PREFIX.length), fromBytes(value)]
  }
  for await (const [, facts] of all()) totals.add(facts, 1)

  const facts = async (cid: CID, options?: CallOptions): Promise<BlockFacts | undefined> => {
    const bytes = await records.get(keyOf(cid), options)
    return bytes === undefined ? undefined : fromBytes(bytes)
  }
  const change: Ledger['change'] = changes => ({
    records: [...changes].map(([cid, { after }]) => ({ key: keyOf(cid), value: after === undefined ? undefined : toBytes(after) })) as RecordChange[],
    apply () {
      for (const { before, after } of changes.values()) {
        if (before !== undefined) totals.add(before, -1)
        if (after !== undefined) totals.add(after, 1)
      }
    }
  })
  const count = async (added: readonly Block[], owner: Owner, limit: number | null, options?: CallOptions): Promise<Block[]> => {
    const known = await Promise.all(added.map(async block => facts(block.cid, options)))
    const at = clock.now()
    const changes = new Map<CID, { before: BlockFacts | undefined, after: BlockFacts }>()
    let fresh = 0
    added.forEach((block, i) => {
      const before = known[i]
      if (before?.complete === true) return
      if (before === undefined) fresh += block.bytes.length
      changes.set(block.cid, { before, after: before === undefined ? { size: block.bytes.length, at, owner, complete: false } : { ...before, at } })
    })
    if (limit !== null && fresh > 0 && totals.used + fresh > limit) throw new QuotaExceededError(quotas.where, limit)
    const { records: writes, apply } = change(changes)
    if (writes.length > 0) await records.write(writes, options)
    apply()
    return added.filter((_, i) => known[i] !== undefined)
  }
  const isBad = async ({ cid, bytes }: Block): Promise<boolean> => {
    try { return !equalBytes(await blocks.get(cid), bytes) } catch (error) {
      // Whatever keeps it from being read, the good bytes are at hand.
      if (isHoldfastError(error)) return true
      throw error
    }
  }
  /** A store takes a CID that it knows for stored. So blocks that were here before are compared with what came; few uploads have any. */
  const replaceBad = async (known: readonly Block[], options?: CallOptions): Promise<void> => {
    const bad: Block[] = []
    for (const block of known) {
      options?.signal?.throwIfAborted()
      if (await isBad(block)) bad.push(block)
    }
    if (bad.length === 0) return
    await lock.run(async () => {
      const still: Block[] = []
      for (const block of bad) if (await isBad(block)) still.push(block)
      if (still.length === 0) return
      await blocks.delete(still.map(block => block.cid))
      await blocks.put(still)
      // Some may be called complete already, which says that they are on the disk.
      await blocks.flush()
    })
  }
  return {
    lock, facts, all, change,
    async add (added, owner, options) {
      const distinct = [...new Map(added.map(block => [blockId(block.cid), block])).values()]
      const known = await lock.run(async () => count(distinct, owner, quotas.total, options))
      await replaceBad(known, options)
      await blocks.put(distinct, options)
    },
    adopt: async (found, options) => lock.run(async () => { await count(found, 'operator', null, options) }),
    used: () => totals.used,
    count: () => totals.blocks,
    usedBy: owner => totals.owners.get(owner) ?? 0
  }
}

function createTotals (): { used: number, blocks: number, owners: Map<Owner, number>, add: (facts: BlockFacts, sign: 1 | -1) => void } {
  const owners = new Map<Owner, number>()
  return {
    used: 0,
    blocks: 0,
    owners,
    add (facts, sign) {
      this.used += sign * facts.size
      this.blocks += sign
      const left = (owners.get(facts.owner) ?? 0) + sign * facts.size
      if (left === 0) owners.delete(facts.owner)
      else owners.set(facts.owner, left)
    }
  }
}

import type { BlockStore, CallOptions, Clock, Random } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { abortable } from './abortable.js'
import { batches, mapParallel } from './batches.js'
import type { Damage } from './damage.js'
import type { Ledger } from './ledger.js'
import { AUDIT_EVERY_MS } from './limits.js'
import { readSound } from './sound-blocks.js'

/** Whether the blocks of which the ledger says "complete" are still there. */
export interface Audit {
  /** Looks up each of them, and reads some; once one of those is bad, all. Not again within AUDIT_EVERY_MS. Callers at the same time share a look. */
  recent (options?: CallOptions): Promise<void>
  /** Reads every one of them. Resolves to how many were bad. */
  thorough (options?: CallOptions): Promise<number>
}

const BATCH = 256
const LOOKUPS_IN_FLIGHT = 32
/** Blocks that a look reads, spread evenly: a lost pack of blocks in a store of a few dozen shows at once. */
const SAMPLES = 64

export function createAudit ({ blocks, ledger, damage, clock, random }: { /** as they are on the disk */ blocks: BlockStore, ledger: Ledger, damage: Damage, clock: Clock, random: Random }): Audit {
  let last = -Infinity
  let underway: Promise<void> | null = null

  const check = async (isSound: (cid: CID, index: number) => Promise<boolean>, options: CallOptions): Promise<number> => {
    let index = 0
    let bad = 0
    for await (const group of batches(ledger.all(options), { count: BATCH })) {
      const cids = group.filter(([, facts]) => facts.complete).map(([id]) => CID.parse(id))
      const start = index
      const sound = await mapParallel(cids.map((cid, i) => ({ cid, index: start + i })), LOOKUPS_IN_FLIGHT, async item => isSound(item.cid, item.index))
      index += cids.length
      const lost = cids.filter((_, i) => sound[i] === false)
      bad += lost.length
      if (lost.length > 0) await damage.report(lost)
    }
    return bad
  }
  const readable = async (cid: CID): Promise<boolean> => await readSound(blocks, cid) !== undefined
  const thorough = async (options: CallOptions): Promise<number> => check(readable, options)

  const look = async (options: CallOptions): Promise<void> => {
    // Ids are hashes: every n-th of them is a fair sample, another one each time.
    const stride = Math.max(1, Math.floor(ledger.count() / SAMPLES))
    const offset = random.bytes(4).reduce((sum, byte) => sum * 256 + byte, 0) % stride
    let unreadable = 0
    await check(async (cid, index) => {
      if (index % stride !== offset) return blocks.has(cid)
      const sound = await readable(cid)
      if (!sound) unreadable++
      return sound
    }, options)
    if (unreadable > 0) await thorough(options)
    last = clock.now()
  }
  return {
    async recent (options = {}) {
      const age = clock.now() - last
      if (age >= 0 && age < AUDIT_EVERY_MS) return
      underway ??= look({}).finally(() => { underway = null })
      await abortable(underway, options.signal)
    },
    thorough: async (options = {}) => thorough(options)
  }
}

import { CorruptBlockError, DAG_CBOR, type BlockStore, type Clock, type RecordStore } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { batches } from './batches.js'
import type { Completeness } from './completeness.js'
import type { PinnerEvent } from './events.js'
import type { BlockFacts, Ledger } from './ledger.js'
import { readSound } from './sound-blocks.js'

/** What follows from blocks that the disk lost or spoiled. */
export interface Damage {
  /**
   * Blocks that were found missing or with other bytes than their CID says. Those that are so still leave the store, so
   * that an upload brings good ones, and nothing that may reach them is called complete any longer (NODE-4). Blocks that the
   * node never had are none of its business.
   */
  report (cids: readonly CID[]): Promise<void>
}

interface Components { /** as they are on the disk */ blocks: BlockStore, records: RecordStore, ledger: Ledger, completeness: Completeness, clock: Clock, emit: (event: PinnerEvent) => void }
type Demoted = Map<CID, { before: BlockFacts, after: BlockFacts }>

const WRITE_BATCH = 2_000

export function createDamage ({ blocks, records, ledger, completeness, clock, emit }: Components): Damage {
  /** False while no DAG-CBOR block is called complete because of an earlier report. */
  let marks = true
  completeness.onCompleted(() => { marks = true })

  const demote = async (changes: Demoted): Promise<void> => {
    const { records: writes, apply } = ledger.change(changes)
    await records.write(writes, { durable: true })
    apply()
    completeness.invalidate([...changes.keys()].map(cid => cid.toString()))
  }
  const demoted = (before: BlockFacts): { before: BlockFacts, after: BlockFacts } => ({ before, after: { ...before, complete: false, at: clock.now() } })
  /** A record does not say who links to its block, so every one that has links loses its mark. Walking them again is the rare price. */
  const demoteAncestors = async (except: ReadonlySet<string>): Promise<void> => {
    if (!marks) return
    for await (const group of batches(ledger.all(), { count: WRITE_BATCH })) {
      const changes: Demoted = new Map()
      for (const [id, facts] of group) {
        if (!facts.complete || except.has(id)) continue
        const cid = CID.parse(id)
        if (cid.code === DAG_CBOR) changes.set(cid, demoted(facts))
      }
      if (changes.size > 0) await demote(changes)
    }
    marks = false
  }
  const known = async (cid: CID): Promise<boolean> => (await ledger.facts(cid))?.complete === true || blocks.has(cid)
  return {
    async report (cids) {
      const suspects: CID[] = []
      for (const cid of cids) if (await known(cid)) suspects.push(cid)
      if (suspects.length === 0) return
      await ledger.lock.run(async () => {
        const lost: Demoted = new Map()
        const spoiled: CID[] = []
        for (const cid of suspects) {
          // Read once more: an upload may have brought it meanwhile.
          if (await readSound(blocks, cid) !== undefined) continue
          if (await blocks.has(cid)) spoiled.push(cid)
          const facts = await ledger.facts(cid)
          if (facts?.complete === true) lost.set(cid, demoted(facts))
        }
        if (spoiled.length > 0) await blocks.delete(spoiled)
        if (lost.size > 0) {
          // Their own marks go last: a kill before leaves a mark without a block, by which the next audit finds them again.
          await demoteAncestors(new Set([...lost.keys()].map(cid => cid.toString())))
          for await (const part of batches(lost, { count: WRITE_BATCH })) await demote(new Map(part))
        }
        const count = new Set([...lost.keys(), ...spoiled].map(cid => cid.toString())).size
        if (count > 0) emit({ type: 'error', error: new CorruptBlockError(`${count} blocks on this disk are damaged or missing; devices that have them bring them again`, { blocks: count }) })
      })
    }
  }
}

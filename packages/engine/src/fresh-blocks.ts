import { blockId, checkVersion, CorruptBlockError, decode, encode, type BlockId, type RecordChange, type RecordStore } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import type { VaultRecordKeys } from './state-records.js'

/**
 * Blocks that this device made and that not every node has a receipt for: what "pending" means, and what is
 * uploaded without asking first. Kept as one list for each commit, dropped when receipts cover the commit.
 */
export interface FreshBlocks {
  readonly count: number
  has (block: BlockId): boolean
  note (commit: number, cids: readonly CID[]): void
  /** Records to delete once every node has a receipt for a state that includes this commit. */
  covered (commit: number): RecordChange[]
}

const VERSION = 1
export const encodeFresh = (cids: readonly CID[]): Uint8Array => encode({ v: VERSION, blocks: cids })

function decodeFresh (bytes: Uint8Array): CID[] {
  const value = decode(bytes, 'list of fresh blocks')
  checkVersion('list of fresh blocks', value, VERSION)
  const blocks = value['blocks']
  if (!Array.isArray(blocks)) throw new CorruptBlockError('list of fresh blocks has no list')
  return blocks.map(block => {
    const cid = CID.asCID(block)
    if (cid === null) throw new CorruptBlockError('list of fresh blocks names no CID')
    return cid
  })
}

export async function loadFreshBlocks (records: RecordStore, keys: VaultRecordKeys): Promise<FreshBlocks> {
  const commits = new Map<number, BlockId[]>()
  const uses = new Map<BlockId, number>()
  const note = (commit: number, cids: readonly CID[]): void => {
    if (cids.length === 0) return
    const ids = cids.map(blockId)
    commits.set(commit, ids)
    for (const id of ids) uses.set(id, (uses.get(id) ?? 0) + 1)
  }
  for await (const [key, value] of records.range({ prefix: keys.fresh })) note(Number(key.slice(keys.fresh.length)), decodeFresh(value))
  return {
    get count () { return uses.size },
    has: block => uses.has(block),
    note,
    covered (commit) {
      const changes: RecordChange[] = []
      for (const [number, ids] of commits) {
        if (number > commit) continue
        commits.delete(number)
        changes.push({ key: keys.freshCommit(number), value: undefined })
        for (const id of ids) {
          const left = (uses.get(id) ?? 1) - 1
          if (left === 0) uses.delete(id)
          else uses.set(id, left)
        }
      }
      return changes
    }
  }
}

import type { Block } from '@holdfast/protocol'
import { endsGroup, MAX_UNSPLIT_ENTRIES, sealedListOf, sumOf, type ChunkList, type ListEntry } from './chunk-list.js'
import type { FileKeys } from './types.js'
import type { Sealer } from './sealed-block.js'

/** Builds a file's list of chunks as they come, keeping one open group of each level in memory. */
export interface ListBuilder {
  /** Gives the index blocks that are complete now. */
  add (entry: ListEntry): Promise<Block[]>
  /** Gives the last index blocks, and the list that goes into the file node. */
  finish (): Promise<{ list: ChunkList, blocks: Block[] }>
}

/** Entries of one depth that are in no index block yet. `split`: there were too many for a file node, so groups leave as they end. */
interface Level { entries: ListEntry[], split: boolean }

export function createListBuilder (sealer: Sealer, keys: FileKeys): ListBuilder {
  const levels: Level[] = []
  const sealGroup = async (entries: ListEntry[], depth: number): Promise<Block[]> => {
    const { block, key } = await sealer.sealList(keys.index, entries.map(entry => entry.cid), sealedListOf(entries))
    return [block, ...await addAt(depth, { cid: block.cid, key, length: sumOf(entries) })]
  }
  const addAt = async (depth: number, entry: ListEntry): Promise<Block[]> => {
    const level = levels[depth] ??= { entries: [], split: false }
    level.entries.push(entry)
    if (level.split) return endsGroup(entry, level.entries.length) ? sealGroup(level.entries.splice(0), depth + 1) : []
    if (level.entries.length <= MAX_UNSPLIT_ENTRIES) return []
    // One too many: from here on groups leave as they end, beginning with those that ended before.
    level.split = true
    const blocks: Block[] = []
    for (const earlier of level.entries.splice(0)) blocks.push(...await addAt(depth, earlier))
    return blocks
  }
  return {
    add: async entry => addAt(0, entry),
    async finish () {
      const blocks: Block[] = []
      let depth = 0
      for (; levels[depth]!.split; depth++) {
        const rest = levels[depth]!.entries.splice(0)
        if (rest.length > 0) blocks.push(...await sealGroup(rest, depth + 1))
      }
      return { list: { depth: depth + 1, entries: levels[depth]!.entries }, blocks }
    }
  }
}

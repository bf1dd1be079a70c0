import { blockId, MAX_ANNOUNCEMENT_INLINE_BYTES, type Block, type BlockId } from '@holdfast/protocol'

/** Blocks made since the last publication, for as long as they are small enough to travel inside its announcement (ANN-1). */
export interface RecentBlocks {
  add (blocks: readonly Block[]): void
  /** Something new is too large to announce. */
  exceed (): void
  /** What is new since the last call; null when it grew too large to announce. */
  take (): Block[] | null
}

/** CID and framing of one block inside an announcement, bytes. */
const OVERHEAD = 64

export function createRecentBlocks (limit = MAX_ANNOUNCEMENT_INLINE_BYTES): RecentBlocks {
  let blocks = new Map<BlockId, Block>()
  let size = 0
  return {
    add (added) {
      for (const block of added) {
        if (size > limit) return
        const id = blockId(block.cid)
        if (blocks.has(id)) continue
        size += block.bytes.length + OVERHEAD
        blocks.set(id, block)
      }
      if (size > limit) blocks.clear()
    },
    exceed () {
      size = Infinity
      blocks.clear()
    },
    take () {
      const taken = size > limit ? null : [...blocks.values()]
      blocks = new Map()
      size = 0
      return taken
    }
  }
}

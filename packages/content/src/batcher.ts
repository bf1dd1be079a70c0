import type { Block } from '@holdfast/protocol'
import { observe } from './ordered-queue.js'
import type { BlockSink } from './types.js'

/** Hands blocks to a sink in batches, one at a time, and lets sealing go on while the sink stores. */
export interface Batcher {
  add (blocks: readonly Block[]): Promise<void>
  finish (): Promise<void>
  /** Waits until the sink is at rest. */
  settle (): Promise<void>
}

const BATCH_BYTES = 2 << 20

export function createBatcher (sink: BlockSink): Batcher {
  let batch: Block[] = []
  let bytes = 0
  let storing: Promise<void> | undefined
  const store = async (): Promise<void> => {
    await storing
    if (batch.length === 0) return
    storing = sink(batch)
    observe(storing)
    batch = []
    bytes = 0
  }
  return {
    async add (blocks) {
      for (const block of blocks) {
        batch.push(block)
        bytes += block.bytes.length
      }
      if (bytes >= BATCH_BYTES) await store()
    },
    async finish () {
      await store()
      await storing
    },
    async settle () { await Promise.allSettled([storing]) }
  }
}

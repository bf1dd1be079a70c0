import { BlockNotFoundError, MAX_BLOCKS_PER_REQUEST, checkBlock, type Block, type CallOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'

/** The bytes of one block. Throws BlockNotFoundError. */
export type BlockReader = (cid: CID, options?: CallOptions) => Promise<Uint8Array>

/** The bytes of many blocks in one round trip, by `cid.toString()`; what is not there is left out. */
export type BatchReader = (cids: CID[], options?: CallOptions) => Promise<Map<string, Uint8Array>>

/** Where blocks come from: one by one, or many in one round trip. */
export type BlockSource = BlockReader | { readonly readMany: BatchReader }

/** Bytes by `cid.toString()`, in as few round trips as the source allows; missing blocks are left out. */
async function readPresent (source: BlockSource, cids: CID[], options: CallOptions): Promise<Map<string, Uint8Array>> {
  if (typeof source !== 'function') return source.readMany(cids, options)
  const found = new Map<string, Uint8Array>()
  await Promise.all(cids.map(async cid => {
    try {
      found.set(cid.toString(), await source(cid, options))
    } catch (error) {
      if (!(error instanceof BlockNotFoundError)) throw error
    }
  }))
  return found
}

/**
 * Blocks in the order asked for, each checked against its CID; `undefined` where the source has none.
 * Throws CorruptBlockError.
 */
export async function readAvailable (source: BlockSource, cids: readonly CID[], options: CallOptions = {}): Promise<(Block | undefined)[]> {
  const blocks: (Block | undefined)[] = []
  for (let start = 0; start < cids.length; start += MAX_BLOCKS_PER_REQUEST) {
    options.signal?.throwIfAborted()
    const wanted = cids.slice(start, start + MAX_BLOCKS_PER_REQUEST)
    const found = await readPresent(source, wanted, options)
    blocks.push(...await Promise.all(wanted.map(async cid => {
      const bytes = found.get(cid.toString())
      return bytes === undefined ? undefined : checkBlock(cid, bytes)
    })))
  }
  return blocks
}

/** Blocks in the order asked for, each checked against its CID. Throws BlockNotFoundError, CorruptBlockError. */
export async function readBlocks (source: BlockSource, cids: readonly CID[], options: CallOptions = {}): Promise<Block[]> {
  const blocks = await readAvailable(source, cids, options)
  return blocks.map((block, i) => {
    if (block === undefined) throw new BlockNotFoundError(cids[i]!.toString())
    return block
  })
}

import { BlockNotFoundError, checkBlock, CorruptBlockError, type BlockStore, type CallOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'

/** The bytes, if they are here and are what their CID says. Other failures of the store are thrown. */
export async function readSound (store: BlockStore, cid: CID, options?: CallOptions): Promise<Uint8Array | undefined> {
  try { return (await checkBlock(cid, await store.get(cid, options))).bytes } catch (error) {
    if (error instanceof BlockNotFoundError || error instanceof CorruptBlockError) return undefined
    throw error
  }
}

/**
 * A store whose `get` gives no bytes but those that the CID says (CHK-3): any others count as not here. `onBad` is told
 * of every block that was asked for in vain, before the BlockNotFoundError.
 */
export function createSoundBlocks (store: BlockStore, onBad: (cids: readonly CID[]) => Promise<void>): BlockStore {
  return {
    has: async (cid, options) => store.has(cid, options),
    async get (cid, options) {
      const bytes = await readSound(store, cid, options)
      if (bytes !== undefined) return bytes
      await onBad([cid])
      throw new BlockNotFoundError(cid.toString())
    },
    put: async (blocks, options) => store.put(blocks, options),
    delete: async (cids, options) => store.delete(cids, options),
    list: options => store.list(options),
    flush: async options => store.flush(options),
    close: async () => store.close()
  }
}

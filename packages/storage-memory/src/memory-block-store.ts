import { BlockNotFoundError, blockId, InvalidArgumentError, type BlockStore } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'

/** Blocks in memory, copied in and out, so that no caller can change what is stored. For tests, simulations and throwaway devices. */
export function createMemoryBlockStore (): BlockStore {
  const blocks = new Map<string, { cid: CID, bytes: Uint8Array }>()
  let closed = false
  const begin = (signal: AbortSignal | undefined): void => {
    if (closed) throw new InvalidArgumentError('the store is closed', 'Open it again.')
    signal?.throwIfAborted()
  }
  return {
    async has (cid, options) {
      begin(options?.signal)
      return blocks.has(blockId(cid))
    },
    async get (cid, options) {
      begin(options?.signal)
      const found = blocks.get(blockId(cid))
      if (found === undefined) throw new BlockNotFoundError(cid.toString())
      return found.bytes.slice()
    },
    async put (added, options) {
      begin(options?.signal)
      for (const { cid, bytes } of added) if (!blocks.has(blockId(cid))) blocks.set(blockId(cid), { cid, bytes: bytes.slice() })
    },
    async delete (cids, options) {
      begin(options?.signal)
      for (const cid of cids) blocks.delete(blockId(cid))
    },
    async * list (options) {
      begin(options?.signal)
      for (const { cid } of [...blocks.values()]) {
        options?.signal?.throwIfAborted()
        yield cid
      }
    },
    async flush (options) { begin(options?.signal) },
    async close () { closed = true }
  }
}

import { BlockNotFoundError, blockId, InvalidArgumentError, LimitExceededError, MAX_BLOCK_BYTES, type BlockStore } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'

const SHA2_256 = 0x12

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
      for (const { cid, bytes } of added) {
        if (bytes.length > MAX_BLOCK_BYTES) throw new LimitExceededError('block size', bytes.length, MAX_BLOCK_BYTES)
        if (cid.multihash.code !== SHA2_256) throw new InvalidArgumentError(`CID ${cid.toString()} has no SHA-256`, 'Holdfast makes only such blocks; this one is not of a vault.', { cid: cid.toString() })
      }
      for (const { cid, bytes } of added) if (!blocks.has(blockId(cid))) blocks.set(blockId(cid), { cid, bytes: bytes.slice() })
    },
    async delete (cids, options) {
      begin(options?.signal)
      for (const cid of cids) blocks.delete(blockId(cid))
    },
    async * list (options) {
      begin(options?.signal)
      for (const { cid } of blocks.values()) {
        options?.signal?.throwIfAborted()
        yield cid
      }
    },
    async flush (options) { begin(options?.signal) },
    async close () { closed = true }
  }
}

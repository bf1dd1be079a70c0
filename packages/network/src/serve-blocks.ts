import { BlockNotFoundError, type BlockStore } from '@holdfast/protocol'
import type { Blockstore, InputPair, Pair } from 'interface-blockstore'
import type { CID } from 'multiformats/cid'

/** What bitswap takes for "this peer has no such block": it matches on the name. */
class NotFoundError extends Error { override readonly name = 'NotFoundError' }

/**
 * The device's blocks as Helia wants to see them, for reading alone: bitswap serves from it and never fills it,
 * because only the engine knows which blocks belong to a vault. A block that cannot be read is one that is not
 * here: bitswap would otherwise leave all else that this peer asked for unanswered.
 */
export function serveBlocks (blocks: BlockStore): Blockstore {
  const readOnly = (): never => { throw new Error('bitswap does not store blocks') }
  const get = async function * (cid: CID, options?: { signal?: AbortSignal }): AsyncGenerator<Uint8Array> {
    yield await blocks.get(cid, options).catch((cause: unknown) => { throw new NotFoundError(new BlockNotFoundError(cid.toString()).message, { cause }) })
  }
  return {
    has: async (cid, options) => blocks.has(cid, options),
    get,
    async * getMany (cids, options) {
      for await (const cid of cids) yield { cid, bytes: get(cid, options) } satisfies Pair
    },
    async * getAll (options) {
      for await (const cid of blocks.list(options)) yield { cid, bytes: get(cid, options) } satisfies Pair
    },
    put: readOnly,
    // eslint-disable-next-line require-yield
    async * putMany (_blocks: Iterable<InputPair> | AsyncIterable<InputPair>) { readOnly() },
    delete: readOnly,
    // eslint-disable-next-line require-yield
    async * deleteMany (_cids: Iterable<CID> | AsyncIterable<CID>) { readOnly() }
  }
}

import { BlockNotFoundError, CorruptBlockError, RAW, blockLinks, checkCidKind, type CallOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { readAvailable, type BlockSource } from './reader.js'

export interface ReachableOptions extends CallOptions {
  /** Says that a CID and all below it are accounted for: it is neither yielded nor read. */
  readonly known?: (cid: CID) => boolean | Promise<boolean>
  /** Told of each linked DAG-CBOR block that the source lacks, instead of BlockNotFoundError. */
  readonly onMissing?: (cid: CID) => void
}

/** Blocks read at once. */
const BATCH = 256

/**
 * ROOT-2: every CID reachable from `root` by plain links, the root first, each once. Raw blocks link to nothing,
 * so they are yielded without being read: whether they are present is the caller's to ask. Depth first, so that
 * the blocks held at once stay few; the memory is that of the CIDs seen.
 * Throws BlockNotFoundError (unless `onMissing`), CorruptBlockError, LimitExceededError.
 */
export async function * reachable (root: CID, source: BlockSource, options: ReachableOptions = {}): AsyncGenerator<CID> {
  const seen = new Set<string>()
  const pending: CID[] = []
  const visit = async (cids: readonly CID[]): Promise<CID[]> => {
    const fresh: CID[] = []
    for (const cid of cids) {
      const id = cid.toString()
      if (seen.has(id)) continue
      seen.add(id)
      checkLink(cid)
      if (await options.known?.(cid) === true) continue
      fresh.push(cid)
      if (cid.code !== RAW) pending.push(cid)
    }
    return fresh
  }
  yield * await visit([root])
  while (pending.length > 0) {
    const batch = pending.splice(-BATCH)
    const blocks = await readAvailable(source, batch, options)
    for (const [i, block] of blocks.entries()) {
      if (block !== undefined) yield * await visit(blockLinks(block))
      else if (options.onMissing !== undefined) options.onMissing(batch[i]!)
      else throw new BlockNotFoundError(batch[i]!.toString())
    }
  }
}

function checkLink (cid: CID): void {
  try { checkCidKind(cid) } catch (cause) { throw new CorruptBlockError('a block links to a kind of block that Holdfast never makes', { cid: cid.toString() }, { cause }) }
}

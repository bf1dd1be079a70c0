import type { Engine } from '@holdfast/engine'
import type { Stamp } from '@holdfast/manifest'
import { BlockNotFoundError, counterOf, parseCid, type BlockStore, type CallOptions, type EntryId, type VersionVector } from '@holdfast/protocol'
import { readRoot } from '@holdfast/roots'
import type { CID } from 'multiformats/cid'

export interface NodeSafety {
  url: string
  /** The node's receipt covers the entry as it is now: place and content, and for a directory all below it. */
  safe: boolean
  /** When the node last verified that, milliseconds since the Unix epoch. */
  at: number | null
}

/** Which nodes hold an entry, by their receipts alone: never by hope. */
export async function entrySafety (parts: { engine: Engine, blocks: BlockStore }, id: EntryId, options?: CallOptions): Promise<NodeSafety[]> {
  const stamps = stampsOf(parts.engine, id)
  const root = parts.engine.status().vaults[0]?.root
  return Promise.all(parts.engine.nodes().map(async ({ url, receipt }) => {
    if (receipt === null) return { url, safe: false, at: null }
    if (receipt.root === root) return { url, safe: true, at: receipt.at }
    const vector = await vectorOf(parts.blocks, parseCid(receipt.root), options)
    // What merging made has no device's counter: only a receipt for exactly what is here says that it is there.
    const safe = vector !== null && stamps.every(({ by, seq }) => by !== null && counterOf(vector, by) >= seq)
    return { url, safe, at: receipt.at }
  }))
}

/** Every write that made the entry, and what is below it, what it is. */
function stampsOf ({ vault: { index } }: Engine, id: EntryId): Stamp[] {
  return [id, ...[...index.walk(id)].map(entry => entry.id)].flatMap(entry => {
    const registers = index.registers(entry)
    return registers === undefined ? [] : [...registers.places.map(place => place.stamp), ...registers.contents.map(content => content.stamp)]
  })
}

/** Null when the receipted root is not here any more: then nothing can be said of it. */
async function vectorOf (blocks: BlockStore, root: CID, options?: CallOptions): Promise<VersionVector | null> {
  try { return (await readRoot({ cid: root, bytes: await blocks.get(root, options) })).vector } catch (error) {
    if (error instanceof BlockNotFoundError) return null
    throw error
  }
}

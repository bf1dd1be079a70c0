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
  return Promise.all(parts.engine.nodes().map(async ({ url, receipt }) => {
    const vector = receipt === null ? null : await vectorOf(parts.blocks, parseCid(receipt.root), options)
    const safe = vector !== null && stamps.every(({ by, seq }) => by === null || counterOf(vector, by) >= seq)
    return { url, safe, at: receipt?.at ?? null }
  }))
}

/** Every write that made the entry, and what is below it, what it is. */
function stampsOf ({ vault: { index } }: Engine, id: EntryId): Stamp[] {
  return [...index.walk(id)].flatMap(entry => {
    const registers = index.registers(entry.id)
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

import { isHoldfastError } from '@holdfast/protocol'
import type { Appender } from './appender.js'
import type { BlockIndex, Located } from './block-index.js'
import { StorageFullError } from './errors.js'
import type { PackFiles } from './pack-files.js'

/** A pack with less than this share of live bytes has its blocks moved. */
const WORTH_KEEPING = 0.5
const MOVE_BYTES = 4 << 20

/**
 * Gives the space of deleted blocks back to the disk: blocks of packs that are mostly dead are appended anew, then those
 * packs are removed. At every moment each block is whole in one place at least.
 */
export async function reclaim (appender: Appender, files: PackFiles, index: BlockIndex, signal: AbortSignal | undefined): Promise<void> {
  // Packs before this one get no more blocks, and after the flush the index names all that they have.
  const current = appender.position().pack
  await appender.flush()
  const live = await liveBytes(index)
  const packs: { pack: number, dead: number, share: number }[] = []
  for (const pack of (await files.list()).filter(pack => pack < current)) {
    const size = Math.max(1, await files.size(pack))
    packs.push({ pack, dead: size - (live.get(pack) ?? 0), share: (live.get(pack) ?? 0) / size })
  }
  await removePacks(appender, files, packs.filter(({ share }) => share === 0).map(({ pack }) => pack))
  const moved = await moveBlocks(appender, files, index, packs.filter(({ share }) => share > 0 && share < WORTH_KEEPING).map(({ pack }) => pack), signal)
  await removePacks(appender, files, moved)
  await appender.setDeadBytes(packs.filter(({ pack, share }) => share > 0 && !moved.includes(pack)).reduce((sum, { dead }) => sum + dead, 0))
}

async function liveBytes (index: BlockIndex): Promise<Map<number, number>> {
  const live = new Map<number, number>()
  for await (const { pack, length } of index.all()) live.set(pack, (live.get(pack) ?? 0) + length)
  return live
}

/** What the index says is synced first, or else a power cut could bring back entries for packs that are gone. */
async function removePacks (appender: Appender, files: PackFiles, packs: readonly number[]): Promise<void> {
  if (packs.length === 0) return
  await appender.setDeadBytes(appender.deadBytes())
  for (const pack of packs) await files.remove(pack)
}

/** Returns the packs that have no block any more. */
async function moveBlocks (appender: Appender, files: PackFiles, index: BlockIndex, packs: readonly number[], signal: AbortSignal | undefined): Promise<number[]> {
  const left = new Set(packs)
  if (left.size === 0) return []
  const read = async ({ pack, offset, length }: Located): Promise<Uint8Array | undefined> => {
    try { return await files.read(pack, offset, length) } catch (error) {
      if (!isHoldfastError(error)) throw error
      // The pack is damaged here. It stays, for `verify` to find; its other blocks move, no harm done.
      left.delete(pack)
      return undefined
    }
  }
  try {
    for await (const piece of piecesOf(index, new Set(packs))) {
      signal?.throwIfAborted()
      await appender.move(piece, read)
    }
  } catch (error) {
    // Moving needs some room itself. What was to be deleted is deleted; these packs are reclaimed another time.
    if (!(error instanceof StorageFullError)) throw error
    return []
  }
  await appender.flush()
  return [...left]
}

async function * piecesOf (index: BlockIndex, packs: ReadonlySet<number>): AsyncIterable<Located[]> {
  let piece: Located[] = []
  let bytes = 0
  for await (const block of index.all()) {
    if (!packs.has(block.pack)) continue
    piece.push(block)
    bytes += block.length
    if (bytes < MOVE_BYTES) continue
    yield piece
    piece = []
    bytes = 0
  }
  if (piece.length > 0) yield piece
}

import type { BlockIndex, Located, Position } from './block-index.js'
import { PACK_HEADER, scanFrames } from './pack-format.js'
import type { PackFiles } from './pack-files.js'

/**
 * Brings the index up to date with what is in the packs behind its checkpoint: blocks that were put and not flushed when
 * the process died, or all of them when the index is new. Returns where to append next.
 */
export async function recover (files: PackFiles, index: BlockIndex, packBytes: number): Promise<{ position: Position, checkpoint: Position }> {
  const checkpoint = await index.checkpoint()
  const packs = await files.list()
  const last = packs.at(-1)
  let end: Position | undefined
  let recovered = 0
  for (const pack of packs.filter(pack => checkpoint === undefined || pack >= checkpoint.pack)) {
    const size = await files.size(pack)
    const start = Math.max(PACK_HEADER.length, pack === checkpoint?.pack ? checkpoint.offset : 0)
    const scanned = await scanPack(files, pack, start, size)
    if (scanned.blocks.length > 0) await files.sync([pack])
    await index.set(scanned.blocks)
    recovered += scanned.blocks.length
    // Behind a write that was cut off nothing is appended: such a pack is left as it is.
    end = pack === last && scanned.end === size && size < packBytes ? { pack, offset: size } : undefined
  }
  const position = end ?? nextPack(last ?? 0, checkpoint)
  if (recovered > 0) await index.setCheckpoint(position, await index.deadBytes())
  return { position, checkpoint: recovered > 0 ? position : checkpoint ?? position }
}

/** A number is not used twice: entries of a pack that somebody removed may still be in the index. */
const nextPack = (last: number, checkpoint: Position | undefined): Position => {
  const begun = checkpoint !== undefined && checkpoint.pack > last && checkpoint.offset === 0
  return { pack: begun ? checkpoint.pack : Math.max(last, checkpoint?.pack ?? 0) + 1, offset: 0 }
}

async function scanPack (files: PackFiles, pack: number, start: number, size: number): Promise<{ blocks: Located[], end: number }> {
  const blocks: Located[] = []
  const frames = scanFrames(async (offset, length) => (await files.read(pack, offset, length))!, start, size)
  for (;;) {
    const next = await frames.next()
    if (next.done === true) return { blocks, end: next.value }
    blocks.push({ ...next.value, pack })
  }
}

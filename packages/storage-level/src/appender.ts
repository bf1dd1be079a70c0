import { blockId, type Block, type BlockId } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { BlockIndex, Located, Location, Position } from './block-index.js'
import { StorageFailedError } from './errors.js'
import { frameHead, PACK_HEADER } from './pack-format.js'
import type { PackFiles } from './pack-files.js'
import { createSerial } from './serial.js'

/** The one writer of packs and index. Its steps happen one at a time, except the fsync, which nobody waits for but flush. */
export interface Appender {
  /** Written to a pack, but neither synced nor in the index yet. */
  readonly waiting: ReadonlyMap<BlockId, Located>
  deadBytes (): number
  /** Where the next block goes. */
  position (): Position
  /** Writes those that are not here yet. */
  append (blocks: readonly Block[]): Promise<void>
  /** Writes those that still are in these places anew; the next flush gives the old places up. `read` says undefined for a block to leave where it is. */
  move (blocks: readonly Located[], read: (block: Located) => Promise<Uint8Array | undefined>): Promise<void>
  remove (cids: readonly CID[]): Promise<void>
  /** Drops the index's entry when it still says this place. */
  forget (cid: CID, place: Location): Promise<void>
  /** Syncs packs, then names their blocks in the index: so the index never names bytes that a power cut could take. */
  flush (options?: { checkpoint?: boolean }): Promise<void>
  /** After packs were removed: how many bytes of those that stay belong to no block. Survives a power cut. */
  setDeadBytes (bytes: number): Promise<void>
}

export interface AppenderParts {
  readonly directory: string
  readonly files: PackFiles
  readonly index: BlockIndex
  readonly makeRoom: (bytes: number) => Promise<void>
  readonly packBytes: number
}

/** After so many bytes a flush moves the checkpoint, which bounds what has to be scanned after a crash. */
const CHECKPOINT_EVERY_BYTES = 64 << 20

export function createAppender (parts: AppenderParts, start: Position, startCheckpoint: Position, startDead: number): Appender {
  const { files, index, makeRoom, packBytes, directory } = parts
  const serial = createSerial()
  const waiting = new Map<BlockId, Located>()
  /** Packs with bytes that are not synced, and up to where they are written. */
  const unsynced = new Map<number, number>()
  let position = start
  let checkpoint = startCheckpoint
  let sinceCheckpoint = 0
  let dead = startDead
  let failed: StorageFailedError | undefined

  const fresh = async (blocks: readonly Block[]): Promise<Block[]> => {
    const unique = new Map(blocks.map(block => [blockId(block.cid), block]))
    for (const id of unique.keys()) if (waiting.has(id)) unique.delete(id)
    const candidates = [...unique.values()]
    const known = await index.hasMany(candidates.map(block => block.cid))
    return candidates.filter((_, i) => known[i] === false)
  }
  const nextPack = async (bytes: number): Promise<void> => {
    if (position.offset > 0 && position.offset + bytes <= packBytes) return
    const pack = position.offset > 0 ? position.pack + 1 : position.pack
    await files.create(pack, PACK_HEADER)
    position = { pack, offset: PACK_HEADER.length }
  }
  const write = async (blocks: readonly Block[]): Promise<void> => {
    if (failed !== undefined) throw failed
    const heads = blocks.map(frameHead)
    const bytes = blocks.reduce((sum, block, i) => sum + heads[i]!.length + block.bytes.length, 0)
    await makeRoom(bytes)
    await nextPack(bytes)
    // A write that fails part way leaves bytes that the next one overwrites.
    await files.write(position.pack, position.offset, blocks.flatMap((block, i) => [heads[i]!, block.bytes]))
    let offset = position.offset
    blocks.forEach((block, i) => {
      offset += heads[i]!.length
      waiting.set(blockId(block.cid), { cid: block.cid, pack: position.pack, offset, length: block.bytes.length })
      offset += block.bytes.length
    })
    position = { pack: position.pack, offset }
    unsynced.set(position.pack, offset)
    sinceCheckpoint += bytes
  }
  const sync = async (packs: ReadonlyMap<number, number>): Promise<void> => {
    try { await files.sync(packs.keys()) } catch (cause) {
      // After an fsync that failed, the kernel may say that a second one worked although the bytes are gone. So nothing
      // more is promised; opening anew reads and checks what there is.
      failed = new StorageFailedError(directory, 'fsync', { cause })
      throw failed
    }
    for (const [pack, end] of packs) if (unsynced.get(pack) === end) unsynced.delete(pack)
  }
  const moveCheckpoint = async (to: Position): Promise<void> => {
    if (to.pack < checkpoint.pack || (to.pack === checkpoint.pack && to.offset <= checkpoint.offset)) return
    await index.setCheckpoint(to, dead)
    checkpoint = to
    sinceCheckpoint = 0
  }
  const indexBlocks = async (blocks: readonly Located[]): Promise<void> => {
    // Those deleted, or deleted and put again, since the flush began are not its business.
    const still = blocks.filter(block => waiting.get(blockId(block.cid)) === block)
    await index.set(still)
    for (const { cid } of still) waiting.delete(blockId(cid))
  }
  return {
    waiting,
    deadBytes: () => dead,
    position: () => position,
    append: async blocks => serial(async () => {
      const wanted = await fresh(blocks)
      if (wanted.length > 0) await write(wanted)
    }),
    move: async (blocks, read) => serial(async () => {
      const places = await index.getMany(blocks.map(block => block.cid))
      const moved: Block[] = []
      for (const [i, block] of blocks.entries()) {
        const bytes = samePlace(places[i], block) ? await read(block) : undefined
        if (bytes !== undefined) moved.push({ cid: block.cid, bytes })
      }
      if (moved.length > 0) await write(moved)
    }),
    remove: async cids => serial(async () => {
      const unique = [...new Map(cids.map(cid => [blockId(cid), cid])).values()]
      const places = await index.getMany(unique)
      const found = unique.map((cid, i) => [places[i], waiting.get(blockId(cid))])
      const bytes = found.flat().reduce((sum, place) => sum + (place?.length ?? 0), 0)
      if (bytes === 0 && found.flat().every(place => place === undefined)) return
      await index.remove(unique.filter((_, i) => places[i] !== undefined), dead + bytes)
      dead += bytes
      for (const cid of unique) waiting.delete(blockId(cid))
    }),
    forget: async (cid, place) => serial(async () => {
      if (samePlace(await index.get(cid), place)) await index.remove([cid], dead)
    }),
    async flush ({ checkpoint: wanted = false } = {}) {
      if (failed !== undefined) throw failed
      const [blocks, packs, end] = await serial(async () => [[...waiting.values()], new Map(unsynced), position] as const)
      await sync(packs)
      await serial(async () => {
        await indexBlocks(blocks)
        if (wanted || sinceCheckpoint >= CHECKPOINT_EVERY_BYTES) await moveCheckpoint(end)
      })
    },
    setDeadBytes: async bytes => serial(async () => {
      dead = bytes
      await index.setCheckpoint(checkpoint, dead)
    })
  }
}

const samePlace = (a: Location | undefined, b: Location): boolean => a !== undefined && a.pack === b.pack && a.offset === b.offset

import { BlockNotFoundError, blockId, InvalidArgumentError, LimitExceededError, MAX_BLOCK_BYTES, type Block, type BlockId, type BlockStore, type CallOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { createAppender, type Appender } from './appender.js'
import type { BlockIndex, Location } from './block-index.js'
import { storageError } from './errors.js'
import { hasSha256 } from './pack-format.js'
import type { PackFiles } from './pack-files.js'
import { reclaim } from './reclaim.js'
import { recover } from './recovery.js'
import { createSerial } from './serial.js'

export interface BlockStoreLimits {
  /** A pack that has reached this many bytes is followed by another. */
  readonly packBytes: number
  /** Space is reclaimed when this many bytes in the packs belong to no block any more. */
  readonly reclaimBytes: number
}

/** Blocks written to packs in one go. Bytes. */
const PIECE_BYTES = 8 << 20
/** Blocks that wait for a flush are kept track of in memory; so many of them are flushed unasked. */
const MAX_WAITING = 16_384
/** A pack can go away between looking a block up and reading it, because its blocks moved to another. */
const ATTEMPTS = 3

export async function openBlockStore (directory: string, files: PackFiles, index: BlockIndex, makeRoom: (bytes: number) => Promise<void>, limits: BlockStoreLimits): Promise<BlockStore> {
  const { position, checkpoint } = await recover(files, index, limits.packBytes)
  const appender = createAppender({ directory, files, index, makeRoom, packBytes: limits.packBytes }, position, checkpoint, await index.deadBytes())
  /** One at a time. What it leaves is not worth another look until as much has been added. */
  const reclaiming = createSerial()
  let deadBefore = 0
  let closing: Promise<void> | undefined
  const guarded = async <Result>(what: string, options: CallOptions | undefined, task: () => Promise<Result>): Promise<Result> => {
    if (closing !== undefined) throw closedError()
    options?.signal?.throwIfAborted()
    try { return await task() } catch (error) {
      if (options?.signal?.aborted === true && error === options.signal.reason) throw error
      throw storageError(directory, what, error)
    }
  }
  return {
    has: async (cid, options) => guarded('reading', options, async () => appender.waiting.has(blockId(cid)) || (await index.hasMany([cid]))[0]!),
    get: async (cid, options) => guarded('reading', options, async () => readBlock(cid, appender, files, index)),
    put: async (blocks, options) => guarded('writing', options, async () => {
      for (const piece of pieces(blocks, Math.min(PIECE_BYTES, limits.packBytes))) {
        options?.signal?.throwIfAborted()
        await appender.append(piece)
      }
      if (appender.waiting.size > MAX_WAITING) await appender.flush()
    }),
    delete: async (cids, options) => guarded('deleting', options, async () => {
      await appender.remove(cids)
      await reclaiming(async () => {
        if (appender.deadBytes() - deadBefore < limits.reclaimBytes) return
        await reclaim(appender, files, index, options?.signal)
        deadBefore = appender.deadBytes()
      })
    }),
    async * list (options) {
      if (closing !== undefined) throw closedError()
      // Taken before the index is looked at: a block flushed in between is in both, none is missed.
      const waiting = new Map([...appender.waiting].map(([id, { cid }]) => [id, cid] as const))
      options?.signal?.throwIfAborted()
      yield * waiting.values()
      for await (const { cid } of index.all()) {
        options?.signal?.throwIfAborted()
        if (!waiting.has(blockId(cid))) yield cid
      }
    },
    flush: async options => guarded('flushing', options, async () => appender.flush()),
    async close () { await (closing ??= reclaiming(async () => close(appender, files, index, directory))) }
  }
}

const closedError = (): InvalidArgumentError => new InvalidArgumentError('the store is closed', 'Open it again.')

async function close (appender: Appender, files: PackFiles, index: BlockIndex, directory: string): Promise<void> {
  try { await appender.flush({ checkpoint: true }) } catch (error) { throw storageError(directory, 'flushing', error) } finally {
    await index.close()
    await files.close()
  }
}

function * pieces (blocks: readonly Block[], pieceBytes: number): Iterable<Block[]> {
  let piece: Block[] = []
  let bytes = 0
  for (const block of blocks) {
    if (block.bytes.length > MAX_BLOCK_BYTES) throw new LimitExceededError('block size', block.bytes.length, MAX_BLOCK_BYTES)
    // Whatever a crash leaves is checked against its CID when the store is opened, so it has to be a hash that we can compute.
    if (!hasSha256(block.cid)) throw new InvalidArgumentError(`CID ${block.cid.toString()} has no SHA-256`, 'Holdfast makes only such blocks; this one is not of a vault.', { cid: block.cid.toString() })
    if (piece.length > 0 && bytes + block.bytes.length > pieceBytes) {
      yield piece
      piece = []
      bytes = 0
    }
    piece.push(block)
    bytes += block.bytes.length
  }
  if (piece.length > 0) yield piece
}

async function readBlock (cid: CID, appender: Appender, files: PackFiles, index: BlockIndex): Promise<Uint8Array> {
  const id: BlockId = blockId(cid)
  let place: Location | undefined
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    place = appender.waiting.get(id) ?? await index.get(cid)
    if (place === undefined) throw new BlockNotFoundError(cid.toString())
    const bytes = await files.read(place.pack, place.offset, place.length)
    if (bytes !== undefined) return bytes
  }
  // Somebody removed the pack's file. Saying so once and for all lets the block be fetched again.
  await appender.forget(cid, place!)
  throw new BlockNotFoundError(cid.toString())
}

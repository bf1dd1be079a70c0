import { CorruptBlockError, encode, isHoldfastError, LimitExceededError, MAX_BLOCK_BYTES, type Block } from '@holdfast/protocol'
import { asyncIterableReader, createDecoder } from '@ipld/car/decoder'
import { varint } from 'multiformats'
import type { CID } from 'multiformats/cid'

/** The greatest section or header of a CAR that is looked at: a block of the greatest size, and its CID. Bytes. */
export const MAX_CAR_SECTION_BYTES = MAX_BLOCK_BYTES + 128
/** Small blocks are written together in pieces of this size. Bytes. */
const WRITE_BYTES = 64 << 10

/** A CAR (v1 or v2) of unknown origin, read block by block in bounded memory; blocks are not checked yet. Throws CorruptBlockError, LimitExceededError. */
export async function openCar (source: AsyncIterable<Uint8Array>): Promise<{ roots: CID[], blocks: AsyncIterable<Block> }> {
  const decoder = createDecoder(boundedReader(source))
  const header = await damaged(async () => decoder.header())
  return { roots: header.roots, blocks: readBlocks(decoder.blocks()) }
}

async function * readBlocks (found: AsyncGenerator<Block>): AsyncGenerator<Block> {
  for (;;) {
    const next = await damaged(async () => found.next())
    if (next.done === true) return
    // A copy: the decoder's bytes are a window on whatever arrived with them.
    yield { cid: next.value.cid, bytes: next.value.bytes.slice() }
  }
}

/** The decoder trusts the lengths that a CAR states; nothing may make us buffer more than a block. */
function boundedReader (source: AsyncIterable<Uint8Array>): ReturnType<typeof asyncIterableReader> {
  const reader = asyncIterableReader(source)
  return {
    upTo: async length => reader.upTo(length),
    async exactly (length, seek) {
      if (!(length >= 0 && length <= MAX_CAR_SECTION_BYTES)) throw new LimitExceededError('section of a CAR', length, MAX_CAR_SECTION_BYTES)
      return reader.exactly(length, seek)
    },
    seek: length => { reader.seek(length) },
    get pos () { return reader.pos }
  }
}

async function damaged<T> (read: () => Promise<T>): Promise<T> {
  try { return await read() } catch (cause) {
    if (isHoldfastError(cause) || !(cause instanceof Error) || isStreamError(cause)) throw cause
    throw new CorruptBlockError(`not a CAR: ${cause.message}`, {}, { cause })
  }
}

/** The sender went away; the CAR itself may be fine. */
const isStreamError = (error: Error): boolean => 'code' in error

/** A CARv1 in pieces of about 64 KiB, whatever the size of the blocks. */
export async function * writeCar (roots: readonly CID[], blocks: AsyncIterable<Block> | Iterable<Block>): AsyncGenerator<Uint8Array> {
  const header = encode({ version: 1, roots })
  let pending: Uint8Array[] = [lengthOf(header.length), header]
  let size = header.length
  for await (const { cid, bytes } of blocks) {
    pending.push(lengthOf(cid.bytes.length + bytes.length), cid.bytes, bytes)
    size += cid.bytes.length + bytes.length
    if (size < WRITE_BYTES) continue
    yield Buffer.concat(pending)
    pending = []
    size = 0
  }
  if (pending.length > 0) yield Buffer.concat(pending)
}

const lengthOf = (value: number): Uint8Array => varint.encodeTo(value, new Uint8Array(varint.encodingLength(value)))

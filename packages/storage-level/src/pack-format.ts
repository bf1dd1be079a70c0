import { encode, MAX_BLOCK_BYTES, type Block } from '@holdfast/protocol'
import { varint } from 'multiformats'
import { CID } from 'multiformats/cid'
import { createHash } from 'node:crypto'

/**
 * A pack is a CAR file (IPLD CARv1) without roots: a header, then for each block a varint of what follows, the CID and the
 * bytes. So packs tell by themselves what is in them, and `ipfs dag import` reads them.
 */
export const PACK_HEADER: Uint8Array = (() => {
  const header = encode({ roots: [], version: 1 })
  return Buffer.concat([varint.encodeTo(header.length, new Uint8Array(varint.encodingLength(header.length))), header])
})()

/** Longest frame that we write, without its varint: a CID with a SHA-256 has 36 bytes, a few more with a rare codec. */
const MAX_FRAME_BYTES = MAX_BLOCK_BYTES + 64
const MAX_VARINT_BYTES = 4

/** The bytes before a block's own: the varint and the CID. */
export function frameHead (block: Block): Uint8Array {
  const length = block.cid.bytes.length + block.bytes.length
  const head = new Uint8Array(varint.encodingLength(length) + block.cid.bytes.length)
  varint.encodeTo(length, head)
  head.set(block.cid.bytes, head.length - block.cid.bytes.length)
  return head
}

const SHA2_256 = 0x12

/** A block inside a pack: where its bytes begin, and how many they are. */
export interface Frame { readonly cid: CID, readonly offset: number, readonly length: number }

type Read = (offset: number, length: number) => Promise<Uint8Array>
const WINDOW_BYTES = 4 << 20

/**
 * The whole frames from `start` on. Ends at the end of the file, or where what follows is no frame (a write that was cut
 * off). Frames whose bytes are not what their CID says are left out. Returns where the last whole frame ends.
 */
export async function * scanFrames (read: Read, start: number, size: number): AsyncGenerator<Frame, number> {
  let window: Uint8Array = new Uint8Array(0)
  let windowStart = start
  let position = start
  while (position < size) {
    const windowEnd = windowStart + window.length
    if (windowEnd < size && windowEnd - position < MAX_VARINT_BYTES + MAX_FRAME_BYTES) {
      window = await read(position, Math.min(WINDOW_BYTES, size - position))
      windowStart = position
    }
    const bytes = window.subarray(position - windowStart)
    const frame = readFrame(bytes)
    if (frame === undefined) return position
    const { cid, from, to } = frame
    if (matches(cid, bytes.subarray(from, to))) yield { cid, offset: position + from, length: to - from }
    position += to
  }
  return position
}

function readFrame (bytes: Uint8Array): { cid: CID, from: number, to: number } | undefined {
  try {
    const [length, prefix] = varint.decode(bytes)
    if (length === 0 || length > MAX_FRAME_BYTES || prefix + length > bytes.length) return undefined
    const [cid, rest] = CID.decodeFirst(bytes.subarray(prefix, prefix + length))
    return { cid, from: prefix + length - rest.length, to: prefix + length }
  } catch {
    // Varint and CID throw for what is neither: no frame begins here.
    return undefined
  }
}

export const hasSha256 = ({ multihash }: CID): boolean => multihash.code === SHA2_256 && multihash.digest.length === 32

const matches = (cid: CID, bytes: Uint8Array): boolean => hasSha256(cid) && createHash('sha256').update(bytes).digest().equals(cid.multihash.digest)

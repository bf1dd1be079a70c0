import { deriveKey } from '@holdfast/crypto'

/**
 * CHK-1: FastCDC, content-defined chunking (Xia et al., USENIX ATC 2016; rolling two bytes at a time, IEEE TPDS 2020),
 * with normalised chunking of level 2. A chunk ends after the first byte at which, with
 *   hash = Σ gear[byte] · 2^(bytes since) mod 2^32, over the bytes from the chunk's start + minimum on,
 * the `bits + 2` bits of the hash below its highest one are zero (before the average), or `bits − 2` of them (from there on);
 * at the latest at the maximum. average = 2^bits, minimum = average / 4, maximum = 4 × average.
 * The highest bit is left out so that the hash may be kept shifted by one in 32-bit arithmetic.
 */
const NORMALISATION = 2

/** The longest chunk: padded and sealed it is the longest block, just under 1 MiB. Bytes. */
export const MAX_CHUNK_BYTES = 1_044_479

const MIB = 1 << 20
const SMALLEST_AVERAGE_BITS = 16
/** Where in a file longer chunks begin: by position and not by the file's size, so that a file that grows keeps its chunks. */
const LONGER_FROM = [128 * MIB, 256 * MIB]

/** log2 of the average chunk that begins at this offset in a file: 64 KiB in the first 128 MiB, 128 KiB up to 256 MiB, then 256 KiB. */
export const averageBitsAt = (offset: number): number => SMALLEST_AVERAGE_BITS + LONGER_FROM.filter(from => offset >= from).length

/** The longest chunk that may begin at this offset. */
export const maxChunkAt = (offset: number): number => Math.min(MAX_CHUNK_BYTES, 4 << averageBitsAt(offset))

/** A random 32-bit number for each byte value, from the vault's gear key: where a file is cut tells a stranger nothing. */
export function gearTable (gearKey: Uint8Array): Int32Array {
  const bytes = deriveKey(gearKey, 'gear table', 1024)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Int32Array.from({ length: 256 }, (_, byte) => view.getInt32(byte * 4, true))
}

/** Cuts the next chunk off `bytes` from `start` to `end` and gives its length. Unless the file ends at `end`, at least `maxChunkAt(offset)` bytes must be there. */
export type Cutter = (bytes: Uint8Array, start: number, end: number, offset: number) => number

export function createCutter (gear: Int32Array): Cutter {
  const doubled = gear.map(value => value << 1)
  const scan = (bytes: Uint8Array, from: number, to: number, hash: number, mask: number): { hash: number, cut: number } => {
    const doubledMask = mask << 1
    let at = from
    for (; at + 1 < to; at += 2) {
      hash = (hash << 2) + doubled[bytes[at]!]! | 0
      if ((hash & doubledMask) === 0) return { hash, cut: at + 1 }
      hash = hash + gear[bytes[at + 1]!]! | 0
      if ((hash & mask) === 0) return { hash, cut: at + 2 }
    }
    return { hash, cut: -1 }
  }
  return (bytes, start, end, offset) => {
    const bits = averageBitsAt(offset)
    const minimum = 1 << (bits - 2)
    if (end - start <= minimum) return end - start
    const limit = Math.min(end, start + maxChunkAt(offset))
    // Minimum and average are even, so only the last byte before `limit` is left unread, where the chunk ends in any case.
    const average = Math.min(limit, start + (1 << bits))
    const early = scan(bytes, start + minimum, average, 0, maskOf(bits + NORMALISATION))
    if (early.cut !== -1) return early.cut - start
    const late = scan(bytes, average, limit, early.hash, maskOf(bits - NORMALISATION))
    return late.cut === -1 ? limit - start : late.cut - start
  }
}

/** The highest `count` bits but the very highest. */
const maskOf = (count: number): number => (-1 << (32 - count)) >>> 1

import { createBlock, encodeBlock, RAW, type Block } from '@holdfast/protocol'

/** Repeatable bytes: mulberry32, good enough to be told apart. */
export function sampleBytes (seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed | 0
  for (let i = 0; i < length; i++) {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    bytes[i] = (mixed ^ (mixed >>> 14)) & 0xff
  }
  return bytes
}

export const sampleBlock = async (seed: number, length = 100): Promise<Block> => createBlock(RAW, sampleBytes(seed, length))
export const sampleBlocks = async (from: number, count: number, length = 100): Promise<Block[]> => Promise.all(Array.from({ length: count }, async (_, i) => sampleBlock(from + i, length)))
export const structuredBlock = async (seed: number): Promise<Block> => encodeBlock({ v: 1, seed })

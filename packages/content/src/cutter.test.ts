import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runs } from '../../crypto/testing/seed.js'
import { keysOf, noise } from '../testing/fixture.js'
import { averageBitsAt, createCutter, gearTable, MAX_CHUNK_BYTES, maxChunkAt } from './cutter.js'
import { paddedLength } from '@holdfast/crypto'

const MIB = 1 << 20
const gear = gearTable(keysOf(1).gear)
const cut = createCutter(gear)

/** FastCDC as its definition says, one position at a time, each hash from the beginning, in integers without a limit. */
function slowCut (bytes: Uint8Array, offset: number): number {
  const bits = averageBitsAt(offset)
  const [minimum, average, maximum] = [2 ** bits / 4, 2 ** bits, maxChunkAt(offset)]
  for (let end = minimum + 1; end <= Math.min(bytes.length, maximum); end++) {
    let hash = 0n
    for (let at = Math.max(minimum, end - 40); at < end; at++) hash += BigInt(gear[bytes[at]!]! >>> 0) << BigInt(end - 1 - at)
    const wanted = BigInt(end <= average ? bits + 2 : bits - 2)
    const belowHighest = (hash & 0xffffffffn) & 0x7fffffffn
    if (belowHighest >> (31n - wanted) === 0n) return end
  }
  return Math.min(bytes.length, maximum)
}

/** The same, but with the hash carried on, for long input: as slow as it is obvious. */
function plainCut (bytes: Uint8Array, offset: number): number {
  const bits = averageBitsAt(offset)
  let hash = 0
  for (let at = 2 ** bits / 4; at < Math.min(bytes.length, maxChunkAt(offset)); at++) {
    hash = (hash * 2 + (gear[bytes[at]!]! >>> 0)) % 2 ** 32
    const wanted = at + 1 <= 2 ** bits ? bits + 2 : bits - 2
    if (hash % 2 ** 31 < 2 ** (31 - wanted)) return at + 1
  }
  return Math.min(bytes.length, maxChunkAt(offset))
}

const offsets = fc.constantFrom(0, 128 * MIB - 1, 128 * MIB, 200 * MIB, 256 * MIB, 5000 * MIB)

test('CHK-1 cuts where the definition of FastCDC says', () => {
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 0, max: 400_000 }), offsets, fc.nat({ max: 7 }), (seed, length, offset, before) => {
    const bytes = noise(String(seed), length + before)
    expect(cut(bytes, before, bytes.length, offset)).toBe(plainCut(bytes.subarray(before), offset))
  }), runs(60))
})

test('CHK-1 the hash is the sum of shifted gear numbers over the last bytes', () => {
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 16_000, max: 40_000 }), (seed, length) => {
    const bytes = noise(String(seed), length)
    expect(cut(bytes, 0, bytes.length, 0)).toBe(slowCut(bytes, 0))
  }), runs(5))
})

test('CHK-1 repetitive contents are cut where the definition says too', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 70 }), offsets, (pattern, offset) => {
    const bytes = new Uint8Array(1_100_000).map((_, i) => pattern[i % pattern.length]!)
    expect(cut(bytes, 0, bytes.length, offset)).toBe(plainCut(bytes, offset))
  }), runs(15))
})

test('CHK-1 chunks average what is wanted, and none is too short or too long', () => {
  const bytes = noise('averages', 24 * MIB)
  for (const [offset, average] of [[0, 64], [128 * MIB, 128], [256 * MIB, 256]] as const) {
    const lengths: number[] = []
    for (let at = 0; at < bytes.length; at += lengths.at(-1)!) lengths.push(cut(bytes, at, bytes.length, offset))
    const mean = bytes.length / lengths.length / 1024
    expect(mean).toBeGreaterThan(average)
    expect(mean).toBeLessThan(average * 1.4)
    expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThan(average * 256)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(maxChunkAt(offset))
  }
})

test('CHK-1 the longest chunk just fits a block of 1 MiB, padded and sealed', () => {
  expect(paddedLength(MAX_CHUNK_BYTES, 'chunk') + 16).toBeLessThanOrEqual(MIB)
  expect(paddedLength(MAX_CHUNK_BYTES + 1, 'chunk') + 16).toBeGreaterThan(MIB)
  expect([0, 128 * MIB, 256 * MIB].map(maxChunkAt)).toEqual([256 * 1024, 512 * 1024, MAX_CHUNK_BYTES])
})

test('CHK-1 vaults cut one file at different places', () => {
  const bytes = noise('vaults', 400_000)
  const lengths = [1, 2, 3, 4, 5, 6].map(secret => createCutter(gearTable(keysOf(secret).gear))(bytes, 0, bytes.length, 0))
  expect(new Set(lengths).size).toBe(6)
})

test('CHK-1 a boundary is seen wherever it is: at, before and after the average and the end', () => {
  // In a run of ones the hash stays −g; a two brings it to zero, which ends a chunk under either mask.
  const g = 0x2345_6789
  const made = createCutter(Int32Array.from({ length: 256 }, (_, byte) => byte === 1 ? g : byte === 2 ? 2 * g : 0))
  const maximum = maxChunkAt(0)
  for (const at of [16_384 + 40, 65_533, 65_534, 65_535, 65_536, 65_537, 65_538, 100_000, 100_001, maximum - 3, maximum - 2, maximum - 1, maximum]) {
    const bytes = new Uint8Array(maximum + 10).fill(1)
    bytes[at] = 2
    expect(made(bytes, 0, bytes.length, 0)).toBe(Math.min(at + 1, maximum))
    expect(made(bytes, 0, at, 0)).toBe(Math.min(at, maximum))
  }
})

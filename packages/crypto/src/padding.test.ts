import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runs } from '../testing/seed.js'
import { padme, paddedLength, padmeLength, unpadme, type PaddingKind } from './index.js'

const corrupt = expect.objectContaining({ name: 'CorruptBlockError' }) as Error
const kind = fc.constantFrom<PaddingKind>('file', 'chunk')
const length = fc.oneof(fc.integer({ min: 0, max: 2_000_000 }), fc.bigInt({ min: 2n, max: 2n ** 53n - 2n ** 49n }).map(Number))

/** The paper's algorithm 1, word for word, in integers without a limit. */
function publishedPadme (n: number, extraBits: number): number {
  const L = BigInt(n)
  if (L < 2n) return n
  let E = 0n
  while (L >> (E + 1n) > 0n) E++
  let S = 1n
  while (E >> S > 0n) S++
  const lastBits = E - S - BigInt(extraBits)
  if (lastBits <= 0n) return n
  const mask = (1n << lastBits) - 1n
  return Number((L + mask) & ~mask)
}

test('CHK-3 lengths are those of the published algorithm, and for chunks those with two bits more', () => {
  fc.assert(fc.property(length, n => {
    expect(padmeLength(n)).toBe(publishedPadme(n, 0))
    expect(padmeLength(n, 'chunk')).toBe(publishedPadme(n, 2))
  }), runs(2_000))
})

test('CHK-3 padding costs at most 12 % in files, 3 % in chunks', () => {
  const worst = (k: PaddingKind): number => Math.max(...Array.from({ length: 100_000 }, (_, i) => padmeLength(i + 1, k) / (i + 1)))
  expect(worst('file')).toBeLessThanOrEqual(1.12)
  expect(worst('chunk')).toBeLessThanOrEqual(1.03)
})

test('CHK-3 what was padded comes back', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2_000 }), kind, (bytes, k) => {
    const padded = padme(bytes, k)
    expect(padded.length).toBe(paddedLength(bytes.length, k))
    expect(unpadme(padded, k)).toEqual(bytes)
  }), runs(300))
})

test('CHK-3 contents that look like padding come back too', () => {
  for (const bytes of [[], [0x80], [0x80, 0, 0], [0, 0], [1, 0x80]]) expect([...unpadme(padme(Uint8Array.from(bytes)))]).toEqual(bytes)
})

test('CHK-3 padding of another length, kind or content is a CorruptBlockError', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 100, maxLength: 2_000 }), bytes => {
    const padded = padme(bytes)
    const longer = new Uint8Array(padded.length * 2)
    longer.set(padded)
    expect(() => unpadme(longer)).toThrow(corrupt)
    if (paddedLength(bytes.length, 'chunk') !== padded.length) expect(() => unpadme(padded, 'chunk')).toThrow(corrupt)
    padded.fill(1, bytes.length)
    expect(() => unpadme(padded)).toThrow(corrupt)
  }), runs(100))
  expect(() => unpadme(new Uint8Array(64))).toThrow(corrupt)
  expect(() => unpadme(new Uint8Array(0))).toThrow(corrupt)
  expect(() => padmeLength(-1)).toThrow(/whole number/)
  expect(() => padmeLength(0.5)).toThrow(/whole number/)
})

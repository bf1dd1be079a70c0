import { vaultId } from '@holdfast/protocol'
import fc from 'fast-check'
import { hkdfSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { hexOf } from '../../../test/vectors/load.js'
import { random, runs } from '../testing/seed.js'
import { deriveKey, deriveVaultKeys } from './index.js'

test('KEY-2 is HKDF-SHA256 with an empty salt and the info holdfast/1/<label>', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 16, maxLength: 64 }), fc.string({ minLength: 1, unit: 'grapheme' }), fc.integer({ min: 1, max: 200 }), (secret, label, length) => {
    const other = hkdfSync('sha256', secret, new Uint8Array(0), `holdfast/1/${label}`, length)
    expect(hexOf(deriveKey(secret, label, length))).toBe(hexOf(new Uint8Array(other)))
  }), runs(100))
})

test('KEY-2 lengths that HKDF cannot give and empty labels are refused', () => {
  const secret = random.bytes(32)
  expect(deriveKey(secret, 'x', 255 * 32)).toHaveLength(8160)
  for (const length of [0, -1, 1.5, 255 * 32 + 1]) expect(() => deriveKey(secret, 'x', length)).toThrow(/1 to 8160 bytes/)
  expect(() => deriveKey(secret, '')).toThrow(/label/)
})

test('KEY-2 no two purposes, vaults, epochs or secrets share a key', () => {
  const [a, b] = [random.bytes(32), random.bytes(32)]
  const [v, w] = [vaultId(random.bytes(16)), vaultId(random.bytes(16))]
  const all = [deriveVaultKeys(a, v, 0), deriveVaultKeys(a, v, 1), deriveVaultKeys(a, w, 0), deriveVaultKeys(b, v, 0)]
  const keys = all.flatMap(({ content, gear, log }) => [content, gear, log].map(hexOf))
  expect(new Set(keys).size).toBe(12)
  expect(hexOf(deriveVaultKeys(a, v, 0).content)).toBe(hexOf(deriveKey(a, `vault/content/${v}/0`)))
  expect(() => deriveVaultKeys(a.subarray(1), v, 0)).toThrow(/32 bytes/)
  expect(() => deriveVaultKeys(a, v, -1)).toThrow(/epoch/)
})

import { vaultId } from '@holdfast/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random, runs } from '../testing/seed.js'
import { openSmall, sealSmall, SMALL_SEAL_OVERHEAD_BYTES, type SealContext } from './index.js'

const corrupt = expect.objectContaining({ name: 'CorruptBlockError' }) as Error
const context: SealContext = { vault: vaultId(random.bytes(16)), epoch: 3, purpose: 'change', position: 'device/7' }

test('KEY-4 small payloads come back, at a cost of 40 bytes, with another nonce each time', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ maxLength: 500 }), (key, plaintext) => {
    const sealed = sealSmall(key, plaintext, context, random)
    expect(sealed.length).toBe(plaintext.length + SMALL_SEAL_OVERHEAD_BYTES)
    expect(openSmall(key, sealed, context)).toEqual(plaintext)
    expect(sealSmall(key, plaintext, context, random)).not.toEqual(sealed)
  }), runs(100))
})

test('KEY-4 vault, epoch, purpose and position are bound', () => {
  const key = random.bytes(32)
  const sealed = sealSmall(key, random.bytes(50), context, random)
  const others: Partial<SealContext>[] = [{ vault: null }, { vault: vaultId(random.bytes(16)) }, { epoch: 4 }, { purpose: 'fragment' }, { position: 'device/8' }, { purpose: 'changedevice', position: '/7' }]
  for (const other of others) expect(() => openSmall(key, sealed, { ...context, ...other })).toThrow(corrupt)
})

test('KEY-4 every changed bit and every truncation is a CorruptBlockError', () => {
  const key = random.bytes(32)
  const sealed = sealSmall(key, random.bytes(9), context, random)
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = sealed.slice()
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => openSmall(key, changed, context)).toThrow(corrupt)
  }
  for (let length = 0; length < sealed.length; length++) expect(() => openSmall(key, sealed.subarray(0, length), context)).toThrow(corrupt)
  expect(() => openSmall(random.bytes(32), sealed, context)).toThrow(corrupt)
})

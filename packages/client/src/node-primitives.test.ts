import { webPrimitives } from '@holdfast/crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runs } from '../../crypto/testing/seed.js'
import { nodePrimitives } from './node-primitives.js'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 })
const data = fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 40_000 }).map(length => new Uint8Array(length).fill(length & 0xff)))

test('KEY-4 node:crypto gives what WebCrypto gives, and opens what it sealed', async () => {
  await fc.assert(fc.asyncProperty(key, nonce, data, fc.option(data, { nil: undefined }), async (k, n, bytes, associated) => {
    expect(await nodePrimitives.sha256(bytes)).toEqual(await webPrimitives.sha256(bytes))
    expect(await nodePrimitives.hmacSha256(k, bytes)).toEqual(await webPrimitives.hmacSha256(k, bytes))
    const sealed = await nodePrimitives.sealAesGcm(k, n, bytes, associated)
    expect(sealed).toEqual(await webPrimitives.sealAesGcm(k, n, bytes, associated))
    expect(await nodePrimitives.openAesGcm(k, n, sealed, associated)).toEqual(bytes)
    expect(await webPrimitives.openAesGcm(k, n, sealed, associated)).toEqual(bytes)
  }), runs(100))
})

test('KEY-4 what does not open is a CorruptBlockError', () => {
  fc.assert(fc.property(key, nonce, data, fc.nat(), (k, n, bytes, where) => {
    const sealed = nodePrimitives.sealAesGcm(k, n, bytes, Uint8Array.of(7)) as Uint8Array
    const flip = (array: Uint8Array): Uint8Array => array.map((byte, i) => i === (where >> 3) % array.length ? byte ^ (1 << (where & 7)) : byte)
    const corrupt = expect.objectContaining({ name: 'CorruptBlockError' }) as Error
    expect(() => nodePrimitives.openAesGcm(k, n, flip(sealed), Uint8Array.of(7))).toThrow(corrupt)
    expect(() => nodePrimitives.openAesGcm(flip(k), n, sealed, Uint8Array.of(7))).toThrow(corrupt)
    expect(() => nodePrimitives.openAesGcm(k, flip(n), sealed, Uint8Array.of(7))).toThrow(corrupt)
    expect(() => nodePrimitives.openAesGcm(k, n, sealed, Uint8Array.of(8))).toThrow(corrupt)
    expect(() => nodePrimitives.openAesGcm(k, n, sealed.subarray(0, where % sealed.length), Uint8Array.of(7))).toThrow(corrupt)
  }), runs(100))
})

test('KEY-4 keys and nonces of other lengths are refused', () => {
  const [k, n] = [new Uint8Array(32), new Uint8Array(12)]
  for (const name of ['sealAesGcm', 'openAesGcm'] as const) {
    expect(() => nodePrimitives[name](k.subarray(16), n, k)).toThrow('32 bytes')
    expect(() => nodePrimitives[name](k, k.subarray(0, 16), k)).toThrow('12')
  }
})

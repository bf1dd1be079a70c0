import fc from 'fast-check'
import { expect, test } from 'vitest'
import { random, runs } from '../testing/seed.js'
import { webPrimitives } from './index.js'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 })
const data = fc.uint8Array({ maxLength: 300 })

test('KEY-4 what AES-GCM sealed opens with the same key, nonce and associated data', async () => {
  await fc.assert(fc.asyncProperty(key, nonce, data, fc.option(data, { nil: undefined }), async (k, n, plaintext, associated) => {
    expect(await webPrimitives.openAesGcm(k, n, await webPrimitives.sealAesGcm(k, n, plaintext, associated), associated)).toEqual(plaintext)
  }), runs(100))
})

test('KEY-4 any changed bit, truncation, other key, nonce or associated data is a CorruptBlockError', async () => {
  await fc.assert(fc.asyncProperty(key, nonce, data, fc.nat(), async (k, n, plaintext, where) => {
    const associated = Uint8Array.of(1)
    const sealed = await webPrimitives.sealAesGcm(k, n, plaintext, associated)
    const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => i === (where >> 3) % bytes.length ? byte ^ (1 << (where & 7)) : byte)
    const corrupt = { name: 'CorruptBlockError', family: 'corrupt' }
    await expect(webPrimitives.openAesGcm(k, n, flip(sealed), associated)).rejects.toMatchObject(corrupt)
    await expect(webPrimitives.openAesGcm(k, n, sealed.subarray(0, where % sealed.length), associated)).rejects.toMatchObject(corrupt)
    await expect(webPrimitives.openAesGcm(flip(k), n, sealed, associated)).rejects.toMatchObject(corrupt)
    await expect(webPrimitives.openAesGcm(k, flip(n), sealed, associated)).rejects.toMatchObject(corrupt)
    await expect(webPrimitives.openAesGcm(k, n, sealed, flip(associated))).rejects.toMatchObject(corrupt)
    await expect(webPrimitives.openAesGcm(k, n, sealed)).rejects.toMatchObject(corrupt)
  }), runs(40))
})

test('KEY-4 keys and nonces of other lengths are refused', async () => {
  const k = random.bytes(32)
  await expect(webPrimitives.sealAesGcm(k.subarray(16), new Uint8Array(12), k)).rejects.toThrow('32 bytes')
  await expect(webPrimitives.sealAesGcm(k, new Uint8Array(16), k)).rejects.toThrow('12')
  await expect(webPrimitives.openAesGcm(k.subarray(8), new Uint8Array(12), k)).rejects.toThrow('32 bytes')
})

test('CHK-2 short and long input are hashed alike, though by different code', async () => {
  const k = random.bytes(32)
  const subtle = async (bytes: Uint8Array): Promise<Uint8Array> => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as BufferSource))
  const imported = await crypto.subtle.importKey('raw', k as BufferSource, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  for (const length of [0, 1, 8191, 8192, 8193, 20_000]) {
    const bytes = random.bytes(length)
    expect(await webPrimitives.sha256(bytes)).toEqual(await subtle(bytes))
    expect(await webPrimitives.hmacSha256(k, bytes)).toEqual(new Uint8Array(await crypto.subtle.sign('HMAC', imported, bytes as BufferSource)))
  }
})

import { verifySignature } from '@holdfast/protocol'
import { afterEach, expect, test, vi } from 'vitest'
import { random } from '../testing/seed.js'
import { createSigner } from './index.js'

afterEach(() => { vi.restoreAllMocks() })

test('LOG-1 a signature verifies with its key and its message only', async () => {
  const signer = createSigner(random.bytes(32))
  const message = random.bytes(100)
  const signature = await signer.sign(message)
  expect(await verifySignature(signer.publicKey, message, signature)).toBe(true)
  expect(await verifySignature(signer.publicKey, random.bytes(100), signature)).toBe(false)
  expect(await verifySignature(createSigner(random.bytes(32)).publicKey, message, signature)).toBe(false)
})

test('LOG-1 where WebCrypto has no Ed25519 the signature is the same', async () => {
  const seed = random.bytes(32)
  const message = random.bytes(33)
  const native = await createSigner(seed).sign(message)
  const importKey = vi.spyOn(crypto.subtle, 'importKey').mockRejectedValue(new DOMException('Unrecognized name.', 'NotSupportedError'))
  expect(await createSigner(seed).sign(message)).toEqual(native)
  expect(importKey).toHaveBeenCalledOnce()
})

test('LOG-1 a signer keeps its key when the seed that it was given is wiped', async () => {
  const seed = random.bytes(32)
  const signer = createSigner(seed)
  seed.fill(0)
  expect(await verifySignature(signer.publicKey, seed, await signer.sign(seed))).toBe(true)
  expect(() => createSigner(seed.subarray(1))).toThrow(/32 bytes/)
})

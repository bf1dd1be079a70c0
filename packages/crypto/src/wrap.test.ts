import { expect, test } from 'vitest'
import { random } from '../testing/seed.js'
import { unwrapForPerson, wrapForPerson, wrapKeyPair } from './index.js'

const corrupt = { name: 'CorruptBlockError' }
const invalid = { name: 'InvalidArgumentError' }
const secret = random.bytes(48).subarray(8, 40)

test('KEY-5 opens for the person it was wrapped for, for the same purpose, and for nobody else', async () => {
  const [mine, other] = [await wrapKeyPair(random.bytes(32)), await wrapKeyPair(random.bytes(32))]
  const wrapped = await wrapForPerson(mine.publicKey, secret, 'vault/1')
  expect(wrapped.length).toBe(32 + secret.length + 16)
  expect(await unwrapForPerson(mine.seed, wrapped, 'vault/1')).toEqual(secret)
  await expect(unwrapForPerson(other.seed, wrapped, 'vault/1')).rejects.toMatchObject(corrupt)
  await expect(unwrapForPerson(mine.seed, wrapped, 'vault/2')).rejects.toMatchObject(corrupt)
})

test('KEY-5 changed and truncated bytes are a CorruptBlockError', async () => {
  const pair = await wrapKeyPair(random.bytes(32))
  const wrapped = await wrapForPerson(pair.publicKey, secret, 'x')
  for (const at of [0, 31, 32, 50, wrapped.length - 1]) {
    await expect(unwrapForPerson(pair.seed, wrapped.map((byte, i) => i === at ? byte ^ 1 : byte), 'x')).rejects.toMatchObject(corrupt)
  }
  for (const length of [0, 10, 47, wrapped.length - 1]) await expect(unwrapForPerson(pair.seed, wrapped.subarray(0, length), 'x')).rejects.toMatchObject(corrupt)
})

test('KEY-5 what is no key cannot be wrapped for: wrong length, or a point of small order', async () => {
  await expect(wrapForPerson(random.bytes(31), secret, 'x')).rejects.toMatchObject(invalid)
  await expect(wrapForPerson(new Uint8Array(32), secret, 'x')).rejects.toMatchObject(invalid)
  await expect(wrapKeyPair(random.bytes(16))).rejects.toMatchObject(invalid)
})

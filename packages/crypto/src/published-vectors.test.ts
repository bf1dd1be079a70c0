import { verifySignature } from '@holdfast/protocol'
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, test } from 'vitest'
import { nodePrimitives } from '../../client/src/node-primitives.js'
import { bytesOf, hexOf, loadCases } from '../../../test/vectors/load.js'
import { scriptedRandom } from '../testing/seed.js'
import { createSigner, unwrapForPerson, webPrimitives, wrapForPerson, wrapKeyPair } from './index.js'

const published = <Name extends string>(name: string) => loadCases<Name>(`published/${name}.json`)

describe.each([['webPrimitives', webPrimitives], ['nodePrimitives', nodePrimitives]])('%s', (_, primitives) => {
  test.each(published<'case' | 'data' | 'digest'>('sha256'))('KEY-4 SHA-256, FIPS 180-4: $case', async ({ data, digest }) => {
    expect(hexOf(await primitives.sha256(bytesOf(data)))).toBe(digest)
  })

  test.each(published<'case' | 'key' | 'data' | 'mac'>('hmac-sha256'))('CHK-2 HMAC-SHA256, RFC 4231: $case', async ({ key, data, mac }) => {
    expect(hexOf(await primitives.hmacSha256(bytesOf(key), bytesOf(data)))).toBe(mac)
  })

  test.each(published<'case' | 'key' | 'nonce' | 'plaintext' | 'associated' | 'sealed'>('aes-256-gcm'))('KEY-4 AES-256-GCM: $case $key', async v => {
    const associated = v.associated === '' ? undefined : bytesOf(v.associated)
    expect(hexOf(await primitives.sealAesGcm(bytesOf(v.key), bytesOf(v.nonce), bytesOf(v.plaintext), associated))).toBe(v.sealed)
    expect(hexOf(await primitives.openAesGcm(bytesOf(v.key), bytesOf(v.nonce), bytesOf(v.sealed), associated))).toBe(v.plaintext)
  })
})

test.each(published<'case' | 'secret' | 'salt' | 'info' | 'key'>('hkdf-sha256'))('KEY-2 HKDF-SHA256, RFC 5869: $case', v => {
  expect(hexOf(hkdf(sha256, bytesOf(v.secret), bytesOf(v.salt), bytesOf(v.info), v.key.length / 2))).toBe(v.key)
})

test.each([['xchacha20-poly1305', xchacha20poly1305], ['chacha20-poly1305', chacha20poly1305]] as const)('KEY-4 %s', (name, cipher) => {
  for (const v of published<'key' | 'nonce' | 'associated' | 'plaintext' | 'ciphertext' | 'tag'>(name)) {
    const sealed = cipher(bytesOf(v.key), bytesOf(v.nonce), bytesOf(v.associated)).encrypt(bytesOf(v.plaintext))
    expect(hexOf(sealed)).toBe(v.ciphertext + v.tag)
  }
})

test.each(published<'case' | 'seed' | 'public' | 'message' | 'signature'>('ed25519'))('LOG-1 Ed25519, RFC 8032: $case', async v => {
  const signer = createSigner(bytesOf(v.seed))
  expect(hexOf(signer.publicKey)).toBe(v.public)
  expect(hexOf(await signer.sign(bytesOf(v.message)))).toBe(v.signature)
  expect(await verifySignature(signer.publicKey, bytesOf(v.message), bytesOf(v.signature))).toBe(true)
})

test.each(published<'case' | 'passphrase' | 'salt' | 'N' | 'r' | 'p' | 'key'>('scrypt'))('KEY-1 scrypt, RFC 7914: $case', v => {
  expect(hexOf(scrypt(bytesOf(v.passphrase), bytesOf(v.salt), { N: Number(v.N), r: Number(v.r), p: Number(v.p), dkLen: 32 }))).toBe(v.key)
})

type HpkeFields = 'case' | 'seedOfRecipient' | 'seedOfEphemeral' | 'public' | 'enc' | 'info' | 'plaintext' | 'sealed' | 'sealedByGo'
test.each(published<HpkeFields>('hpke'))('KEY-5 HPKE, RFC 9180, and an independent implementation: $case', async v => {
  const pair = await wrapKeyPair(bytesOf(v.seedOfRecipient))
  expect(hexOf(pair.publicKey)).toBe(v.public)
  const wrapped = hexOf(await wrapForPerson(pair.publicKey, Buffer.from(v.plaintext), v.info, scriptedRandom(bytesOf(v.seedOfEphemeral))))
  expect(wrapped.slice(0, 64)).toBe(v.enc)
  expect(wrapped).toBe(v.sealed)
  for (const sealed of [v.sealed, v.sealedByGo]) expect(Buffer.from(await unwrapForPerson(pair.seed, bytesOf(sealed), v.info)).toString()).toBe(v.plaintext)
})

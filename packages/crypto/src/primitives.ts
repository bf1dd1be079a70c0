import { CorruptBlockError } from '@holdfast/protocol'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'

export type MaybePromise<T> = T | Promise<T>

/**
 * Bulk primitives, so that Node may use node:crypto and a browser WebCrypto. Every implementation gives the same
 * bytes for the same input; one that answers at once is awaited at no cost. Nobody changes an input while a call runs.
 */
export interface Primitives {
  /** FIPS 180-4. 32 bytes. */
  sha256 (data: Uint8Array): MaybePromise<Uint8Array>
  /** RFC 2104. 32 bytes. */
  hmacSha256 (key: Uint8Array, data: Uint8Array): MaybePromise<Uint8Array>
  /** NIST SP 800-38D, AES-256-GCM: key of 32 bytes, nonce of 12. Gives ciphertext ‖ tag (16 bytes). */
  sealAesGcm (key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associated?: Uint8Array): MaybePromise<Uint8Array>
  /** Opens what `sealAesGcm` gave. Throws CorruptBlockError for any other key, nonce, bytes or associated data. */
  openAesGcm (key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, associated?: Uint8Array): MaybePromise<Uint8Array>
}

/** Bytes that sealing adds with AES-GCM. */
export const AES_GCM_TAG_BYTES = 16
const KEY_BYTES = 32
const NONCE_BYTES = 12
/** Below this a call to WebCrypto costs more than hashing here does. */
const SMALL_HASH_BYTES = 8192

/** Refuses keys and nonces of other lengths, which AES-GCM would take and mean something else by. Throws TypeError: a mistake in our code. */
export function checkAesGcmInput (key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== KEY_BYTES) throw new TypeError(`an AES-256 key has 32 bytes, not ${key.length}`)
  if (nonce.length !== NONCE_BYTES) throw new TypeError(`an AES-GCM nonce has 12 bytes, not ${nonce.length}`)
}

/** The error of every failed opening: it does not say which of key, nonce, bytes and associated data was wrong, since nobody can know. */
export const doesNotOpen = (cause?: unknown): CorruptBlockError =>
  new CorruptBlockError('sealed bytes do not open: they were damaged, or belong to another key or place', {}, { cause })

const gcmParameters = (nonce: Uint8Array, associated?: Uint8Array): AesGcmParams =>
  ({ name: 'AES-GCM', iv: nonce as BufferSource, ...(associated === undefined ? {} : { additionalData: associated as BufferSource }) })

const importAesKey = async (key: Uint8Array, usage: 'encrypt' | 'decrypt'): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', key as BufferSource, 'AES-GCM', false, [usage])

async function hmacByWebCrypto (key: Uint8Array, data: Uint8Array): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey('raw', key as BufferSource, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, data as BufferSource))
}

/** WebCrypto, with noble for hashes of short input. AES never runs in JavaScript: tables in memory leak keys through timing. */
export const webPrimitives: Primitives = {
  sha256: data => data.length <= SMALL_HASH_BYTES ? sha256(data) : crypto.subtle.digest('SHA-256', data as BufferSource).then(digest => new Uint8Array(digest)),
  hmacSha256: (key, data) => data.length <= SMALL_HASH_BYTES ? hmac(sha256, key, data) : hmacByWebCrypto(key, data),
  async sealAesGcm (key, nonce, plaintext, associated) {
    checkAesGcmInput(key, nonce)
    return new Uint8Array(await crypto.subtle.encrypt(gcmParameters(nonce, associated), await importAesKey(key, 'encrypt'), plaintext as BufferSource))
  },
  async openAesGcm (key, nonce, sealed, associated) {
    checkAesGcmInput(key, nonce)
    const imported = await importAesKey(key, 'decrypt')
    try {
      return new Uint8Array(await crypto.subtle.decrypt(gcmParameters(nonce, associated), imported, sealed as BufferSource))
    } catch (cause) {
      throw doesNotOpen(cause)
    }
  }
}

import { encode, fromHex, type Random, type VaultId } from '@holdfast/protocol'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { doesNotOpen } from './primitives.js'

/** Where sealed bytes belong; they open nowhere else. */
export interface SealContext {
  /** Null for what belongs to no vault (envelopes, keyrings). */
  readonly vault: VaultId | null
  readonly epoch: number
  /** What it is, such as `change`. */
  readonly purpose: string
  /** Which one it is, such as `<device>/<counter>`. */
  readonly position: string
}

const NONCE_BYTES = 24
const TAG_BYTES = 16
/** Bytes that `sealSmall` adds. */
export const SMALL_SEAL_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES

const associatedData = (context: SealContext): Uint8Array =>
  encode([context.vault === null ? null : fromHex(context.vault), context.epoch, context.purpose, context.position])

/**
 * KEY-4: seals a small payload with XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, RFC 8439) under a 32-byte key.
 * Gives nonce (24 bytes) ‖ ciphertext ‖ tag (16 bytes). Associated data: DAG-CBOR of [vault bytes or null, epoch, purpose, position].
 */
export function sealSmall (key: Uint8Array, plaintext: Uint8Array, context: SealContext, random: Random): Uint8Array {
  const nonce = random.bytes(NONCE_BYTES)
  const sealed = new Uint8Array(NONCE_BYTES + plaintext.length + TAG_BYTES)
  sealed.set(nonce)
  xchacha20poly1305(key, nonce, associatedData(context)).encrypt(plaintext, sealed.subarray(NONCE_BYTES))
  return sealed
}

/** Opens what `sealSmall` gave. Throws CorruptBlockError for other bytes, another key or another context. */
export function openSmall (key: Uint8Array, sealed: Uint8Array, context: SealContext): Uint8Array {
  if (sealed.length < SMALL_SEAL_OVERHEAD_BYTES) throw doesNotOpen()
  const cipher = xchacha20poly1305(key, sealed.subarray(0, NONCE_BYTES), associatedData(context))
  try {
    return cipher.decrypt(sealed.subarray(NONCE_BYTES))
  } catch (cause) {
    throw doesNotOpen(cause)
  }
}

import { ed25519 } from '@noble/curves/ed25519.js'
import { encode } from './block.js'
import { UnauthorisedError } from './errors.js'

/** Something that signs with one Ed25519 key (RFC 8032). The secret stays with whoever made it. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes. */
  sign (message: Uint8Array): Promise<Uint8Array>
}

/** What a signature is for. It is signed too, so that one kind of statement never passes for another. */
export type SignedPurpose = 'change' | 'fragment' | 'root' | 'membership' | 'certificate' | 'revocation' | 'receipt' | 'envelope'

/** The bytes that are signed: DAG-CBOR of [`holdfast/1/<purpose>`, fields]. */
export const signedBytes = (purpose: SignedPurpose, fields: unknown): Uint8Array => encode([`holdfast/1/${purpose}`, fields])

/** RFC 8032 Ed25519. WebCrypto where it has Ed25519 (fast), otherwise noble. False for malformed keys too. */
export async function verifySignature (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  try {
    const key = await crypto.subtle.importKey('raw', publicKey as BufferSource, 'Ed25519', false, ['verify'])
    return await crypto.subtle.verify('Ed25519', key, signature as BufferSource, message as BufferSource)
  } catch {
    // No Ed25519 in this WebCrypto, or not a point on the curve: noble decides, and says false for the latter.
    try { return ed25519.verify(signature, message, publicKey) } catch { return false }
  }
}

/** Throws UnauthorisedError when the statement was not signed by this key. */
export async function requireSignature (purpose: SignedPurpose, publicKey: Uint8Array, fields: unknown, signature: Uint8Array): Promise<void> {
  if (!await verifySignature(publicKey, signedBytes(purpose, fields), signature)) {
    throw new UnauthorisedError(`the signature of this ${purpose} is not by the key it names`, 'It was forged or damaged on the way and has been refused. Nothing was changed.', { purpose })
  }
}

import { createSigner, deriveKey } from '@holdfast/crypto'
import { InvalidArgumentError } from '@holdfast/protocol'
import type { UnlockKind } from './errors.js'
import { phraseEntropy } from './phrase.js'

/**
 * What a phrase, wallet or passkey gives: the key that wraps the root key, and the name under which the envelope
 * is found (KEY-1, KEY-3). None of them is the root key.
 */
export interface UnlockMethod {
  readonly kind: UnlockKind
  /** 32 bytes. */
  readonly wrapKey: Uint8Array
  /** Ed25519 seed (32 bytes) of the envelope's IPNS name. */
  readonly nameSeed: Uint8Array
  /** Ed25519 public key (32 bytes) of the envelope's IPNS name. */
  readonly namePublicKey: Uint8Array
}

/** Throws InvalidArgumentError that says which word is wrong, or that the checksum does not match. */
export const unlockFromPhrase = (phrase: string): UnlockMethod => unlockFromSecret('phrase', phraseEntropy(phrase))

/** The input to give WebAuthn's PRF extension (`prf.eval.first`), for every passkey of Holdfast. */
export const PASSKEY_PRF_INPUT: Uint8Array = new TextEncoder().encode('holdfast/1/passkey unlocks an account')

/** From the 32 bytes of WebAuthn's PRF extension (`prf.results.first`, W3C WebAuthn Level 3). Throws InvalidArgumentError. */
export function unlockFromPasskey (prfOutput: Uint8Array): UnlockMethod {
  if (prfOutput.length !== 32) throw new InvalidArgumentError(`a passkey's PRF output has 32 bytes, not ${prfOutput.length}`, 'Use a passkey that supports the PRF extension, or the recovery phrase.')
  return unlockFromSecret('passkey', prfOutput)
}

/** KEY-2: one secret, a key for each purpose. */
export function unlockFromSecret (kind: UnlockKind, secret: Uint8Array): UnlockMethod {
  const nameSeed = deriveKey(secret, `unlock/${kind}/name`)
  return { kind, wrapKey: deriveKey(secret, `unlock/${kind}/wrap`), nameSeed, namePublicKey: createSigner(nameSeed).publicKey }
}

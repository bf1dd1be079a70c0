import { InvalidArgumentError, type Signer } from '@holdfast/protocol'
import { ed25519 } from '@noble/curves/ed25519.js'

/** RFC 8410: the DER before the 32 bytes of an Ed25519 seed in PKCS #8, which is how WebCrypto takes one. */
const PKCS8_PREFIX = Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20)

async function importSeed (seed: Uint8Array): Promise<CryptoKey | null> {
  const pkcs8 = new Uint8Array(PKCS8_PREFIX.length + seed.length)
  pkcs8.set(PKCS8_PREFIX)
  pkcs8.set(seed, PKCS8_PREFIX.length)
  // Older browsers have no Ed25519 in WebCrypto: noble signs there, with the same result, since Ed25519 is deterministic.
  try { return await crypto.subtle.importKey('pkcs8', pkcs8 as BufferSource, 'Ed25519', false, ['sign']) } catch { return null }
}

/** An Ed25519 (RFC 8032) signer of a 32-byte seed. */
export function createSigner (seed: Uint8Array): Signer {
  if (seed.length !== 32) throw new InvalidArgumentError(`an Ed25519 seed has 32 bytes, not ${seed.length}`)
  const secret = seed.slice()
  let imported: Promise<CryptoKey | null> | undefined
  return {
    publicKey: ed25519.getPublicKey(secret),
    async sign (message) {
      const key = await (imported ??= importSeed(secret))
      if (key === null) return ed25519.sign(message, secret)
      return new Uint8Array(await crypto.subtle.sign('Ed25519', key, message as BufferSource))
    }
  }
}

import { CorruptBlockError, InvalidArgumentError, type Random } from '@holdfast/protocol'
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256, type SenderContext } from '@hpke/core'

const ENCAPSULATED_BYTES = 32
const SEED_BYTES = 32
const TAG_BYTES = 16
const suite = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })
const utf8 = new TextEncoder()

/** A key pair to which things are wrapped. `publicKey`: X25519, 32 bytes. The secret half is made from the seed when it is needed. */
export interface WrapKeyPair { readonly publicKey: Uint8Array, readonly seed: Uint8Array }

async function keyPairOf (seed: Uint8Array): Promise<CryptoKeyPair> {
  if (seed.length !== SEED_BYTES) throw new InvalidArgumentError(`a wrapping seed has 32 bytes, not ${seed.length}`)
  return suite.kem.deriveKeyPair(seed as Uint8Array<ArrayBuffer>)
}

/** KEY-5: the key pair of a 32-byte seed (RFC 9180, DeriveKeyPair). */
export async function wrapKeyPair (seed: Uint8Array): Promise<WrapKeyPair> {
  const pair = await keyPairOf(seed)
  return { publicKey: new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey)), seed: seed.slice() }
}

/**
 * KEY-5: wraps a small secret for the holder of a public key: HPKE (RFC 9180) in base mode, DHKEM(X25519, HKDF-SHA256),
 * HKDF-SHA256, AES-256-GCM, empty associated data. `info` names the purpose and place (UTF-8); it opens with the same one only.
 * Gives the encapsulated key (32 bytes) ‖ ciphertext ‖ tag (16 bytes). With `random` the ephemeral key comes
 * from it (simulations and vectors), otherwise from WebCrypto. Throws InvalidArgumentError for what is no X25519 key.
 */
export async function wrapForPerson (recipient: Uint8Array, plaintext: Uint8Array, info: string, random?: Random): Promise<Uint8Array> {
  const ephemeral = random === undefined ? {} : { ekm: await keyPairOf(random.bytes(SEED_BYTES)) }
  const sender = await createSender(recipient, info, ephemeral)
  const ciphertext = await sender.seal(plaintext as Uint8Array<ArrayBuffer>)
  const wrapped = new Uint8Array(ENCAPSULATED_BYTES + ciphertext.byteLength)
  wrapped.set(new Uint8Array(sender.enc))
  wrapped.set(new Uint8Array(ciphertext), ENCAPSULATED_BYTES)
  return wrapped
}

async function createSender (recipient: Uint8Array, info: string, ephemeral: { ekm?: CryptoKeyPair }): Promise<SenderContext> {
  try {
    const recipientPublicKey = await suite.kem.deserializePublicKey(recipient as Uint8Array<ArrayBuffer>)
    return await suite.createSenderContext({ recipientPublicKey, info: utf8.encode(info), ...ephemeral })
  } catch (cause) {
    throw new InvalidArgumentError('this key cannot be wrapped for: it is not an X25519 public key', 'Ask the person for their key again.', { cause })
  }
}

/** Opens what `wrapForPerson` gave, with the recipient's seed. Throws CorruptBlockError for other bytes, another seed or another info. */
export async function unwrapForPerson (seed: Uint8Array, wrapped: Uint8Array, info: string): Promise<Uint8Array> {
  const recipientKey = await keyPairOf(seed)
  if (wrapped.length < ENCAPSULATED_BYTES + TAG_BYTES) throw new CorruptBlockError('a wrapped secret is too short')
  try {
    const recipient = await suite.createRecipientContext({ recipientKey, enc: wrapped.slice(0, ENCAPSULATED_BYTES), info: utf8.encode(info) })
    return new Uint8Array(await recipient.open(wrapped.slice(ENCAPSULATED_BYTES)))
  } catch (cause) {
    throw new CorruptBlockError('a wrapped secret does not open: it was damaged, or is for another person or purpose', {}, { cause })
  }
}

import { InvalidArgumentError, type VaultId } from '@holdfast/protocol'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'

const utf8 = new TextEncoder()
/** RFC 5869 section 2.3: 255 blocks of the hash. */
const MAX_DERIVED_BYTES = 255 * 32

/**
 * KEY-2: a key of its own for each purpose. HKDF-SHA256 (RFC 5869) with an empty salt and the info
 * `holdfast/1/<label>` in UTF-8. The secret must be uniformly random (never a passphrase: see `passphraseKey`).
 */
export function deriveKey (secret: Uint8Array, label: string, length = 32): Uint8Array {
  if (label === '') throw new InvalidArgumentError('a derived key needs a label')
  if (!Number.isInteger(length) || length < 1 || length > MAX_DERIVED_BYTES) throw new InvalidArgumentError(`a derived key has 1 to ${MAX_DERIVED_BYTES} bytes, not ${length}`)
  return hkdf(sha256, secret, undefined, utf8.encode(`holdfast/1/${label}`), length)
}

/** The keys of one vault in one epoch, each 32 bytes. */
export interface VaultKeys {
  readonly vault: VaultId
  readonly epoch: number
  /** CHK-2: makes the keys of chunks, index blocks and file nodes. */
  readonly content: Uint8Array
  /** CHK-1: makes the table by which files are cut into chunks. */
  readonly gear: Uint8Array
  /** LOG-1: seals changes and fragments. */
  readonly log: Uint8Array
}

/** KEY-2: from the 32-byte secret of an epoch. Vault and epoch are part of each label, so that no two vaults or epochs share a key. */
export function deriveVaultKeys (secret: Uint8Array, vault: VaultId, epoch: number): VaultKeys {
  if (secret.length !== 32) throw new InvalidArgumentError(`an epoch secret has 32 bytes, not ${secret.length}`)
  if (!Number.isSafeInteger(epoch) || epoch < 0) throw new InvalidArgumentError(`an epoch is a whole number from 0, not ${epoch}`)
  const key = (purpose: string): Uint8Array => deriveKey(secret, `vault/${purpose}/${vault}/${epoch}`)
  return { vault, epoch, content: key('content'), gear: key('gear'), log: key('log') }
}

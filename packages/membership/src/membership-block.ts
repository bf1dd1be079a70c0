import { deriveKey, openSmall, sealSmall, type SealContext } from '@holdfast/crypto'
import {
  CorruptBlockError, InvalidArgumentError, LimitExceededError, accountId, checkVersion, decode, deviceId, encode, encodeBlock, fieldReader,
  type AccountId, type Block, type DeviceCertificate, type Random, type Revocation, type Signer, type VaultId
} from '@holdfast/protocol'
import { entryFields, entryFromMap, signEntry, type GrantedRole, type MembershipEntry } from './entry.js'
import { MAX_MEMBERSHIP_BLOCK_BYTES } from './limits.js'

const VERSION = 1

/** A vault and the 32-byte secret from which its keys derive. */
export interface VaultSecret { readonly vault: VaultId, readonly secret: Uint8Array }

/** Makes the blocks of a vault's membership log. Times are milliseconds since the Unix epoch. */
export interface MembershipLog {
  genesis (owner: Signer, facts: { at: number }): Promise<Block>
  /** Signed by the device. Throws InvalidArgumentError when the certificate is another device's. */
  device (device: Signer, facts: { certificate: DeviceCertificate, headKey: Uint8Array, at: number }): Promise<Block>
  grant (owner: Signer, facts: { account: AccountId, role: GrantedRole, at: number }): Promise<Block>
  /** The revocation carries its account's signature already. */
  revoke (revocation: Revocation): Promise<Block>
}

export function createMembershipLog (secret: VaultSecret, random: Random): MembershipLog {
  const { vault } = secret
  return {
    genesis: async (owner, { at }) =>
      sealEntry(secret, await signEntry({ type: 'genesis', vault, owner: accountId(owner.publicKey), at }, owner), random),
    async device (device, { certificate, headKey, at }) {
      if (certificate.device !== deviceId(device.publicKey)) throw new InvalidArgumentError('a device enters a vault with its own certificate')
      if (headKey.length !== 32) throw new InvalidArgumentError(`a head key has 32 bytes, not ${headKey.length}`)
      return sealEntry(secret, await signEntry({ type: 'device', vault, certificate, headKey, at }, device), random)
    },
    grant: async (owner, { account, role, at }) =>
      sealEntry(secret, await signEntry({ type: 'grant', vault, owner: accountId(owner.publicKey), account, role, at }, owner), random),
    revoke: async revocation => sealEntry(secret, entryFields({ type: 'revoke', vault, revocation }), random)
  }
}

const membershipKey = (secret: VaultSecret): Uint8Array => deriveKey(secret.secret, 'vault/membership')

/** The log spans all epochs, and what an entry is shows only once it is open: nothing else is left to bind. */
const sealContext = (vault: VaultId): SealContext => ({ vault, epoch: 0, purpose: 'membership', position: 'entry' })

async function sealEntry (secret: VaultSecret, map: Record<string, unknown>, random: Random): Promise<Block> {
  return encodeBlock({ v: VERSION, sealed: sealSmall(membershipKey(secret), encode(map), sealContext(secret.vault), random) })
}

/**
 * Opens an untrusted membership block. The entry is of this vault and signed by whom it names.
 * Throws CorruptBlockError, LimitExceededError, UnauthorisedError, UnknownVersionError.
 */
export async function openMembershipBlock (block: Block, secret: VaultSecret): Promise<MembershipEntry> {
  if (block.bytes.length > MAX_MEMBERSHIP_BLOCK_BYTES) throw new LimitExceededError('membership block size', block.bytes.length, MAX_MEMBERSHIP_BLOCK_BYTES)
  const value = decode(block.bytes, 'membership block')
  checkVersion('membership block', value, VERSION)
  const plaintext = openSmall(membershipKey(secret), fieldReader('membership block', value).bytes('sealed'), sealContext(secret.vault))
  const entry = await entryFromMap(decode(plaintext, 'membership entry'))
  if (entry.vault !== secret.vault) throw new CorruptBlockError('a membership entry is of another vault')
  return entry
}

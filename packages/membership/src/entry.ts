import {
  CorruptBlockError, accountId, certificateFromMap, certificateToMap, checkCertificate, checkRevocation, checkVersion, fieldReader, fromHex, requireSignature, revocationFromMap,
  revocationToMap, signedBytes, vaultId, type AccountId, type DeviceCertificate, type FieldReader, type Revocation, type Signer, type VaultId
} from '@holdfast/protocol'

const VERSION = 1

/** What a member may do: an owner grants, an editor changes, a viewer reads. */
export type Role = 'owner' | 'editor' | 'viewer'
export type GrantedRole = Exclude<Role, 'owner'>

/** "This vault is mine", signed by the account. */
export interface GenesisEntry { readonly type: 'genesis', readonly vault: VaultId, readonly owner: AccountId, readonly at: number }
/** "I am a device of this account, and this is the key of my head here", signed by the device. */
export interface DeviceEntry { readonly type: 'device', readonly vault: VaultId, readonly certificate: DeviceCertificate, readonly headKey: Uint8Array, readonly at: number }
/** "This account may do this here", signed by the owner. The newest grant of an account counts. */
export interface GrantEntry { readonly type: 'grant', readonly vault: VaultId, readonly owner: AccountId, readonly account: AccountId, readonly role: GrantedRole, readonly at: number }
/** A revocation carries the signature of its account inside. */
export interface RevokeEntry { readonly type: 'revoke', readonly vault: VaultId, readonly revocation: Revocation }

export type SignedEntry = GenesisEntry | DeviceEntry | GrantEntry
export type MembershipEntry = SignedEntry | RevokeEntry

/** The plain map of an entry; all of it is signed, but for a revocation, which is signed already. */
export function entryFields (entry: MembershipEntry): Record<string, unknown> {
  const common = { v: VERSION, type: entry.type, vault: fromHex(entry.vault) }
  switch (entry.type) {
    case 'genesis': return { ...common, owner: fromHex(entry.owner), at: entry.at }
    case 'device': return { ...common, certificate: certificateToMap(entry.certificate), headKey: entry.headKey, at: entry.at }
    case 'grant': return { ...common, owner: fromHex(entry.owner), account: fromHex(entry.account), role: entry.role, at: entry.at }
    case 'revoke': return { ...common, revocation: revocationToMap(entry.revocation) }
  }
}

/** The plain map of an entry with its signature beside it. */
export async function signEntry (entry: SignedEntry, signer: Signer): Promise<Record<string, unknown>> {
  const fields = entryFields(entry)
  return { ...fields, sig: await signer.sign(signedBytes('membership', fields)) }
}

/**
 * Reads an untrusted entry and checks that whoever it names as its signer signed it. Whether that signer may say
 * so in this vault is for `readMembership`. Throws CorruptBlockError, LimitExceededError, UnauthorisedError, UnknownVersionError.
 */
export async function entryFromMap (value: unknown): Promise<MembershipEntry> {
  checkVersion('membership entry', value, VERSION)
  const f = fieldReader('membership entry', value)
  const entry = readEntry(f)
  if (entry.type === 'revoke') {
    await checkRevocation(entry.revocation)
    return entry
  }
  const signer = entry.type === 'device' ? entry.certificate.device : entry.owner
  await requireSignature('membership', fromHex(signer), entryFields(entry), f.bytes('sig', 64))
  if (entry.type === 'device') await checkCertificate(entry.certificate)
  return entry
}

function readEntry (f: FieldReader): MembershipEntry {
  const type = f.text('type', 32)
  const vault = vaultId(f.bytes('vault', 16))
  switch (type) {
    case 'genesis': return { type, vault, owner: accountId(f.bytes('owner', 32)), at: f.integer('at') }
    case 'device': return { type, vault, certificate: certificateFromMap(f.map('certificate')), headKey: f.bytes('headKey', 32), at: f.integer('at') }
    case 'grant': return { type, vault, owner: accountId(f.bytes('owner', 32)), account: accountId(f.bytes('account', 32)), role: roleOf(f.text('role', 32)), at: f.integer('at') }
    case 'revoke': return { type, vault, revocation: revocationFromMap(f.map('revocation')) }
    default: throw new CorruptBlockError(`a membership entry of an unknown kind: ${type}`, { type })
  }
}

function roleOf (text: string): GrantedRole {
  if (text !== 'editor' && text !== 'viewer') throw new CorruptBlockError(`a membership entry grants an unknown role: ${text}`, { role: text })
  return text
}

import {
  LimitExceededError, MAX_VECTOR_DEVICES, UnauthorisedError, compareBytes, encode, isHoldfastError,
  type AccountId, type Block, type DeviceId, type HoldfastError
} from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { entryFields, type DeviceEntry, type GenesisEntry, type GrantEntry, type MembershipEntry, type RevokeEntry, type Role } from './entry.js'
import { MAX_MEMBERSHIP_BLOCKS } from './limits.js'
import { openMembershipBlock, type VaultSecret } from './membership-block.js'

export interface MemberDevice {
  readonly account: AccountId
  readonly role: Role
  /** The Ed25519 public key of its head, 32 bytes. */
  readonly headKey: Uint8Array
  /** Milliseconds since the Unix epoch; null while it is trusted. */
  readonly revokedAt: number | null
}

export interface RejectedEntry { readonly cid: CID, readonly error: HoldfastError }

export interface Membership {
  readonly owner: AccountId
  readonly devices: ReadonlyMap<DeviceId, MemberDevice>
  /** The newest epoch. */
  readonly epoch: number
  /** What was left out, ordered by CID. */
  readonly rejected: readonly RejectedEntry[]
}

export interface ReadMembershipOptions {
  /** Who owns the vault, where that is known beforehand (one's own home vault, an invite). */
  readonly owner?: AccountId
}

interface Opened<Entry extends MembershipEntry = MembershipEntry> { readonly cid: CID, readonly entry: Entry }

/**
 * MEM: what a set of membership blocks says. Pure, and the same for any order and repetition of blocks. What does
 * not open, verify or have the right is left out and reported in `rejected`. Throws LimitExceededError for too
 * many blocks or devices, and UnauthorisedError when no genesis verifies, or several accounts claim the vault and no `owner` was given.
 */
export async function readMembership (blocks: Iterable<Block>, secret: VaultSecret, options: ReadMembershipOptions = {}): Promise<Membership> {
  const distinct = [...new Map([...blocks].map(block => [block.cid.toString(), block])).entries()].sort(([a], [b]) => a < b ? -1 : 1).map(([, block]) => block)
  if (distinct.length > MAX_MEMBERSHIP_BLOCKS) throw new LimitExceededError('blocks of a membership log', distinct.length, MAX_MEMBERSHIP_BLOCKS)
  const rejected: RejectedEntry[] = []
  const opened: Opened[] = []
  for (const block of distinct) {
    try {
      opened.push({ cid: block.cid, entry: await openMembershipBlock(block, secret) })
    } catch (error) {
      if (!isHoldfastError(error)) throw error
      rejected.push({ cid: block.cid, error })
    }
  }
  const reject = (cid: CID, reason: string): void => {
    rejected.push({ cid, error: new UnauthorisedError(reason, 'It has been left out. Nothing was changed.', { cid: cid.toString() }) })
  }
  const owner = ownerOf(ofType<GenesisEntry>(opened, 'genesis'), options.owner, reject)
  const roles = rolesOf(ofType<GrantEntry>(opened, 'grant'), owner, reject)
  const devices = devicesOf(ofType<DeviceEntry>(opened, 'device'), roles, reject)
  applyRevocations(ofType<RevokeEntry>(opened, 'revoke'), devices, reject)
  if (devices.size > MAX_VECTOR_DEVICES) throw new LimitExceededError('devices in a vault', devices.size, MAX_VECTOR_DEVICES)
  rejected.sort((a, b) => a.cid.toString() < b.cid.toString() ? -1 : 1)
  return { owner, devices, epoch: 0, rejected }
}

type Reject = (cid: CID, reason: string) => void

const ofType = <Entry extends MembershipEntry>(opened: readonly Opened[], type: Entry['type']): Opened<Entry>[] =>
  opened.filter((one): one is Opened<Entry> => one.entry.type === type)

function ownerOf (entries: readonly Opened<GenesisEntry>[], expected: AccountId | undefined, reject: Reject): AccountId {
  const claims = new Set(entries.map(({ entry }) => entry.owner))
  const [first] = expected === undefined ? claims : [...claims].filter(owner => owner === expected)
  if (first === undefined) throw new UnauthorisedError('nobody owns this vault', 'Its membership is not complete here: sync with a node or device that has it.')
  if (expected === undefined && claims.size > 1) throw new UnauthorisedError('several accounts claim this vault', 'Ask the person who shared it who its owner is.', { claims: [...claims].sort() })
  for (const { cid, entry } of entries) if (entry.owner !== first) reject(cid, 'this account does not own the vault')
  return first
}

/** The newest grant of each account counts; equal times are decided by bytes, so that everybody decides alike. */
function rolesOf (entries: readonly Opened<GrantEntry>[], owner: AccountId, reject: Reject): Map<AccountId, Role> {
  const roles = new Map<AccountId, Role>()
  for (const { cid, entry } of [...entries].sort(byTime)) {
    if (entry.owner !== owner) reject(cid, 'only the owner grants roles')
    else if (entry.account === owner) reject(cid, 'the owner has no other role')
    else roles.set(entry.account, entry.role)
  }
  return roles.set(owner, 'owner')
}

function devicesOf (entries: readonly Opened<DeviceEntry>[], roles: ReadonlyMap<AccountId, Role>, reject: Reject): Map<DeviceId, MemberDevice> {
  const devices = new Map<DeviceId, MemberDevice>()
  for (const { cid, entry } of [...entries].sort(byTime)) {
    const { account, device } = entry.certificate
    const role = roles.get(account)
    if (role === undefined) reject(cid, 'this device is of an account that is no member')
    else devices.set(device, { account, role, headKey: entry.headKey, revokedAt: null })
  }
  return devices
}

/** A revocation by any account but the device's own means nothing. It is final, and the earliest one counts. */
function applyRevocations (entries: readonly Opened<RevokeEntry>[], devices: Map<DeviceId, MemberDevice>, reject: Reject): void {
  for (const { cid, entry: { revocation } } of entries) {
    const device = devices.get(revocation.device)
    if (device === undefined || device.account !== revocation.account) reject(cid, 'this account has no such device here')
    else devices.set(revocation.device, { ...device, revokedAt: Math.min(device.revokedAt ?? Infinity, revocation.revokedAt) })
  }
}

function byTime (a: Opened<DeviceEntry> | Opened<GrantEntry>, b: Opened<DeviceEntry> | Opened<GrantEntry>): number {
  return a.entry.at - b.entry.at || compareBytes(encode(entryFields(a.entry)), encode(entryFields(b.entry)))
}

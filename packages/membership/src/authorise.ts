import { UnauthorisedError, type DeviceId, type VaultId } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { MemberDevice, Membership } from './membership.js'

/**
 * Says that a CID belongs to what this device has merged, or to what the root of a device that is still trusted
 * contains. Such work by a device that lost its rights since stays: somebody who may decide took it in while, or
 * because, it was right. Everything else by that device is refused, however its times read: a thief sets the clock.
 */
export type Accepted = (cid: CID) => boolean

export interface AuthoriseContext {
  readonly vault: VaultId
  readonly membership: Membership
  /** Absent: nothing is. */
  readonly accepted?: Accepted
}

/** A change or root as far as its right to be here goes. */
export interface Claim { readonly vault: VaultId, readonly device: DeviceId, readonly cid: CID }

const refused = (reason: string, claim: Claim): UnauthorisedError =>
  new UnauthorisedError(reason, 'It has been refused. Nothing was changed.', { device: claim.device, cid: claim.cid.toString() })

function memberOf (claim: Claim, context: AuthoriseContext): MemberDevice {
  if (claim.vault !== context.vault) throw refused('this is of another vault', claim)
  const member = context.membership.devices.get(claim.device)
  if (member === undefined) throw refused('this is by a device that is no member of the vault', claim)
  return member
}

/** LOG-1: throws UnauthorisedError unless the device may change the vault, or could when this was accepted. */
export function authoriseChange (claim: Claim, context: AuthoriseContext): void {
  const member = memberOf(claim, context)
  if (context.accepted?.(claim.cid) === true) return
  if (member.revokedAt !== null) throw refused('this is by a device that has been revoked', claim)
  if (member.role === 'viewer') throw refused('this is by a device that may read the vault but not change it', claim)
}

/** ROOT-3, MEM: throws UnauthorisedError unless the device may publish roots. Viewers may: their roots hold the work of others. */
export function authoriseRoot (claim: Claim, context: AuthoriseContext): void {
  const member = memberOf(claim, context)
  if (member.revokedAt !== null && context.accepted?.(claim.cid) !== true) throw refused('this is by a device that has been revoked', claim)
}

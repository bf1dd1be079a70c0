import { fromHex, UnauthorisedError, type AccountId, type DeviceId, type HeadName } from '@holdfast/protocol'
import { headKeyOf } from '@holdfast/roots'

/** Who asks, as the node knows them. Worked out anew for every call, so that a revocation holds at once. */
export type Principal =
  /** A paired device. */
  | { readonly kind: 'device', readonly device: DeviceId, readonly account: AccountId }
  /** KEY-3: the holder of an envelope name's key. Reads that name's record and the block it points to; nothing else. */
  | { readonly kind: 'envelope', readonly name: HeadName, readonly account: AccountId }
  /** The person who runs the node, by API key. */
  | { readonly kind: 'operator' }
  /** A key that proved itself but that nobody paired. May only pair. */
  | { readonly kind: 'stranger', readonly key: Uint8Array }

export type Writer = Extract<Principal, { kind: 'device' | 'operator' }>
export type DevicePrincipal = Extract<Principal, { kind: 'device' }>

/** May store blocks and read every block and record. */
export function requireWriter (principal: Principal): asserts principal is Writer {
  if (principal.kind !== 'device' && principal.kind !== 'operator') throw refused(principal)
}

/** Anyone but a stranger. */
export function requireKnown (principal: Principal): void {
  if (principal.kind === 'stranger') throw refused(principal)
}

export function requireDevice (principal: Principal): asserts principal is DevicePrincipal {
  if (principal.kind === 'operator') throw new UnauthorisedError('an API key cannot do this: it needs a device key', 'Pair a device and let it ask.', { principal: principal.kind })
  if (principal.kind !== 'device') throw refused(principal)
}

export function requireOperator (principal: Principal): asserts principal is Extract<Principal, { kind: 'operator' }> {
  if (principal.kind !== 'operator') throw new UnauthorisedError('only the API key of this node may do this', 'Use the API key that lies in the node\'s data directory.', { principal: principal.kind })
}

/** The Ed25519 key that a principal proved; null for the API key. */
export function keyOf (principal: Principal): Uint8Array | null {
  switch (principal.kind) {
    case 'device': return fromHex(principal.device)
    case 'envelope': return headKeyOf(principal.name)
    case 'stranger': return principal.key
    case 'operator': return null
  }
}

export function refused (principal: Principal): UnauthorisedError {
  if (principal.kind === 'envelope') return new UnauthorisedError('the key of an unlock envelope may only read that envelope', 'Restore the account first; its device key may do more.', { principal: principal.kind })
  return new UnauthorisedError('this device is not paired with this node', 'Run `holdfast pair` with the address of the node and its one-time token.', { principal: principal.kind, paired: false })
}

import type { HeadName } from '@holdfast/protocol'

/** What the node around the core reacts to. */
export type PinnerEvent =
  /** A new record was accepted: re-broadcast it. */
  | { readonly type: 'record', readonly name: HeadName, readonly record: Uint8Array }
  /** Devices or vaults were registered or revoked: subscriptions and connections may have to change. */
  | { readonly type: 'members' }
  /** Something in the background failed; the node goes on. */
  | { readonly type: 'error', readonly error: unknown }

export type Listener = (event: PinnerEvent) => void

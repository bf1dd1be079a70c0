import type { HeadName } from '@holdfast/protocol'

/** What the node around the core reacts to. */
export type PinnerEvent =
  /** A new record was accepted. `topic` is its vault's; null for an envelope. `announced`: peers heard of it already. */
  | { readonly type: 'record', readonly name: HeadName, readonly record: Uint8Array, readonly topic: string | null, readonly announced: boolean }
  /** Devices or vaults were registered or revoked: subscriptions and connections may have to change. */
  | { readonly type: 'members' }
  /** Something in the background failed; the node goes on. */
  | { readonly type: 'error', readonly error: unknown }

export type Listener = (event: PinnerEvent) => void

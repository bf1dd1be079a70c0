import { deriveKey } from '@holdfast/crypto'
import { toHex, type VaultId } from '@holdfast/protocol'

/** ANN-1: the vault's gossipsub topic, 64 hex digits: a stranger can neither guess it nor tell from it which vault it is. */
export const deriveTopic = (secret: Uint8Array, vault: VaultId): string => toHex(deriveKey(secret, `vault/topic/${vault}`))

/** Devices that one account may pair with a node. */
export const MAX_DEVICES_PER_ACCOUNT = 1_000
/** Vaults that one account may register. */
export const MAX_VAULTS_PER_ACCOUNT = 1_000
/** Heads of one vault. */
export const MAX_HEADS_PER_VAULT = 1_000
/** Envelopes of one account. */
export const MAX_ENVELOPES_PER_ACCOUNT = 100
/** A gossip topic. Characters. */
export const MAX_TOPIC_LENGTH = 256
/** How long a receipt may rest on an earlier look at whether old blocks are still there. */
export const AUDIT_EVERY_MS = 60 * 60 * 1000
/** Blocks stored with one store.put: enough that a batch costs no more than its bytes. */
export const PUT_BATCH_BLOCKS = 200
/** Bytes stored with one store.put. */
export const PUT_BATCH_BYTES = 4 << 20

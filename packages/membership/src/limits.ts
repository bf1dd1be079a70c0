/** LOG-1: operations in all changes of one block. */
export const MAX_OPERATIONS_PER_BLOCK = 100_000
/** LOG-1: bytes of one Automerge change once inflated. */
export const MAX_INFLATED_CHANGE_BYTES = 8 << 20
/** LOG-1: bytes of all changes of one block once inflated. */
export const MAX_INFLATED_BLOCK_BYTES = 32 << 20
/** LOG-1: changes that one Automerge change or fragment names as its direct predecessors. */
export const MAX_CHANGE_DEPENDENCIES = 1_000
/** LOG-1: actors that one Automerge change or fragment names. */
export const MAX_CHANGE_ACTORS = 1_000
/** LOG-2: changes that one fragment stands for. */
export const MAX_FRAGMENT_MEMBERS = 16_384
/** MEM: bytes of a membership block. */
export const MAX_MEMBERSHIP_BLOCK_BYTES = 4_096
/** MEM: blocks of one membership log. */
export const MAX_MEMBERSHIP_BLOCKS = 10_000
/** LOG-2: operations in one fragment. */
export const MAX_OPERATIONS_PER_FRAGMENT = 1_000_000
/** LOG-2: bytes of one fragment once inflated. */
export const MAX_INFLATED_FRAGMENT_BYTES = 32 << 20
/** LOG-1: predecessors (values that an operation replaces) for each operation, on average. */
export const MAX_PREDECESSORS_PER_OPERATION = 4
/** LOG-1: the greatest operation counter. A page that reaches it could take no more changes, so nobody may jump there. */
export const MAX_OPERATION_COUNTER = 2 ** 31
/** LOG-1: columns in one Automerge chunk; Automerge has about twenty kinds. */
export const MAX_COLUMNS = 64

/**
 * The manifest: a vault's directory tree as registers in Automerge pages, and the tree derived from them.
 * Pure: no I/O, no timers, no clock (MAN-1 … MAN-6, LOG-2).
 */
export type * from './registers.js'
export type * from './page-types.js'
export type * from './tree/types.js'

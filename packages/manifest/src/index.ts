/**
 * The manifest: a vault's directory tree as registers in Automerge pages, and the tree derived from them.
 * Pure: no I/O, no timers, no clock (MAN-1 … MAN-6, LOG-2).
 */
export type * from './registers.js'
export type * from './page-types.js'
export type * from './tree/types.js'
export { MAX_ALTERNATES, MAX_LINK_TARGET_BYTES, checkName, decodeContent, decodePlace, encodeContent, encodePlace } from './codec.js'
export { compareStamps, isCovered } from './stamp.js'
export { joinRegisters } from './packed-registers.js'
export { changeHash, createPage, loadPage } from './page.js'
export { MAX_FRAGMENT_BYTES } from './page-log.js'
export { encodeSnapshot, pageSnapshot, readSnapshot } from './snapshot.js'
export { createTreeIndex } from './tree/tree-index.js'
export { winningPlace, type WinningPlace } from './tree/own-place.js'
export { mergeText } from './text/merge-text.js'

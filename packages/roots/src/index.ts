/**
 * What is replicated and how it is named: tries, bodies, roots, heads and announcements. No secrets of a vault:
 * the node imports this package.
 */
export * from './limits.js'
export { type BatchReader, type BlockReader, type BlockSource } from './reader.js'
export { emptyTrie, updateTrie, walkTrie, type TrieChange, type TrieUpdate } from './trie.js'
export { diffTrie, type TrieDifference } from './trie-diff.js'
export * from './body.js'
export { readRoot, signRoot, type Root } from './root.js'
export * from './examine-head.js'
export * from './head-record.js'
export * from './announcement.js'
export * from './reachable.js'

/**
 * Keys, sealing, padding, signing and wrapping: the only package that calls a cipher. The format is described in docs/format.md
 * and pinned by test/vectors. No I/O, no timers; randomness is passed in.
 */
export * from './primitives.js'
export * from './derive-key.js'
export * from './sealed-small.js'
export * from './padding.js'
export * from './signer.js'
export * from './wrap.js'
export * from './passphrase.js'
export * from './sealed-records.js'

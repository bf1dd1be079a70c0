/** The block store and record store ports in memory. */
export * from './memory-block-store.js'
export * from './memory-record-store.js'

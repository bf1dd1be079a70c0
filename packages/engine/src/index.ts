/**
 * The sync state machine. It knows ports, never an adapter: stores, network, nodes, clock and randomness are
 * passed in, so that the same engine runs in a browser, on a laptop and in the simulation.
 *
 * One direction of data: save → chunk → seal → blocks and file node → entry in a page → change → root → head →
 * announce → other devices and the node → fetch what is missing → verify → merge.
 */
export { createEngine } from './engine.js'
export * from './engine-types.js'
export { checkName, type Transaction } from './transaction.js'

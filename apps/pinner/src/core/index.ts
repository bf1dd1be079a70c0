/**
 * The node as a pure state machine over ports: no HTTP, no timers, no files. The running node and the simulation
 * use the same.
 */
export { createPinner, type Pinner, type PinnerComponents, type PinnerOptions } from './pinner.js'
export { createLocalNodeClient } from './local-node-client.js'
export { keyOf, requireKnown, requireOperator, requireWriter, type Principal } from './principal.js'
export type { Listener, PinnerEvent } from './events.js'
export type { Collected } from './garbage.js'
export type { Pin } from './registry.js'
export { NotPinnedError } from './pins.js'

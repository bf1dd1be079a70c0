/** The composition root: puts engine, stores, network and node clients together into a device, for Node. */
export type { Client, PairedNode } from './client.js'
export { openClient, type OpenOptions, type Surroundings } from './open.js'
export { createAccount, restoreAccount, DEFAULT_NODE_URL, type CreateAccountOptions, type CreatedAccount, type RestoreAccountOptions, type RestoredAccount } from './account.js'
export type { NodeSafety } from './safety.js'
export { homeLayout, type HomeLayout } from './home.js'
export * from './errors.js'
export { nodePrimitives } from './node-primitives.js'
export { systemClock, systemRandom } from './system.js'

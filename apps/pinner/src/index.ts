/** The node: HTTP, libp2p and a disk around the core. The core alone is `@holdfast/pinner/core`. */
export * from './core/index.js'
export { startNode, type NodeOptions, type RunningNode } from './node.js'
export { UnprotectedListenError } from './http/errors.js'

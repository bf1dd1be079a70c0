/** The node: HTTP, libp2p and a disk around the core. The core alone is `@holdfast/pinner/core`. */
export * from './core/index.js'

/**
 * The Network port over real sockets: libp2p, gossipsub and bitswap, composed by Helia. Runs in Node and in a browser.
 */
export type { HeadRouting, Libp2pNetwork, NetworkOptions, Transports } from './options.js'

/**
 * The Network port over real sockets: libp2p, gossipsub and bitswap, composed by Helia. Runs in Node and in a browser;
 * TCP is in `@holdfast/network/node`.
 */
export { createNetwork } from './create-network.js'
export { ListenError, NetworkClosedError } from './errors.js'
export { peerOfAddress } from './redial.js'
export type { HeadRouting, Libp2pNetwork, NetworkOptions, Transports } from './options.js'

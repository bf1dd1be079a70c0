/** The preset for Node: TCP beside WebSocket. Kept apart so that the rest bundles for a browser. */
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { createNetwork as createNetworkWith } from './create-network.js'
import type { Libp2pNetwork, NetworkOptions } from './options.js'

/** As the main entry's createNetwork, over TCP and WebSocket. */
export const createNetwork = async (options: NetworkOptions): Promise<Libp2pNetwork> => createNetworkWith({ transports: [tcp(), webSockets()], ...options })

export type { HeadRouting, Libp2pNetwork, NetworkOptions, Transports } from './options.js'

/** How a device talks to its node: the NodeClient port over HTTP, in Node and in browsers. */
export { createNodeClient, type NodeClientOptions } from './node-client.js'
export { NodeFailedError } from './errors.js'

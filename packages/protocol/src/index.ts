/**
 * Formats, ids, errors, limits and ports: what every other package of Holdfast agrees on. No I/O, no timers,
 * no secrets. Both a device and a node that can read nothing import it.
 */
export * from './errors.js'
export * from './ids.js'
export * from './limits.js'
export * from './block.js'
export * from './fields.js'
export * from './signature.js'
export * from './statements.js'
export * from './vector.js'
export * from './peer-id.js'
export * from './ports.js'

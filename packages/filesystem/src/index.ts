/** The vault by paths: stat, list, read, write, move, history, trash and watching, over an engine. */
export { createFilesystem } from './filesystem.js'
export * from './filesystem-types.js'
export * from './errors.js'
export { normalisePath, splitPath } from './paths.js'

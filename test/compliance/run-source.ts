import { join } from 'node:path'

/** The arguments with which Node runs a TypeScript file of this folder from the workspace's sources. */
export const sourceArguments = (file: string, ...rest: string[]): string[] => [
  '--conditions=source', '--experimental-transform-types', '--disable-warning=ExperimentalWarning',
  '--import', new URL('source-hooks.mjs', import.meta.url).href, join(import.meta.dirname, file), ...rest
]

import { posix } from 'node:path'
import { UsageError } from './errors.js'

/** A path as a person types it → the vault's form: absolute, without a slash at the end, `.` or `..`. */
export function vaultPath (text: string | undefined): string {
  if (text === undefined || text === '') throw new UsageError('an empty path', 'Paths in the vault start with /, such as /photos/one.jpg.')
  if (text.includes('\0')) throw new UsageError('a path cannot hold a NUL character', 'Correct the path.')
  return posix.resolve('/', text)
}

/** True for `photos/`: the person means "into this directory". */
export const namesDirectory = (text: string): boolean => text.endsWith('/')

export const joinVaultPath = (directory: string, name: string): string => directory === '/' ? `/${name}` : `${directory}/${name}`
export const vaultName = (path: string): string => posix.basename(path)
export const vaultParent = (path: string): string => posix.dirname(path)

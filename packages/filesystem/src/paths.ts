import { checkName } from '@holdfast/engine'
import { InvalidArgumentError } from '@holdfast/protocol'

/** A vault path in its one form: starts with "/", no empty parts, no "." or "..", no "/" at the end but for the root itself. */
export function normalisePath (path: string): string {
  const parts = path.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) throw new InvalidArgumentError(`"${path}" has ".." in it`, 'Write the path from the vault\'s root.')
  for (const part of parts) checkName(part)
  return `/${parts.join('/')}`
}

/** Parent path and name. Throws InvalidArgumentError for the root, which has neither. */
export function splitPath (path: string): { parent: string, name: string } {
  const normal = normalisePath(path)
  if (normal === '/') throw new InvalidArgumentError('this is the vault\'s root', 'Name something in it.')
  const slash = normal.lastIndexOf('/')
  return { parent: slash === 0 ? '/' : normal.slice(0, slash), name: normal.slice(slash + 1) }
}

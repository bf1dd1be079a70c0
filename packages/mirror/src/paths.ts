/** Paths inside a mirror or vault: `/` or `/a/b`, never with a slash at the end. */
export const joinPath = (directory: string, name: string): string => directory === '/' ? `/${name}` : `${directory}/${name}`
export const parentPath = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'
export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
/** Whether `path` is `ancestor` or below it. */
export const isWithin = (path: string, ancestor: string): boolean => ancestor === '/' || path === ancestor || (path.startsWith(ancestor) && path[ancestor.length] === '/')

/** Every directory above a path, nearest first, without `/`. */
export function * ancestorsOf (path: string): Iterable<string> {
  for (let parent = parentPath(path); parent !== '/'; parent = parentPath(parent)) yield parent
}

/** What the mirror keeps for itself inside the mirrored directory. Never mirrored. */
export const PRIVATE_DIRECTORY = '/.holdfast'
export const TEMPORARY_DIRECTORY = '/.holdfast/tmp'
export const PARKED_DIRECTORY = '/.holdfast/parked'
export const MARKER_FILE = '/.holdfast/mirror'
export const IGNORE_FILE = '/.holdfastignore'

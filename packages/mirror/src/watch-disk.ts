import { watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'
import { joinPath } from './paths.js'

/** Tells where something may have changed; a hint, never the truth. Null: anywhere. */
export type DiskHint = (path: string | null) => void

export interface DiskWatcher {
  /** From now on changes of what is in this directory are hinted at. Called before a directory is listed. */
  add (directory: string): void
  /** The directory, and all below, is gone from here. */
  remove (directory: string): void
  close (): void
}

/** `onError`: hints may be missing from now on, so the disk has to be scanned instead. */
export type WatchDisk = (root: string, onHint: DiskHint, onError: (error: Error) => void) => DiskWatcher

/** So many hints at once that the kernel may have dropped some (its queue takes 16,384 by default on Linux). */
const FLOOD = 8_192

/**
 * Watches with what Node has. macOS and Windows watch a whole tree; on Linux each directory is watched by itself,
 * added by the scanner before it lists the directory, so that nothing between the two is missed. (Watchers that
 * find new directories by themselves miss what was made in them before they got there.)
 */
export const watchDisk: WatchDisk = (root, onHint, onError) =>
  process.platform === 'linux' ? watchEach(root, onHint, onError) : watchTree(root, onHint, onError)

function watchTree (root: string, onHint: DiskHint, onError: (error: Error) => void): DiskWatcher {
  const watcher = watch(root, { recursive: true }, (_event, name) => { onHint(name === null ? null : joinPath('/', name.replaceAll('\\', '/'))) })
  watcher.on('error', onError)
  return { add: () => undefined, remove: () => undefined, close: () => { watcher.close() } }
}

function watchEach (root: string, onHint: DiskHint, onError: (error: Error) => void): DiskWatcher {
  const watchers = new Map<string, FSWatcher>()
  let recent = 0
  const hint: DiskHint = path => {
    if (recent === 0) setImmediate(() => { recent = 0 })
    onHint(++recent > FLOOD ? null : path)
  }
  const add = (directory: string): void => {
    // A directory may have been replaced by another of its name, so an old watch is worth nothing.
    watchers.get(directory)?.close()
    try {
      const watcher = watch(join(root, directory), (_event, name) => { hint(name === null ? directory : joinPath(directory, name)) })
      watcher.on('error', error => { if (!isGone(error)) onError(error) })
      watchers.set(directory, watcher)
    } catch (error) {
      watchers.delete(directory)
      if (!isGone(error)) onError(error instanceof Error ? error : new Error(String(error)))
    }
  }
  const close = (directory: string): void => {
    watchers.get(directory)?.close()
    watchers.delete(directory)
  }
  return {
    add,
    remove (directory) {
      close(directory)
      const below = `${directory}/`
      for (const path of watchers.keys()) if (path.startsWith(below)) close(path)
    },
    close () { for (const path of watchers.keys()) close(path) }
  }
}

const isGone = (error: unknown): boolean => error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EPERM')

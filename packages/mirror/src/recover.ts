import type { AgreedView } from './agreed-tree.js'
import type { Disk } from './disk-port.js'
import type { Id } from './model.js'
import { parentPath, joinPath, PARKED_DIRECTORY, TEMPORARY_DIRECTORY } from './paths.js'
import { putBack, takenFrom } from './safe-disk.js'

/**
 * Clears up after a crash. Unfinished downloads go; what was taken out of the tree, or parked in a swap, returns to
 * where its entry was, since what was to be done with it is still to be done and will be planned again.
 */
export async function recover (disk: Disk, agreed: AgreedView): Promise<void> {
  for (const listed of await disk.list(TEMPORARY_DIRECTORY)) {
    if (!('facts' in listed) || listed.facts.kind === 'directory') continue
    const path = joinPath(TEMPORARY_DIRECTORY, listed.name)
    const taken = takenFrom(listed.name)
    const elsewhereToo = taken !== undefined && taken.id === undefined && taken.inode === listed.facts.inode
    if (elsewhereToo || (taken === undefined && listed.name.startsWith('new-'))) await disk.removeFile(path)
    else await bringHome(disk, agreed, path, taken?.id ?? '')
  }
  for (const listed of await disk.list(PARKED_DIRECTORY)) await bringHome(disk, agreed, joinPath(PARKED_DIRECTORY, listed.name), listed.name)
}

async function bringHome (disk: Disk, agreed: AgreedView, from: string, id: Id): Promise<void> {
  const home = agreed.diskPath(id)
  await putBack(disk, from, home !== undefined && await isDirectory(disk, parentPath(home)) ? home : '/recovered')
}

async function isDirectory (disk: Disk, path: string): Promise<boolean> {
  const facts = await disk.facts(path)
  return facts !== undefined && facts !== 'special' && facts.kind === 'directory'
}

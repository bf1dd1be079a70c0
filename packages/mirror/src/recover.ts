import type { AgreedView } from './agreed-tree.js'
import type { Disk } from './disk-port.js'
import { parentPath, joinPath, PARKED_DIRECTORY, TEMPORARY_DIRECTORY } from './paths.js'
import { keptFacts, putBack } from './safe-disk.js'

/**
 * Clears up after a crash. Unfinished downloads go; what was set aside goes if it is the bytes that the vault has,
 * and comes back into the tree if it was edited; what was parked in a swap returns to where it was.
 */
export async function recover (disk: Disk, agreed: AgreedView): Promise<void> {
  for (const listed of await disk.list(TEMPORARY_DIRECTORY)) {
    if (!('facts' in listed) || listed.facts.kind === 'directory') continue
    const path = joinPath(TEMPORARY_DIRECTORY, listed.name)
    const kept = keptFacts(listed.name)
    const stored = kept === undefined ? listed.name.startsWith('new-') : kept.inode === listed.facts.inode && kept.size === listed.facts.size && kept.mtime === listed.facts.mtime
    if (stored) await disk.removeFile(path)
    else await putBack(disk, path, '/recovered')
  }
  for (const listed of await disk.list(PARKED_DIRECTORY)) {
    const from = joinPath(PARKED_DIRECTORY, listed.name)
    const home = agreed.diskPath(listed.name)
    const path = home !== undefined && await isDirectory(disk, parentPath(home)) ? home : `/recovered-${listed.name}`
    if ('facts' in listed && listed.facts.kind !== 'directory') await putBack(disk, from, path)
    else await disk.rename(from, await disk.facts(path) === undefined ? path : `/recovered-${listed.name}`)
  }
}

async function isDirectory (disk: Disk, path: string): Promise<boolean> {
  const facts = await disk.facts(path)
  return facts !== undefined && facts !== 'special' && facts.kind === 'directory'
}

import { toHex, type Random } from '@holdfast/protocol'
import type { Disk } from './disk-port.js'
import { codeOf } from './errors.js'
import type { Kind } from './filesystem-port.js'
import { sameBytes, toModified, type DiskFacts, type Id } from './model.js'
import { suffixedName } from './naming.js'
import { baseName, joinPath, parentPath, TEMPORARY_DIRECTORY } from './paths.js'

/**
 * Changes to the disk that lose nothing even when somebody else changes the same file at that moment. They do
 * their work when the file is the one that was scanned, and otherwise leave it and say false.
 *
 * Between a check and a deed there is always time for an edit, and rename(2) replaces whatever is there. So a file
 * that has to go is first taken out of the tree, then looked at, and brought back when it is another; and nothing is
 * ever brought to a path but by a link, which fails where something is. A file that is replaced is missing for
 * that moment, which is the price of never losing an edit.
 */
export interface SafeDisk {
  /** A name for a file that nobody else sees yet. */
  temporary (): string
  /** Brings a written file or link to a path where nothing was. */
  place (temporary: string, path: string): Promise<boolean>
  /** Brings a written file or link in the place of what was scanned of this entry. */
  replace (temporary: string, path: string, scanned: DiskFacts, id: Id): Promise<boolean>
  /** Deletes the file or link that was scanned of this entry. */
  remove (path: string, scanned: DiskFacts, id: Id): Promise<boolean>
  /** Moves what was scanned, to where nothing is. */
  move (from: string, to: string, scanned: DiskFacts): Promise<boolean>
}

/** What was taken out of the tree carries its facts and entry in its name, so that after a crash it finds its way. */
export interface Taken { readonly inode: bigint, readonly size: number, readonly mtime: bigint, /** Undefined: it has another name in the tree already. */ readonly id: Id | undefined }
const TAKEN = /^taken-(\d+)-(\d+)-(-?\d+)-([0-9a-f]*)-/

export function takenFrom (name: string): Taken | undefined {
  const found = TAKEN.exec(name)
  return found === null ? undefined : { inode: BigInt(found[1]!), size: Number(found[2]), mtime: BigInt(found[3]!), id: found[4] === '' ? undefined : found[4] }
}

export function createSafeDisk (disk: Disk, random: Random): SafeDisk {
  const mark = (): string => toHex(random.bytes(8))
  const takenName = ({ inode, size, mtime }: DiskFacts, id: Id): string => joinPath(TEMPORARY_DIRECTORY, `taken-${inode}-${size}-${mtime}-${id}-${mark()}`)

  const isStill = async (path: string, scanned: DiskFacts): Promise<boolean> => {
    const facts = await disk.facts(path)
    return facts !== undefined && facts !== 'special' && sameBytes(facts, scanned)
  }

  /** Takes what was scanned out of the tree. Undefined when it is another by now; then it is back where it was. */
  const take = async (path: string, scanned: DiskFacts, id: Id): Promise<string | undefined> => {
    if (!await isStill(path, scanned)) return undefined
    const taken = takenName(scanned, id)
    await disk.rename(path, taken)
    if (await isStill(taken, scanned)) return taken
    await putBack(disk, taken, path)
    return undefined
  }

  return {
    temporary: () => joinPath(TEMPORARY_DIRECTORY, `new-${mark()}`),
    place: async (from, path) => place(disk, from, path),

    async replace (from, path, scanned, id) {
      const taken = await take(path, scanned, id)
      if (taken === undefined) return false
      try {
        const placed = await place(disk, from, path)
        await disk.removeFile(taken)
        return placed
      } catch (error) {
        if (await disk.facts(taken) !== undefined) await putBack(disk, taken, path)
        throw error
      }
    },

    async remove (path, scanned, id) {
      const taken = await take(path, scanned, id)
      if (taken !== undefined) await disk.removeFile(taken)
      return taken !== undefined
    },

    async move (from, to, scanned) {
      // It may have been edited since: that moves along, and is told to the vault by the next round.
      if (await inodeAt(disk, from) !== scanned.inode) return false
      const there = await disk.facts(to)
      // Where case is folded, the other spelling of a name is the file itself.
      const itself = there !== undefined && there !== 'special' && there.inode === scanned.inode && parentPath(from) === parentPath(to)
      if (there !== undefined && !itself) return false
      const named = itself ? 'cannot' : await nameToo(disk, from, to, scanned.kind)
      if (named === 'taken') return false
      if (named === 'cannot') {
        await disk.rename(from, to)
        return true
      }
      // The bytes have their new name; an edit by now is in both. The old name goes unless it means another file by now.
      const taken = takenName(scanned, '')
      await disk.rename(from, taken)
      if (await inodeAt(disk, taken) === scanned.inode) await disk.removeFile(taken)
      else await putBack(disk, taken, from)
      return true
    }
  }
}

async function inodeAt (disk: Disk, path: string): Promise<bigint | undefined> {
  const facts = await disk.facts(path)
  return facts === undefined || facts === 'special' ? undefined : facts.inode
}

/** Gives something a second name where nothing is. A link is made again, for a hard link to it is one to its target on some systems. */
async function nameToo (disk: Disk, from: string, to: string, kind: Kind): Promise<'done' | 'taken' | 'cannot'> {
  if (kind === 'directory') return 'cannot'
  try {
    if (kind === 'file') await disk.hardLink(from, to)
    else {
      const facts = await disk.facts(from)
      await disk.makeLink(to, await disk.readLink(from), facts === undefined || facts === 'special' ? 0 : toModified(facts.mtime))
    }
    return 'done'
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'taken'
    if (LINKLESS.has(codeOf(error) ?? '')) return 'cannot'
    throw error
  }
}

/** Disks without hard links (FAT, some network disks). There, and for directories, a check and a rename have to do. */
const LINKLESS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EINVAL'])

async function place (disk: Disk, from: string, path: string): Promise<boolean> {
  const facts = await disk.facts(from)
  const named = facts === undefined || facts === 'special' ? 'cannot' : await nameToo(disk, from, path, facts.kind)
  if (named === 'done') await disk.removeFile(from)
  if (named !== 'cannot') return named === 'done'
  if (await disk.facts(path) !== undefined) return false
  await disk.rename(from, path)
  return true
}

/** Brings something back into the tree, beside what has its place by now. Returns where it is. */
export async function putBack (disk: Disk, taken: string, path: string): Promise<string> {
  if (await place(disk, taken, path)) return path
  for (const tried = new Set<string>(); ;) {
    const name = suffixedName(baseName(path), candidate => !tried.has(candidate))
    const beside = joinPath(parentPath(path), name)
    if (await place(disk, taken, beside)) return beside
    tried.add(name)
  }
}

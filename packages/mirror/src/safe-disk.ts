import { toHex, type Random } from '@holdfast/protocol'
import type { Disk } from './disk-port.js'
import { codeOf } from './errors.js'
import type { Kind } from './filesystem-port.js'
import { sameBytes, type DiskFacts, type Id } from './model.js'
import { suffixedName } from './naming.js'
import { baseName, joinPath, parentPath, TEMPORARY_DIRECTORY } from './paths.js'

/**
 * Changes to the disk that lose nothing even when somebody else changes the same file at that moment. They do
 * their work when the file is the one that was scanned, and otherwise leave it and say false.
 *
 * Between a check and a deed there is always time for an edit, and rename(2) replaces whatever is there. So a file
 * that has to go is first taken out of the tree, then looked at, and brought back when it is another; and nothing is
 * ever brought to a path but by a hard link, which fails where something is. A file that is replaced is missing for
 * that moment, which is the price of never losing an edit.
 */
export interface SafeDisk {
  /** A name for a file that nobody else sees yet. */
  temporary (): string
  /** Brings a written file or link to a path where nothing was. */
  place (temporary: string, path: string, kind: Kind): Promise<boolean>
  /** Brings a written file or link in the place of what was scanned of this entry. */
  replace (temporary: string, path: string, scanned: DiskFacts, kind: Kind, id: Id): Promise<boolean>
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

  const place = async (from: string, path: string, kind: Kind): Promise<boolean> => {
    if (kind === 'file') return placeFile(disk, from, path)
    // Not by a hard link, which on some systems would be one to the link's target.
    if (await disk.facts(path) !== undefined) return false
    await disk.rename(from, path)
    return true
  }

  return {
    temporary: () => joinPath(TEMPORARY_DIRECTORY, `new-${mark()}`),
    place,

    async replace (from, path, scanned, kind, id) {
      const taken = await take(path, scanned, id)
      if (taken === undefined) return false
      try {
        const placed = await place(from, path, kind)
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
      if (scanned.kind !== 'file' || itself || !await tryHardLink(disk, from, to)) {
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

async function placeFile (disk: Disk, from: string, path: string): Promise<boolean> {
  try {
    await disk.hardLink(from, path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    if (!LINKLESS.has(codeOf(error) ?? '')) throw error
    if (await disk.facts(path) !== undefined) return false
    await disk.rename(from, path)
    return true
  }
  await disk.removeFile(from)
  return true
}

/** Disks without hard links (FAT, some network disks), and links, which some systems will not link to. */
const LINKLESS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EINVAL'])

async function tryHardLink (disk: Disk, path: string, kept: string): Promise<boolean> {
  try {
    await disk.hardLink(path, kept)
    return true
  } catch (error) {
    if (LINKLESS.has(codeOf(error) ?? '')) return false
    throw error
  }
}

/** Brings something back into the tree, beside what has its place by now. Returns where it is. */
export async function putBack (disk: Disk, kept: string, path: string): Promise<string> {
  if (await placeBack(disk, kept, path)) return path
  for (const tried = new Set<string>(); ;) {
    const name = suffixedName(baseName(path), candidate => !tried.has(candidate))
    const beside = joinPath(parentPath(path), name)
    if (await placeBack(disk, kept, beside)) return beside
    tried.add(name)
  }
}

async function placeBack (disk: Disk, kept: string, path: string): Promise<boolean> {
  const facts = await disk.facts(kept)
  if (facts !== undefined && facts !== 'special' && facts.kind === 'file') return placeFile(disk, kept, path)
  if (await disk.facts(path) !== undefined) return false
  await disk.rename(kept, path)
  return true
}

import { toHex, type Random } from '@holdfast/protocol'
import type { Disk } from './disk-port.js'
import { codeOf } from './errors.js'
import type { Kind } from './filesystem-port.js'
import { sameBytes, type DiskFacts } from './model.js'
import { suffixedName } from './naming.js'
import { baseName, joinPath, parentPath, TEMPORARY_DIRECTORY } from './paths.js'

/**
 * Changes to the disk that lose nothing even when somebody else changes the same file at that moment. They do
 * their work when the file is the one that was scanned, and otherwise leave it and say false. Each checks the file
 * after it has got hold of it as well as before, since between a check and a deed there is always time for an edit.
 */
export interface SafeDisk {
  /** A name for a file that nobody else sees yet. */
  temporary (): string
  /** Brings a written file to a path where nothing was. */
  place (temporary: string, path: string, kind: Kind): Promise<boolean>
  /** Brings a written file in the place of the one that was scanned. */
  replace (temporary: string, path: string, scanned: DiskFacts, kind: Kind): Promise<boolean>
  /** Deletes the file or link that was scanned. */
  remove (path: string, scanned: DiskFacts): Promise<boolean>
  /** Moves what was scanned, to where nothing is. */
  move (from: string, to: string, scanned: DiskFacts): Promise<boolean>
}

/** What was set aside carries its facts in its name, so that after a crash it is known whether it was edited since. */
const KEPT = /^kept-(\d+)-(\d+)-(-?\d+)-/
const keptName = (facts: DiskFacts, random: string): string => joinPath(TEMPORARY_DIRECTORY, `kept-${facts.inode}-${facts.size}-${facts.mtime}-${random}`)

export function keptFacts (name: string): Pick<DiskFacts, 'inode' | 'size' | 'mtime'> | undefined {
  const found = KEPT.exec(name)
  return found === null ? undefined : { inode: BigInt(found[1]!), size: Number(found[2]), mtime: BigInt(found[3]!) }
}

export function createSafeDisk (disk: Disk, random: Random): SafeDisk {
  const mark = (): string => toHex(random.bytes(8))
  const temporary = (): string => joinPath(TEMPORARY_DIRECTORY, `new-${mark()}`)

  const isStill = async (path: string, scanned: DiskFacts): Promise<boolean> => {
    const facts = await disk.facts(path)
    return facts !== undefined && facts !== 'special' && (scanned.kind === 'directory' ? facts.kind === 'directory' && facts.inode === scanned.inode : sameBytes(facts, scanned))
  }

  const remove = async (path: string, scanned: DiskFacts, same: (kept: string) => Promise<boolean>): Promise<boolean> => {
    const kept = keptName(scanned, mark())
    await disk.rename(path, kept)
    if (await same(kept)) {
      await disk.removeFile(kept)
      return true
    }
    await putBack(disk, kept, path)
    return false
  }

  const place = async (from: string, path: string, kind: Kind): Promise<boolean> => {
    if (kind === 'file') return placeFile(disk, from, path)
    // Not by a hard link, which on some systems would be one to the link's target.
    if (await disk.facts(path) !== undefined) return false
    await disk.rename(from, path)
    return true
  }

  return {
    temporary,
    place,

    async replace (from, path, scanned, kind) {
      if (!await isStill(path, scanned)) return false
      // A second name keeps the old bytes in reach until it is certain that nobody wrote to them meanwhile.
      const kept = keptName(scanned, mark())
      if (scanned.kind !== 'file' || !await tryHardLink(disk, path, kept)) {
        return await remove(path, scanned, async name => isStill(name, scanned)) && place(from, path, kind)
      }
      await disk.rename(from, path)
      if (await isStill(kept, scanned)) await disk.removeFile(kept)
      else await putBack(disk, kept, path)
      return true
    },

    async remove (path, scanned) {
      return await isStill(path, scanned) && remove(path, scanned, async name => isStill(name, scanned))
    },

    async move (from, to, scanned) {
      if (!await isStill(from, scanned)) return false
      const there = await disk.facts(to)
      // Where case is folded, the other spelling of a name is the file itself.
      const itself = there !== undefined && there !== 'special' && there.inode === scanned.inode && parentPath(from) === parentPath(to)
      if (there !== undefined && !itself) return false
      if (scanned.kind !== 'file' || itself || !await tryHardLink(disk, from, to)) {
        await disk.rename(from, to)
        return true
      }
      // The bytes have their new name; an edit by now is in both. The old name goes unless it means another file by now.
      await remove(from, scanned, async name => await inodeAt(disk, name) === scanned.inode)
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

/** Brings an edited file back into the tree, beside what has its place by now. It is new there, and goes to the vault. */
export async function putBack (disk: Disk, kept: string, path: string): Promise<string> {
  if (await placeFile(disk, kept, path)) return path
  for (const tried = new Set<string>(); ;) {
    const name = suffixedName(baseName(path), candidate => !tried.has(candidate))
    const beside = joinPath(parentPath(path), name)
    if (await placeFile(disk, kept, beside)) return beside
    tried.add(name)
  }
}

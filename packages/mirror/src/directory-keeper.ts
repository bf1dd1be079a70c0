import { factsWithTime, toModified, type DiskFacts, type VaultNode } from './model.js'
import { ancestorsOf, isWithin } from './paths.js'
import type { Workplace } from './round-log.js'

interface Kept {
  /** As it was before anything in it changed; undefined for a directory that was just made. */
  before?: DiskFacts
  wanted?: VaultNode
  /** Known to be writable. */
  open: boolean
}

/**
 * Looks after the directories in which a round works: makes them writable while it does, gives them back their
 * permissions and times when their children are done, and forces them to the platter.
 */
export class DirectoryKeeper {
  #directories = new Map<string, Kept>()
  #unsynced = new Set<string>()

  constructor (readonly work: Pick<Workplace, 'disk' | 'agreed' | 'log'>) {}

  /** Before something in the directory changes. */
  async touch (path: string): Promise<void> {
    this.#unsynced.add(path)
    if (path === '/' || this.#directories.get(path)?.open === true) return
    const facts = await this.work.disk.facts(path)
    const known = this.#directories.get(path)
    if (facts === undefined || facts === 'special' || facts.kind !== 'directory' || known?.open === true) return
    this.#directories.set(path, { ...known, before: facts, open: true })
    if ((facts.mode & 0o300) !== 0o300) await this.work.disk.setMode(path, facts.mode | 0o700)
  }

  /** The directory shall have the vault's permissions and times in the end. `made`: by this round, so it is writable. */
  want (path: string, vault: VaultNode, made = false): void {
    this.#directories.set(path, { open: made, ...this.#directories.get(path), wanted: vault })
    this.#unsynced.add(path)
  }

  moved (from: string, to: string): void {
    const rename = (path: string): string => isWithin(path, from) ? to + path.slice(from.length) : path
    this.#directories = new Map([...this.#directories].map(([path, kept]) => [rename(path), kept]))
    this.#unsynced = new Set([...this.#unsynced].map(rename))
  }

  forget (path: string): void {
    this.#directories.delete(path)
    this.#unsynced.delete(path)
  }

  /** What was renamed or made in directories so far survives a power cut after this. */
  async sync (): Promise<void> {
    const paths = [...this.#unsynced]
    this.#unsynced.clear()
    // A directory that is gone, or that cannot be opened, has nothing left to force.
    for (const path of paths) await this.work.disk.syncDirectory(path).catch(() => undefined)
  }

  async finish (): Promise<void> {
    const deepestFirst = [...this.#directories].sort(([a], [b]) => depth(b) - depth(a))
    for (const [path, kept] of deepestFirst) {
      try { await this.#finish(path, kept) } catch (error) { this.work.log.fail(path, 'given its times and permissions', error) }
    }
    this.#directories.clear()
    await this.sync()
  }

  async #finish (path: string, { before, wanted }: Kept): Promise<void> {
    const { disk, agreed } = this.work
    const entry = agreed.atDiskPath(path)
    const facts = await disk.facts(path)
    if (facts === undefined || facts === 'special') return
    // Should another directory have come here meanwhile, the next round has to find that out.
    if (entry?.kind !== 'directory' || entry.facts.inode !== facts.inode || (wanted !== undefined && wanted.id !== entry.id)) {
      this.work.log.leave(path)
      if (before !== undefined && facts.mode !== before.mode) await disk.setMode(path, before.mode)
      return
    }
    // When somebody else changed the directory too, its time is theirs, and the next scan tells the vault.
    const ours = before === undefined || before.mtime === entry.facts.mtime
    const time = wanted?.modified ?? (ours ? toModified(entry.facts.mtime) : undefined)
    if (time !== undefined) await disk.setModified(path, time)
    const mode = wanted?.mode ?? before?.mode ?? facts.mode
    if (facts.mode !== mode) await disk.setMode(path, mode)
    const now = await disk.facts(path)
    if (now === undefined || now === 'special' || time === undefined) return
    if (now.inode !== facts.inode) { this.work.log.leave(path); return }
    const as = factsWithTime(now, time)
    agreed.set(wanted === undefined ? { ...entry, facts: { ...as, mode: entry.facts.mode } } : { ...entry, modified: wanted.modified, mode: wanted.mode, facts: { ...as, mode } })
  }
}

const depth = (path: string): number => [...ancestorsOf(path)].length

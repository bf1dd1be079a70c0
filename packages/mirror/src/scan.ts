import type { AgreedView } from './agreed-tree.js'
import type { Disk, Listed } from './disk-port.js'
import { codeOf, SkippedError } from './errors.js'
import type { IgnoreRules } from './ignore-rules.js'
import { inParallel } from './in-parallel.js'
import type { DiskFacts } from './model.js'
import type { Naming } from './naming.js'
import { ancestorsOf, baseName, isWithin, joinPath, parentPath } from './paths.js'

export interface ScannedNode { readonly path: string, readonly name: string, readonly facts: DiskFacts }

export interface ScanParts {
  readonly disk: Disk
  readonly agreed: AgreedView
  readonly rules: IgnoreRules
  readonly naming: Naming
  /** Called before a directory is listed, so that a watch on it misses nothing. */
  readonly beforeList?: (path: string) => void
}

const DIRECTORIES_AT_ONCE = 8

/** What the disk says: all of it, or of some paths. Reads no contents. */
export class Scan {
  readonly nodes = new Map<string, ScannedNode>()
  readonly skipped: SkippedError[] = []
  full = false
  readonly touched = new Set<string>()
  /** Directories that disappeared while they were listed: what is in them is not known. */
  readonly torn: string[] = []
  /** Everything below these was looked at (or there is nothing below them). */
  readonly #closed = new Set<string>()
  /** Something is there that is not mirrored, or that cannot be looked at. */
  readonly #blocked = new Set<string>()
  readonly #unlisted = new Set<string>()

  constructor (readonly parts: ScanParts) {}

  /** Whether a path that is not among the nodes is not on the disk. */
  covers (path: string): boolean {
    if (this.#blocked.has(path)) return false
    let covered = this.full || this.touched.has(path)
    for (const ancestor of [...ancestorsOf(path), '/']) {
      if (this.#blocked.has(ancestor) || this.#unlisted.has(ancestor)) return false
      covered ||= this.#closed.has(ancestor)
    }
    return covered || this.#closed.has(path)
  }

  /** Whether all below a path was looked at. */
  coversBelow (path: string): boolean {
    return this.full || this.#closed.has(path) || [...ancestorsOf(path)].some(ancestor => this.#closed.has(ancestor))
  }

  /** Nodes with directories before what is in them. */
  inOrder (): Iterable<ScannedNode> {
    if (this.full) return this.nodes.values()
    return [...this.nodes.values()].sort((a, b) => a.path < b.path ? -1 : 1)
  }

  async all (): Promise<void> {
    this.full = true
    await this.#descend(['/'])
    this.#dropHollow('/')
  }

  /** Looks at one path; with `deep`, or where a directory is not the one agreed on, at all below it too. */
  async look (wanted: string, deep = false): Promise<void> {
    const path = this.#knownFrom(wanted)
    if (path === '/' || this.full || (this.touched.has(path) && !deep)) return
    this.touched.add(path)
    const facts = await this.parts.disk.facts(path).catch((cause: unknown) => ({ cause }))
    if (facts === undefined) { this.#closed.add(path); return }
    if (facts === 'special') { this.#block({ path, reason: 'special' }); return }
    if ('cause' in facts) { this.#block({ path, reason: 'unreadable', cause: facts.cause }); return }
    if (this.parts.rules.ignores(path, facts.kind === 'directory')) { this.#closed.add(path); return }
    this.nodes.set(path, { path, name: baseName(path), facts })
    const agreed = this.parts.agreed.atDiskPath(path)
    if (facts.kind === 'directory' && !deep && agreed?.kind === 'directory' && agreed.facts.inode === facts.inode) return
    this.#closed.add(path)
    if (facts.kind !== 'directory') return
    await this.#descend([path])
    this.#dropHollow(path)
  }

  /** A path in a directory that is not agreed yet is looked at from the topmost such directory down. */
  #knownFrom (path: string): string {
    let from = path
    for (const ancestor of ancestorsOf(path)) if (this.parts.agreed.atDiskPath(ancestor)?.kind !== 'directory') from = ancestor
    return from
  }

  async #descend (directories: string[]): Promise<void> {
    for (let level = directories; level.length > 0;) {
      const listings = new Map<string, Listed[]>()
      await inParallel(level, DIRECTORIES_AT_ONCE, async path => { listings.set(path, await this.#list(path)) })
      level = level.flatMap(path => this.#take(path, listings.get(path)!))
    }
  }

  async #list (path: string): Promise<Listed[]> {
    this.parts.beforeList?.(path)
    try { return await this.parts.disk.list(path) } catch (cause) {
      this.#unlisted.add(path)
      const code = codeOf(cause)
      if (code === 'ENOENT' || code === 'ENOTDIR') this.torn.push(path)
      else this.skipped.push(new SkippedError(path, 'unreadable', cause))
      return []
    }
  }

  /** Takes over a listing; returns the directories in it. */
  #take (directory: string, listing: Listed[]): string[] {
    const directories: string[] = []
    for (const listed of listing) {
      const path = joinPath(directory, this.parts.naming.diskName(listed.name))
      if (!('facts' in listed)) {
        if (!this.parts.rules.ignores(path, false)) this.#block({ path, reason: listed.skipped, cause: listed.cause })
        continue
      }
      const isDirectory = listed.facts.kind === 'directory'
      if (this.parts.rules.ignores(path, isDirectory)) { this.#holdsOther.add(directory); continue }
      this.nodes.set(path, { path, name: baseName(path), facts: listed.facts })
      if (isDirectory) directories.push(path)
    }
    return directories
  }

  #block ({ path, reason, cause }: { path: string, reason: 'special' | 'name' | 'unreadable', cause?: unknown }): void {
    this.#blocked.add(path)
    this.#holdsOther.add(parentPath(path))
    this.skipped.push(new SkippedError(path, reason, cause))
  }

  readonly #holdsOther = new Set<string>()

  /**
   * A directory that holds nothing but what is ignored or skipped is not new to the vault: it is mostly what is
   * left where the vault deleted one, and uploading it would bring it back.
   */
  #dropHollow (from: string): void {
    const { agreed } = this.parts
    const children = new Map<string, number>()
    const directories: string[] = []
    for (const { path, facts } of this.nodes.values()) {
      if (!isWithin(path, from)) continue
      const parent = parentPath(path)
      children.set(parent, (children.get(parent) ?? 0) + 1)
      if (facts.kind === 'directory') directories.push(path)
    }
    if (this.#holdsOther.size === 0) return
    for (const path of directories.reverse()) {
      const inode = this.nodes.get(path)!.facts.inode
      if (!this.#holdsOther.has(path) || (children.get(path) ?? 0) > 0 || agreed.atDiskPath(path)?.kind === 'directory') continue
      if ([...agreed.byInode(inode)].some(entry => entry.kind === 'directory')) continue
      const parent = parentPath(path)
      this.nodes.delete(path)
      children.set(parent, children.get(parent)! - 1)
      this.#holdsOther.add(parent)
    }
  }
}

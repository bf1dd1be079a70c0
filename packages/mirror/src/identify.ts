import type { AgreedView } from './agreed-tree.js'
import { newId, ROOT, sameBytes, sameFacts, type AgreedEntry, type DiskFacts, type DiskNode, type Id } from './model.js'
import { parentPath } from './paths.js'
import type { Scan, ScannedNode } from './scan.js'

export interface Identified {
  /** Entries that are not on the disk as agreed; null is gone. */
  readonly delta: Map<Id, DiskNode | null>
  /** Paths that have to be looked at before this can be trusted: where something seems to have come from. */
  readonly wanted: string[]
}

type ScanView = Pick<Scan, 'nodes' | 'covers' | 'coversBelow' | 'inOrder' | 'full' | 'touched'>

/**
 * Says which entry each thing on the disk is. In this order: what is at its agreed place with its agreed inode;
 * what has the inode of an entry that left its place (a rename); what is at an entry's place and of its kind (an
 * edit by way of a new file); the rest is new. Each entry is found at most once. Pure.
 */
export function identify (agreed: AgreedView, scan: ScanView): Identified {
  const identifier = new Identifier(agreed, scan)
  for (const node of scan.inOrder()) identifier.take(node)
  identifier.missing()
  return identifier
}

class Identifier implements Identified {
  readonly delta = new Map<Id, DiskNode | null>()
  readonly wanted: string[] = []
  readonly #found = new Set<Id>()
  readonly #directories = new Map<string, Id>([['/', ROOT]])

  constructor (readonly agreed: AgreedView, readonly scan: ScanView) {}

  take (node: ScannedNode): void {
    const parent = this.#directoryAt(parentPath(node.path))
    if (parent === undefined) { this.wanted.push(parentPath(node.path)); return }
    const here = this.agreed.diskChild(parent, node.name)
    const entry = this.#entryOf(node, here?.diskName === node.name && here.kind === node.facts.kind ? here : undefined)
    const id = entry?.id ?? newId(node.path)
    if (node.facts.kind === 'directory') this.#directories.set(node.path, id)
    if (entry !== undefined) this.#found.add(entry.id)
    const stays = entry !== undefined && entry.parent === parent && entry.diskName === node.name
    if (stays && sameFacts(entry.facts, node.facts) && entry.facts.racy !== true) return
    this.delta.set(id, { id, parent, name: stays ? entry.name : node.name, diskName: node.name, path: node.path, facts: node.facts })
  }

  #directoryAt (path: string): Id | undefined {
    return this.#directories.get(path) ?? this.agreed.atDiskPath(path)?.id
  }

  #entryOf (node: ScannedNode, here: AgreedEntry | undefined): AgreedEntry | undefined {
    if (here !== undefined && here.facts.inode === node.facts.inode && !this.#found.has(here.id)) return here
    for (const entry of this.agreed.byInode(node.facts.inode)) {
      if (!this.#found.has(entry.id) && looksMoved(entry, node.facts) && this.#hasLeft(entry)) return entry
    }
    return here !== undefined && !this.#found.has(here.id) ? here : undefined
  }

  /**
   * Whether an entry is no longer where it was agreed to be: nothing of its kind is there, or another known one.
   * Something unknown in its place is the entry itself, saved by way of a new file, with a backup kept beside it.
   */
  #hasLeft (entry: AgreedEntry): boolean {
    const path = this.agreed.diskPath(entry.id)
    if (path === undefined) return true
    const there = this.scan.nodes.get(path)
    if (there === undefined) {
      if (this.scan.covers(path)) return true
      if (!this.scan.full) this.wanted.push(path)
      return false
    }
    if (there.facts.kind !== entry.kind) return true
    if (there.facts.inode === entry.facts.inode) return false
    return [...this.agreed.byInode(there.facts.inode)].some(other => looksMoved(other, there.facts))
  }

  missing (): void {
    if (this.scan.full) {
      for (const entry of this.agreed.entries()) this.#missing(entry)
      return
    }
    for (const entry of this.agreed.shadowed()) if (!this.#found.has(entry.id)) this.delta.set(entry.id, null)
    const roots = [...this.scan.touched].map(path => this.agreed.atDiskPath(path)).filter(entry => entry !== undefined)
    // An entry that was found elsewhere took what is below it along, so what was not found below it there is gone.
    for (const id of this.#found) {
      const entry = this.agreed.get(id)!
      if (entry.kind === 'directory' && this.delta.has(id)) roots.push(entry)
    }
    for (const root of roots) {
      this.#missing(root)
      const path = this.#expectedPath(root.id)
      if (path !== undefined && !this.scan.coversBelow(path)) continue
      for (const entry of this.agreed.descendants(root.id)) this.#missing(entry)
    }
  }

  #missing (entry: AgreedEntry): void {
    if (this.#found.has(entry.id) || this.delta.has(entry.id)) return
    const path = this.#expectedPath(entry.id)
    if (path === undefined || this.scan.covers(path)) this.delta.set(entry.id, null)
  }

  /** Where an entry would be now, its directory having perhaps moved. Undefined when its directory is gone. */
  #expectedPath (id: Id): string | undefined {
    if (id === ROOT) return '/'
    const moved = this.delta.get(id)
    if (moved === null) return undefined
    if (moved !== undefined) return moved.path
    const entry = this.agreed.get(id)
    const parent = entry === undefined ? undefined : this.#expectedPath(entry.parent)
    return entry === undefined || parent === undefined ? undefined : parent === '/' ? `/${entry.diskName}` : `${parent}/${entry.diskName}`
  }
}

/** A rename keeps the inode, and the size and time of a file. Inodes are used again, so a directory's birth counts. */
function looksMoved (entry: AgreedEntry, facts: DiskFacts): boolean {
  if (entry.kind !== 'directory') return sameBytes(entry.facts, facts)
  if (facts.kind !== 'directory' || facts.inode !== entry.facts.inode) return false
  // Where the disk knows no birth, the system reports another time, or none; then the inode has to do.
  const reliable = facts.born !== 0n && facts.born !== facts.ctime && entry.facts.born !== 0n && entry.facts.born !== entry.facts.ctime
  return !reliable || facts.born === entry.facts.born
}

/** Takes a new file for an entry that is gone when their contents are equal: a rename across disks, or a copy and a delete. */
export function matchByDigest (agreed: AgreedView, delta: Map<Id, DiskNode | null>, digests: ReadonlyMap<Id, string>): Map<Id, Id> {
  const gone = new Map<string, AgreedEntry[]>()
  for (const [id, node] of delta) {
    const entry = node === null ? agreed.get(id) : undefined
    if (entry?.digest === undefined || entry.facts.size === 0) continue
    gone.set(entry.digest, [...gone.get(entry.digest) ?? [], entry])
  }
  const renamed = new Map<Id, Id>()
  if (gone.size === 0) return renamed
  for (const [id, node] of delta) {
    const candidates = node === null || agreed.get(id) !== undefined ? undefined : gone.get(digests.get(id) ?? '')
    if (node === null || candidates === undefined || candidates.length === 0 || node.facts.kind !== 'file') continue
    const sameName = candidates.findIndex(entry => entry.diskName === node.diskName)
    const [entry] = candidates.splice(Math.max(0, sameName), 1)
    delta.delete(id)
    delta.set(entry!.id, { ...node, id: entry!.id })
    renamed.set(id, entry!.id)
  }
  return renamed
}

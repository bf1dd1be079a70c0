import { ROOT, type AgreedEntry, type Id } from './model.js'
import type { Naming } from './naming.js'
import { joinPath } from './paths.js'

/** The agreed tree, for reading. */
export interface AgreedView {
  readonly count: number
  get (id: Id): AgreedEntry | undefined
  /** By the vault's name. */
  child (parent: Id, name: string): AgreedEntry | undefined
  /** By the name on the disk, as the disk tells names apart. */
  diskChild (parent: Id, diskName: string): AgreedEntry | undefined
  children (parent: Id): Iterable<AgreedEntry>
  byInode (inode: bigint): Iterable<AgreedEntry>
  shadowed (): Iterable<AgreedEntry>
  entries (): Iterable<AgreedEntry>
  /** Everything below, parents first. */
  descendants (id: Id): Iterable<AgreedEntry>
  diskPath (id: Id): string | undefined
  atDiskPath (path: string): AgreedEntry | undefined
}

/** The agreed tree in memory. Remembers what changed since it was last written down. */
export class AgreedTree implements AgreedView {
  readonly #entries = new Map<Id, AgreedEntry>()
  readonly #names = new Map<Id, Map<string, Id>>()
  readonly #diskNames = new Map<Id, Map<string, Id>>()
  readonly #shadowed = new Set<Id>()
  readonly #inodes = new Map<bigint, Id | Set<Id>>()
  #changed = new Map<Id, AgreedEntry | null>()

  constructor (readonly naming: Naming) {}

  get count (): number { return this.#entries.size }
  get (id: Id): AgreedEntry | undefined { return this.#entries.get(id) }
  entries (): Iterable<AgreedEntry> { return this.#entries.values() }

  child (parent: Id, name: string): AgreedEntry | undefined {
    const id = this.#names.get(parent)?.get(name)
    return id === undefined ? undefined : this.#entries.get(id)
  }

  diskChild (parent: Id, diskName: string): AgreedEntry | undefined {
    if (this.naming.exact) return this.child(parent, diskName)
    const id = this.#diskNames.get(parent)?.get(this.naming.fold(diskName))
    return id === undefined ? undefined : this.#entries.get(id)
  }

  * children (parent: Id): Iterable<AgreedEntry> {
    for (const id of this.#names.get(parent)?.values() ?? []) yield this.#entries.get(id)!
  }

  * descendants (id: Id): Iterable<AgreedEntry> {
    for (const child of this.children(id)) {
      yield child
      if (child.kind === 'directory') yield * this.descendants(child.id)
    }
  }

  * byInode (inode: bigint): Iterable<AgreedEntry> {
    const found = this.#inodes.get(inode)
    if (found === undefined) return
    for (const id of typeof found === 'string' ? [found] : found) yield this.#entries.get(id)!
  }

  diskPath (id: Id): string | undefined {
    if (id === ROOT) return '/'
    const entry = this.#entries.get(id)
    const parent = entry === undefined ? undefined : this.diskPath(entry.parent)
    return entry === undefined || parent === undefined ? undefined : joinPath(parent, entry.diskName)
  }

  atDiskPath (path: string): AgreedEntry | undefined {
    let found: AgreedEntry | undefined
    for (const name of path.split('/').slice(1)) {
      found = this.diskChild(found?.id ?? ROOT, name)
      if (found === undefined) return undefined
    }
    return found
  }

  /** Where an entry is agreed to be, for records that only say something else about it. */
  placeOf (id: Id): Pick<AgreedEntry, 'parent' | 'name' | 'diskName'> | undefined {
    const entry = this.#entries.get(id)
    return entry === undefined ? undefined : { parent: entry.parent, name: entry.name, diskName: entry.diskName }
  }

  /** Takes over what was written down before. */
  load (entry: AgreedEntry): void { this.#insert(entry) }

  set (entry: AgreedEntry): void {
    const before = this.#entries.get(entry.id)
    if (before !== undefined) this.#remove(before)
    this.#insert(entry)
    this.#changed.set(entry.id, entry)
  }

  delete (id: Id): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#remove(entry)
    this.#changed.set(id, null)
  }

  /** The vault shows the same thing under another id now (two directories or files shown as one, MAN-3). */
  rebind (from: Id, to: Id): void {
    const entry = this.#entries.get(from)
    if (entry === undefined) return
    const children = [...this.children(from)]
    this.delete(from)
    this.set({ ...entry, id: to })
    for (const child of children) this.set({ ...child, parent: to })
  }

  /** What changed since the last call: entries to write down, null for those to forget. */
  takeChanges (): Map<Id, AgreedEntry | null> {
    const changed = this.#changed
    this.#changed = new Map()
    return changed
  }

  /** Entries at whose agreed place another was put since: where they are is not known until they are found. */
  shadowed (): Iterable<AgreedEntry> { return [...this.#shadowed].map(id => this.#entries.get(id)!) }

  #insert (entry: AgreedEntry): void {
    this.#entries.set(entry.id, entry)
    const shadow = this.#names.get(entry.parent)?.get(entry.name)
    if (shadow !== undefined) this.#shadowed.add(shadow)
    index(this.#names, entry.parent, entry.name, entry.id)
    if (!this.naming.exact) index(this.#diskNames, entry.parent, this.naming.fold(entry.diskName), entry.id)
    const found = this.#inodes.get(entry.facts.inode)
    if (found === undefined) this.#inodes.set(entry.facts.inode, entry.id)
    else this.#inodes.set(entry.facts.inode, typeof found === 'string' ? new Set([found, entry.id]) : found.add(entry.id))
  }

  #remove (entry: AgreedEntry): void {
    this.#entries.delete(entry.id)
    this.#shadowed.delete(entry.id)
    unindex(this.#names, entry.parent, entry.name, entry.id)
    if (!this.naming.exact) unindex(this.#diskNames, entry.parent, this.naming.fold(entry.diskName), entry.id)
    const found = this.#inodes.get(entry.facts.inode)
    if (found === entry.id) this.#inodes.delete(entry.facts.inode)
    else if (found instanceof Set) found.delete(entry.id)
  }
}

function index (map: Map<Id, Map<string, Id>>, parent: Id, name: string, id: Id): void {
  const names = map.get(parent)
  if (names === undefined) map.set(parent, new Map([[name, id]]))
  else names.set(name, id)
}

function unindex (map: Map<Id, Map<string, Id>>, parent: Id, name: string, id: Id): void {
  const names = map.get(parent)
  if (names === undefined || names.get(name) !== id) return
  names.delete(name)
  if (names.size === 0) map.delete(parent)
}

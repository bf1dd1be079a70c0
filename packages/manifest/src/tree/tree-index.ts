import type { EntryId } from '@holdfast/protocol'
import { asPacked, type PackedRegisters } from '../packed-registers.js'
import type { Registers } from '../registers.js'
import { ChangeLog, pathOf, shownChildren } from './change-log.js'
import { EntryView } from './entry-view.js'
import { fits } from './fit.js'
import { compareNames } from './names.js'
import { NodeTable, topOf, type TreeNode } from './node.js'
import { ownPlace } from './own-place.js'
import { Placement } from './placement.js'
import { settlePlaces } from './settle-places.js'
import { Shelving } from './shelving.js'
import type { TreeChange, TreeEntry, TreeIndex } from './types.js'
import { isReserved } from '../codec.js'

/** An empty tree. */
export const createTreeIndex = (): TreeIndex => new MemoryTreeIndex()

class MemoryTreeIndex implements TreeIndex {
  private readonly nodes = new NodeTable()
  private readonly placement = new Placement(this.nodes)
  /** Entries that may have more than one version. */
  private readonly contested = new Set<TreeNode>()
  private totals: { size: number, bytes: number } | null = { size: 0, bytes: 0 }

  get size (): number { return this.count().size }
  get bytes (): number { return this.count().bytes }

  update (changes: Iterable<readonly [EntryId, Registers]>): TreeChange[] {
    const log = new ChangeLog(this.nodes.root)
    const updated = this.setRegisters(changes, log)
    if (updated.size === 0) return []
    this.place(updated, log)
    const shelving = new Shelving(this.nodes.trash, log)
    for (const node of this.placement.moved) shelving.file(node)
    for (const node of updated.keys()) shelving.touch(node)
    shelving.settle()
    const { changes: seen, subtreesGone } = log.changes()
    this.account(seen, subtreesGone)
    return seen
  }

  /** Stores what differs from what is known; answers with those entries and their former registers. */
  private setRegisters (changes: Iterable<readonly [EntryId, Registers]>, log: ChangeLog): Map<TreeNode, PackedRegisters | null> {
    const latest = new Map<EntryId, PackedRegisters>()
    for (const [id, registers] of changes) if (!isReserved(id)) latest.set(id, asPacked(registers))
    const updated = new Map<TreeNode, PackedRegisters | null>()
    for (const [id, registers] of compact(latest)) {
      const node = this.nodes.at(id)
      if (node.registers?.equals(registers) === true) continue
      log.remember(node)
      updated.set(node, node.known ? node.registers : null)
      node.registers = registers
    }
    return updated
  }

  private place (updated: ReadonlyMap<TreeNode, PackedRegisters | null>, log: ChangeLog): void {
    this.placement.begin(log)
    let ordinary = true
    for (const [node, former] of updated) {
      const own = ownPlace(node.registers!)
      ordinary &&= own === null ? !node.known : fits(this.placement, node, own, former)
      node.known = own !== null
      node.kind = own?.kind ?? 'directory'
      node.size = own?.size ?? 0
      if (own?.contested === true) this.contested.add(node)
      else this.contested.delete(node)
      if (ordinary && own !== null) this.placement.putHome(node, own)
    }
    if (!ordinary) settlePlaces(this.placement, updated.keys())
  }

  private account (changes: readonly TreeChange[], subtreesGone: boolean): void {
    if (subtreesGone) this.totals = null
    if (this.totals === null) return
    for (const { before, after } of changes) {
      this.totals.size += Number(after !== undefined) - Number(before !== undefined)
      this.totals.bytes += sizeOf(after?.entry) - sizeOf(before?.entry)
    }
  }

  private count (): { size: number, bytes: number } {
    if (this.totals !== null) return this.totals
    const totals = { size: 0, bytes: 0 }
    const waiting = [this.nodes.root]
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      for (const child of shownChildren(node)) {
        totals.size++
        totals.bytes += child.size
        if (child.folder !== null) waiting.push(child)
      }
    }
    return this.totals = totals
  }

  get (id: EntryId): TreeEntry | undefined {
    const node = this.shown(id)
    return node === undefined ? undefined : this.view(node)
  }

  registers (id: EntryId): Registers | undefined { return this.nodes.find(id)?.registers ?? undefined }

  path (id: EntryId): string | undefined {
    const node = this.shown(id)
    return node !== undefined && topOf(node) === this.nodes.root ? pathOf(node) : undefined
  }

  lookup (path: string): TreeEntry | undefined {
    if (path === '/') return this.view(this.nodes.root)
    if (!path.startsWith('/')) return undefined
    let node: TreeNode | undefined = this.nodes.root
    for (const name of path.slice(1).split('/')) {
      node = node.folder === null ? undefined : childNamed(node, name)
      if (node === undefined) return undefined
    }
    return this.view(node)
  }

  children (id: EntryId): TreeEntry[] {
    if (id === this.nodes.trash.id) return this.trash()
    const node = this.shown(id)
    if (node === undefined) return []
    const trashed = topOf(node) === this.nodes.trash
    return sortedChildren(node).map(child => new EntryView(child, trashed))
  }

  trash (): TreeEntry[] {
    return [...this.nodes.trash.children()].sort((a, b) => a.id < b.id ? -1 : 1).map(node => new EntryView(node, true))
  }

  * conflicts (): Generator<TreeEntry> {
    const leaders = new Set([...this.contested].map(node => node.leader))
    for (const node of [...leaders].sort((a, b) => a.id < b.id ? -1 : 1)) {
      if (topOf(node) !== this.nodes.root) continue
      const view = this.view(node)
      if (view.versions.length > (view.kind === 'file' ? 1 : 0)) yield view
    }
  }

  * walk (id: EntryId = this.nodes.root.id): Generator<TreeEntry> {
    const top = this.shown(id)
    if (top === undefined) return
    const trashed = topOf(top) === this.nodes.trash
    const waiting: TreeNode[] = []
    const enter = (directory: TreeNode): void => { for (const child of sortedChildren(directory).toReversed()) waiting.push(child) }
    enter(top)
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      enter(node)
      yield new EntryView(node, trashed)
    }
  }

  /** The node as which an entry is shown, in the tree or in the trash. */
  private shown (id: EntryId): TreeNode | undefined {
    const node = this.nodes.find(id)
    if (node === undefined || !node.known || node === this.nodes.trash) return undefined
    const top = topOf(node)
    return top === this.nodes.root || top === this.nodes.trash ? node.leader : undefined
  }

  private view (node: TreeNode): EntryView { return new EntryView(node, topOf(node) === this.nodes.trash) }
}

const sizeOf = (entry: TreeEntry | undefined): number => (entry as EntryView | undefined)?.size ?? 0

function childNamed (directory: TreeNode, name: string): TreeNode | undefined {
  const group = directory.folder!.byWish.get(name)
  return Array.isArray(group) ? group[0] : group ?? directory.folder!.suffixed.get(name)
}

function sortedChildren (directory: TreeNode): readonly TreeNode[] {
  if (directory.folder === null) return []
  return directory.folder.sorted ??= [...shownChildren(directory)].sort((a, b) => compareNames(a.name, b.name))
}

/** Copies many registers into one piece of memory: as a piece each they would take twice as much. */
function compact (latest: ReadonlyMap<EntryId, PackedRegisters>): Iterable<readonly [EntryId, PackedRegisters]> {
  if (latest.size < 2) return latest
  let length = 0
  for (const registers of latest.values()) length += registers.length
  const memory = new Uint8Array(length)
  let at = 0
  return [...latest].map(([id, registers]) => [id, registers.copyTo(memory, (at += registers.length) - registers.length)] as const)
}

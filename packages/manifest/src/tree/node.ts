import { ROOT_ENTRY, TRASH_ENTRY, type EntryId } from '@holdfast/protocol'
import type { PackedRegisters } from '../packed-registers.js'
import type { EntryKind } from '../registers.js'

/**
 * Why an entry is not where the winner of its own places says:
 * - bumped: its move closed a cycle and lost (MAN-3)
 * - returned: a directory that was deleted while someone worked inside it (MAN-4)
 * - left: it stays in the trash while the directory above it has returned
 * - stray: its parent is no directory
 */
export type Displacement = 'bumped' | 'returned' | 'left' | 'stray'

/** What one directory shows, by name. */
export class Folder {
  /** Who wishes for a name: alone, or in the order in which they get it. */
  readonly byWish = new Map<string, TreeNode | TreeNode[]>()
  /** Shown names that nobody wished for. */
  readonly suffixed = new Map<string, TreeNode>()
  /** Wishes of those who have such a name. */
  readonly contested = new Set<string>()
  /** Children in the order of their names, while nothing changes. */
  sorted: TreeNode[] | null = null
}

/**
 * One entry in memory. There may be 100,000, so nothing here is kept that can be read from the registers, and
 * children form a linked list through their siblings.
 *
 * Two trees go through the nodes: `parent` says to which directory an entry belongs; `shownIn` says under which it
 * is shown, which differs for children of a directory that is united with another.
 */
export class TreeNode {
  registers: PackedRegisters | null = null
  /** False while only others speak of this entry, or one of its registers has not arrived. */
  known = false
  kind: EntryKind = 'directory'
  /** Bytes of a file. */
  size = 0
  /** True for a directory whose own winning place is the trash, wherever it is shown. */
  deleted = false
  displaced: Displacement | null = null

  parent: TreeNode | null = null
  wish = ''
  /** When the entry came to this place; the earlier keeps a contested name. */
  when = 0
  firstChild: TreeNode | null = null
  nextSibling: TreeNode | null = null
  previousSibling: TreeNode | null = null

  shownIn: TreeNode | null = null
  /** The wish under which it is filed there. */
  filedAs = ''
  name = ''
  /** The entry as which this one is shown: itself, unless united with another. */
  leader: TreeNode = this
  /** Those whose leader this is, in order. */
  united: TreeNode[] | null = null
  /** What it shows, once it had a child. */
  folder: Folder | null = null

  constructor (readonly id: EntryId) {}

  get isDirectory (): boolean { return this.kind === 'directory' }

  * children (): Generator<TreeNode> {
    let child = this.firstChild
    while (child !== null) {
      // The one at hand may be moved elsewhere before the next is asked for.
      const next: TreeNode | null = child.nextSibling
      yield child
      child = next
    }
  }

  /** Takes the node out of its parent's children and puts it into another's. */
  attach (parent: TreeNode | null): void {
    if (this.parent !== null) {
      if (this.previousSibling === null) this.parent.firstChild = this.nextSibling
      else this.previousSibling.nextSibling = this.nextSibling
      if (this.nextSibling !== null) this.nextSibling.previousSibling = this.previousSibling
    }
    this.parent = parent
    this.previousSibling = null
    this.nextSibling = parent?.firstChild ?? null
    if (this.nextSibling !== null) this.nextSibling.previousSibling = this
    if (parent !== null) parent.firstChild = this
  }
}

/** All nodes by id. The root directory and the trash are nodes without registers. */
export class NodeTable {
  private readonly byId = new Map<EntryId, TreeNode>()
  readonly root = this.reserved(ROOT_ENTRY)
  readonly trash = this.reserved(TRASH_ENTRY)

  private reserved (id: EntryId): TreeNode {
    const node = this.at(id)
    node.known = true
    return node
  }

  find (id: EntryId): TreeNode | undefined { return this.byId.get(id) }

  /** The node of an id, made when this is the first that is heard of it. */
  at (id: EntryId): TreeNode {
    let node = this.byId.get(id)
    if (node === undefined) this.byId.set(id, node = new TreeNode(id))
    return node
  }
}

/** Where a node's chain of directories ends: in the tree, in the trash, or at a parent that has not arrived. */
export function topOf (node: TreeNode): TreeNode {
  let top = node
  while (top.shownIn !== null) top = top.shownIn
  return top
}

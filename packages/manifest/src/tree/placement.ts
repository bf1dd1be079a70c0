import { TRASH_ENTRY } from '@holdfast/protocol'
import type { Location, Place } from '../registers.js'
import type { ChangeLog } from './change-log.js'
import type { Displacement, NodeTable, TreeNode } from './node.js'
import { ownPlace, winningPlace, type OwnPlace } from './own-place.js'

/**
 * To which directory every entry belongs. While nothing out of the ordinary is near what changes, an entry simply
 * goes where its own place says; see `settle-places.ts` for the rest.
 */
export class Placement {
  /** Everything that is not where its own place says. */
  readonly displaced = new Set<TreeNode>()
  /** Directories whose own place is the trash, wherever they are shown. */
  readonly deleted = new Set<TreeNode>()
  private movedNodes = new Set<TreeNode>()
  private log: ChangeLog | null = null

  constructor (readonly nodes: NodeTable) {}

  begin (log: ChangeLog): void {
    this.log = log
    this.movedNodes = new Set()
  }

  /** What moved since `begin`. */
  get moved (): ReadonlySet<TreeNode> { return this.movedNodes }

  /** Puts a node into a directory (null: nowhere) under a wish. */
  put (node: TreeNode, parent: TreeNode | null, location: { wish: string, when: number }, displaced: Displacement | null): void {
    this.log!.remember(node)
    if (node.displaced !== displaced) {
      node.displaced = displaced
      if (displaced === null) this.displaced.delete(node)
      else this.displaced.add(node)
    }
    if (node.parent === parent && node.wish === location.wish && node.when === location.when) return
    this.movedNodes.add(node)
    if (node.parent !== parent) node.attach(parent)
    node.wish = location.wish
    node.when = location.when
  }

  /** Puts a node where its own place says; what has a parent that is no directory goes to the root directory. */
  putHome (node: TreeNode, own: OwnPlace | null): void {
    this.setDeleted(node, own)
    if (own === null) this.put(node, null, { wish: '', when: 0 }, null)
    else this.putAt(node, { parent: own.parent, name: own.wish }, own.when, null)
  }

  putAt (node: TreeNode, location: Location, when: number, displaced: Displacement | null): void {
    const parent = this.nodes.at(location.parent)
    const isStray = parent.known && !parent.isDirectory
    this.put(node, isStray ? this.nodes.root : parent, { wish: location.name, when }, isStray ? 'stray' : displaced)
  }

  putHomeAgain (node: TreeNode): void { this.putHome(node, node.known ? ownPlace(node.registers!) : null) }

  private setDeleted (node: TreeNode, own: OwnPlace | null): void {
    node.deleted = own !== null && own.parent === TRASH_ENTRY && own.kind === 'directory'
    if (node.deleted) this.deleted.add(node)
    else this.deleted.delete(node)
  }

  /** The place that decides where a node wants to be. */
  placeOf (node: TreeNode): Place { return winningPlace(node.registers!).place }

  /** Whether a chain of parents passes a deleted directory, or something that stayed in the trash below one. */
  meetsDeletion (from: TreeNode | null): boolean {
    if (this.deleted.size === 0 && this.displaced.size === 0) return false
    for (let at = from; at !== null; at = at.parent) if (at.deleted || at.displaced === 'left') return true
    return false
  }

  isWithin (from: TreeNode | null, ancestor: TreeNode): boolean {
    for (let at = from; at !== null; at = at.parent) if (at === ancestor) return true
    return false
  }
}

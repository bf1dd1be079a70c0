import { EntryView } from './entry-view.js'
import type { TreeNode } from './node.js'
import type { TreeChange } from './types.js'

interface Former { readonly known: boolean, readonly leader: TreeNode | null, readonly shownIn: TreeNode | null, readonly name: string, readonly view: EntryView | null }

/** Of everything that was not known. */
const UNKNOWN: Former = { known: false, leader: null, shownIn: null, name: '', view: null }

/**
 * What an update changes as seen in the tree. Every node is remembered before it is touched for the first time;
 * from these memories and the nodes that were left alone, the tree before the update can still be walked.
 */
export class ChangeLog {
  private readonly former = new Map<TreeNode, Former>()
  /** Of directories, as they are after the update. */
  private readonly paths = new Map<TreeNode, string>()
  private readonly visible = new Map<TreeNode, boolean>()
  private readonly wereVisible = new Map<TreeNode, boolean>()

  constructor (private readonly root: TreeNode) {}

  /** To be called before anything of a node changes that can be seen, its registers included. */
  remember (node: TreeNode): void {
    if (this.former.has(node)) return
    if (!node.known) { this.former.set(node, UNKNOWN); return }
    const view = node.shownIn === null ? null : new EntryView(node, false)
    this.former.set(node, { known: true, leader: node.leader, shownIn: node.shownIn, name: node.name, view })
    // Versions and names of united entries show in their leader.
    if (node.leader !== node) this.remember(node.leader)
  }

  /** Also tells whether directories went away with what was in them, of which nothing is listed. */
  changes (): { changes: TreeChange[], subtreesGone: boolean } {
    const gone: TreeChange[] = []
    const present: TreeChange[] = []
    let subtreesGone = false
    const listed = new Set<TreeNode>()
    for (const node of this.former.keys()) {
      const before = this.wasVisible(node) ? this.former.get(node)!.view! : null
      const isVisible = this.isVisible(node)
      if (isVisible && before === null) this.appear(node, listed, present)
      if (isVisible && before !== null) {
        const after = new EntryView(node, false)
        if (!before.looksLike(after)) present.push({ id: node.id, before: { path: this.formerPath(node), entry: before }, after: { path: this.path(node), entry: after } })
      }
      if (!isVisible && before !== null) {
        subtreesGone ||= before.kind === 'directory'
        if (!this.goesWithParent(node)) gone.push({ id: node.id, before: { path: this.formerPath(node), entry: before } })
      }
    }
    return { changes: [...gone, ...present], subtreesGone }
  }

  /** A node that was not visible, and with it everything below that was not. */
  private appear (top: TreeNode, listed: Set<TreeNode>, present: TreeChange[]): void {
    const waiting = [top]
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (listed.has(node) || this.wasVisible(node)) continue
      listed.add(node)
      present.push({ id: node.id, after: { path: this.path(node), entry: new EntryView(node, false) } })
      for (const child of shownChildren(node)) waiting.push(child)
    }
  }

  private isVisible (node: TreeNode): boolean { return this.reaches(node, this.visible, at => at.leader === at ? at.shownIn : null) }

  private wasVisible (node: TreeNode): boolean {
    return this.reaches(node, this.wereVisible, at => {
      const former = this.former.get(at)
      if (former !== undefined) return former.known && former.leader === at ? former.shownIn : null
      return at.known && at.leader === at ? at.shownIn : null
    })
  }

  /** Whether a way up ends at the root directory; each directory on it is asked once in an update, however deep. */
  private reaches (node: TreeNode, known: Map<TreeNode, boolean>, up: (at: TreeNode) => TreeNode | null): boolean {
    if (node === this.root) return false
    const way: TreeNode[] = []
    let at: TreeNode | null = node
    while (at !== null && at !== this.root && !known.has(at)) {
      way.push(at)
      at = up(at)
    }
    const answer = at === this.root || (at !== null && known.get(at)!)
    for (const step of way) if (step.isDirectory) known.set(step, answer)
    return answer
  }

  /** Whether the directory it was shown in is gone too. */
  private goesWithParent (node: TreeNode): boolean {
    const parent = this.former.get(node)!.shownIn!
    return parent !== this.root && !this.isVisible(parent)
  }

  private path (node: TreeNode): string {
    const way: TreeNode[] = []
    let at = node.shownIn!
    for (; at !== this.root && !this.paths.has(at); at = at.shownIn!) way.push(at)
    let path = this.paths.get(at) ?? ''
    for (const directory of way.reverse()) this.paths.set(directory, path = `${path}/${directory.name}`)
    return `${path}/${node.name}`
  }

  private formerPath (node: TreeNode): string {
    const names: string[] = []
    for (let at: TreeNode = node; at !== this.root;) {
      const former = this.former.get(at) ?? at
      names.push(former.name)
      at = former.shownIn!
    }
    return joinPath(names)
  }
}

/** What a directory shows, in no order. */
export function * shownChildren (node: TreeNode): Generator<TreeNode> {
  if (node.folder === null) return
  for (const group of node.folder.byWish.values()) {
    if (!Array.isArray(group)) yield group
    else for (const member of group) if (member.leader === member) yield member
  }
}

/** Of a node that is in the tree. */
export function pathOf (node: TreeNode): string {
  const names: string[] = []
  for (let at = node.leader; at.shownIn !== null; at = at.shownIn) names.push(at.name)
  return joinPath(names)
}

/** Names come deepest first. */
const joinPath = (names: string[]): string => '/' + names.reverse().join('/')

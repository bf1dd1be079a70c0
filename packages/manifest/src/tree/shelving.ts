import { toHex } from '@holdfast/protocol'
import type { FileContent } from '../registers.js'
import type { ChangeLog } from './change-log.js'
import { compareNames, suffixedName } from './names.js'
import { Folder, type TreeNode } from './node.js'
import { winningContent } from './own-place.js'

/**
 * MAN-3, names: which name everything in a directory is shown by, and what is shown as one. A function of who is
 * filed there under which wish, so that only wishes that somebody touched are looked at, and those that got a
 * suffix, which depends on all names around.
 */
export class Shelving {
  private readonly dirty = new Map<TreeNode, Set<string>>()

  constructor (private readonly trash: TreeNode, private readonly log: ChangeLog) {}

  /** Files a node where its parent shows it. Does nothing when it is there already. */
  file (node: TreeNode): void {
    const parent = node.parent
    const target = parent === null || parent === this.trash ? parent : parent.leader
    if (node.shownIn === target && node.filedAs === node.wish) return
    this.log.remember(node)
    this.takeOut(node)
    node.shownIn = target
    node.filedAs = node.wish
    if (target === null || target === this.trash) {
      node.name = node.wish
      node.united = null
      this.setLeader(node, node)
    } else {
      const folder = target.folder ??= new Folder()
      const others = folder.byWish.get(node.wish)
      if (Array.isArray(others)) others.push(node)
      else folder.byWish.set(node.wish, others === undefined ? node : [others, node])
      this.touch(node)
    }
  }

  private takeOut (node: TreeNode): void {
    const from = node.shownIn
    if (from === null || from === this.trash) return
    const folder = from.folder!
    const group = folder.byWish.get(node.filedAs)!
    if (!Array.isArray(group)) folder.byWish.delete(node.filedAs)
    else {
      const rest = group.filter(member => member !== node)
      folder.byWish.set(node.filedAs, rest.length === 1 ? rest[0]! : rest)
    }
    this.touch(node)
  }

  /** Something changed on which the names of its group depend: its kind, its content or its time. */
  touch (node: TreeNode): void {
    const from = node.shownIn
    if (from === null || from === this.trash) return
    const wishes = this.dirty.get(from)
    if (wishes === undefined) this.dirty.set(from, new Set([node.filedAs]))
    else wishes.add(node.filedAs)
  }

  /** Names everything that was touched. Directories that become one, or two again, refile what is in them. */
  settle (): void {
    // Uniting directories touches others, deeper in the tree, which the loop then comes to.
    for (const [directory, wishes] of this.dirty) {
      this.dirty.delete(directory)
      const folder = directory.folder!
      folder.sorted = null
      for (const wish of folder.contested) wishes.add(wish)
      folder.contested.clear()
      folder.suffixed.clear()
      this.nameGroups(folder, wishes)
    }
  }

  private nameGroups (folder: Folder, wishes: Set<string>): void {
    const without = new Map<string, TreeNode[]>()
    for (const wish of wishes) {
      const group = folder.byWish.get(wish)
      if (group === undefined) continue
      if (!Array.isArray(group)) this.show(group, wish, null)
      else {
        group.sort(byPrecedence)
        const rest = this.unite(group, wish)
        if (rest.length > 0) without.set(wish, rest)
      }
    }
    for (const wish of [...without.keys()].sort(compareNames)) this.giveSuffixes(folder, wish, without.get(wish)!)
  }

  /** Shows directories of one name as one, equal files as one; the first has the name. Answers with who has none. */
  private unite (group: readonly TreeNode[], wish: string): TreeNode[] {
    const shown: TreeNode[] = []
    const followers = new Map<TreeNode, TreeNode[]>()
    const byContent = new Map<string, TreeNode>()
    for (const node of group) {
      const content = node.isDirectory ? 'directory' : node.kind === 'file' ? toHex((winningContent(node.registers!) as FileContent).digest) : node.id
      const leader = byContent.get(content)
      if (leader === undefined) {
        byContent.set(content, node)
        shown.push(node)
        followers.set(node, [])
      } else followers.get(leader)!.push(node)
    }
    for (const leader of shown) {
      const united = followers.get(leader)!
      this.show(leader, leader === shown[0] ? wish : leader.name, united.length > 0 ? united : null)
      for (const follower of united) this.follow(follower, leader)
    }
    return shown.slice(1)
  }

  private giveSuffixes (folder: Folder, wish: string, nodes: readonly TreeNode[]): void {
    folder.contested.add(wish)
    let number = 2
    for (const node of nodes) {
      let name = suffixedName(wish, number++)
      while (folder.byWish.has(name) || folder.suffixed.has(name)) name = suffixedName(wish, number++)
      folder.suffixed.set(name, node)
      this.show(node, name, node.united)
    }
  }

  private show (node: TreeNode, name: string, united: TreeNode[] | null): void {
    if (node.leader === node && node.name === name && node.united === null && united === null) return
    this.log.remember(node)
    node.name = name
    node.united = united
    this.setLeader(node, node)
  }

  private follow (node: TreeNode, leader: TreeNode): void {
    this.log.remember(node)
    node.united = null
    this.setLeader(node, leader)
  }

  private setLeader (node: TreeNode, leader: TreeNode): void {
    if (node.leader === leader) return
    this.log.remember(node)
    node.leader = leader
    for (const child of node.children()) this.file(child)
  }
}

/** Directories before others, then who came first. */
function byPrecedence (a: TreeNode, b: TreeNode): number {
  return Number(b.isDirectory) - Number(a.isDirectory) || a.when - b.when || (a.id < b.id ? -1 : 1)
}

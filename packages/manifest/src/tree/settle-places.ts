import { TRASH_ENTRY } from '@holdfast/protocol'
import type { Location } from '../registers.js'
import { compareStamps } from '../stamp.js'
import type { TreeNode } from './node.js'
import { returnLocation } from './own-place.js'
import type { Placement } from './placement.js'
import { hasSurvivors, topsLeftBehind } from './survival.js'

/**
 * Places everything anew that is not, or may no longer be, where its own place says: cycles (MAN-3), deleted
 * directories in which others worked (MAN-4), and entries whose parent is no directory. The result depends on the
 * registers alone: each step below starts from all of its kind together, never from the order of updates.
 */
export function settlePlaces (placement: Placement, updated: Iterable<TreeNode>): void {
  const fresh = new Set([...updated, ...placement.displaced])
  for (const node of fresh) placement.putHomeAgain(node)
  for (const node of fresh) {
    if (node.known && !node.isDirectory) for (const child of node.children()) { placement.putHomeAgain(child); fresh.add(child) }
  }
  breakCycles(placement, fresh)
  returnDirectories(placement, fresh)
}

/**
 * In each cycle the move with the greatest stamp (then id) goes back to the place before, and to the root directory
 * when that does not help. Every cycle contains something that has just been placed; cycles never share a node.
 */
function breakCycles (placement: Placement, fresh: Iterable<TreeNode>): void {
  const bumped = new Set<TreeNode>()
  for (let suspects = [...fresh]; suspects.length > 0;) {
    suspects = findCycles(suspects).map(cycle => {
      const loser = latestMove(placement, cycle)
      const place = placement.placeOf(loser)
      const { before } = place
      const back = !bumped.has(loser) && before !== null && before.parent !== TRASH_ENTRY
      placement.putAt(loser, back ? before : { parent: placement.nodes.root.id, name: place.name }, place.stamp.when, 'bumped')
      bumped.add(loser)
      return loser
    })
  }
}

/**
 * Deleted directories that someone worked in come back to the place before. One that comes back may bring another
 * back in whose former place it is, hence rounds; what came back stays, so they end.
 */
function returnDirectories (placement: Placement, fresh: Iterable<TreeNode>): void {
  let suspects = new Set<TreeNode>()
  for (const node of fresh) addDeletionAbove(placement, node, suspects)
  while (suspects.size > 0) {
    const returning = [...suspects].filter(hasSurvivors)
    for (const node of returning) putBack(placement, node, returnLocation(placement.placeOf(node)))
    for (let left = returning; left.length > 0;) {
      left = findCycles(left).map(cycle => {
        const loser = latestMove(placement, cycle.filter(node => returning.includes(node)))
        putBack(placement, loser, { parent: placement.nodes.root.id, name: loser.wish })
        return loser
      })
    }
    suspects = new Set()
    for (const node of returning) addDeletionAbove(placement, node, suspects)
  }
  leaveTheRest(placement)
}

function putBack (placement: Placement, node: TreeNode, location: Location): void {
  placement.putAt(node, location, placement.placeOf(node).stamp.when, 'returned')
}

/** Finds the deleted directory, itself in the trash, in which a node is. */
function addDeletionAbove (placement: Placement, node: TreeNode, found: Set<TreeNode>): void {
  for (let at: TreeNode | null = node; at !== null; at = at.parent) if (at.deleted && at.parent === placement.nodes.trash) found.add(at)
}

/** What did not outlive a deletion stays in the trash, though the directory around it is back in the tree. */
function leaveTheRest (placement: Placement): void {
  const tops = new Set<TreeNode>()
  for (const node of placement.displaced) if (node.deleted) tops.add(topmostDeleted(node))
  for (const top of tops) {
    if (top.parent === placement.nodes.trash) continue
    for (const node of topsLeftBehind(top)) placement.put(node, placement.nodes.trash, node, 'left')
  }
}

function topmostDeleted (node: TreeNode): TreeNode {
  let top = node
  for (let at: TreeNode | null = node; at !== null; at = at.parent) if (at.deleted) top = at
  return top
}

function latestMove (placement: Placement, nodes: readonly TreeNode[]): TreeNode {
  return nodes.reduce((latest, node) => {
    const order = compareStamps(placement.placeOf(node).stamp, placement.placeOf(latest).stamp) || (node.id < latest.id ? -1 : 1)
    return order > 0 ? node : latest
  })
}

/** All cycles that some of these nodes are in. */
function findCycles (suspects: readonly TreeNode[]): TreeNode[][] {
  const walks = new Map<TreeNode, TreeNode>()
  const cycles: TreeNode[][] = []
  for (const start of suspects) {
    let at: TreeNode | null = start
    for (; at !== null && !walks.has(at); at = at.parent) walks.set(at, start)
    if (at === null || walks.get(at) !== start) continue
    const cycle = [at]
    for (let next = at.parent!; next !== at; next = next.parent!) cycle.push(next)
    cycles.push(cycle)
  }
  return cycles
}

import type { VersionVector } from '@holdfast/protocol'
import { isCovered } from '../stamp.js'
import type { TreeNode } from './node.js'
import { winningPlace, workOf } from './own-place.js'

/** A deletion on the way from an entry up; null once the entry has work by which it outlives that deletion. */
type Guards = readonly VersionVector[]

interface Visit { readonly node: TreeNode, readonly guards: Guards, readonly alive: boolean }

const seenBy = (directory: TreeNode): VersionVector => winningPlace(directory.registers!).place.seen!

/**
 * MAN-4 below one deleted directory. What its deleter had not seen outlives the deletion: a version of a file or
 * link, or a place; a directory that was made, moved or renamed there unseen keeps everything in it. Directories in
 * between that were deleted themselves, and came back, guard what is below them with their own deletion as well.
 * Yields all that is below, parents first, with whether it outlives all deletions up to and including this one's.
 */
function * visit (deleted: TreeNode): Generator<Visit> {
  const waiting: { node: TreeNode, guards: Guards }[] = []
  const enter = (directory: TreeNode, guards: Guards): void => {
    for (const node of directory.children()) waiting.push({ node, guards })
  }
  enter(deleted, [seenBy(deleted)])
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node } = next
    const work = workOf(node.registers!)
    const movedPast = (seen: VersionVector): boolean => node.displaced === 'bumped' || work.places.some(stamp => !isCovered(stamp, seen))
    const guards = next.guards.filter(seen => !movedPast(seen))
    yield { node, guards, alive: guards.every(seen => work.contents.some(stamp => !isCovered(stamp, seen))) }
    if (node.firstChild !== null) enter(node, node.deleted ? [...guards, seenBy(node)] : guards)
  }
}

/** Whether anything below a deleted directory outlives its deletion, so that it comes back around it. */
export function hasSurvivors (deleted: TreeNode): boolean {
  for (const { alive } of visit(deleted)) if (alive) return true
  return false
}

/** Below a directory that came back: the tops of what stays in the trash all the same. */
export function topsLeftBehind (returned: TreeNode): TreeNode[] {
  const all = [...visit(returned)]
  const alive = new Set<TreeNode>([returned])
  // Children come after their parents: backwards, each brings back the directory it is in.
  for (const { node, alive: survives } of all.reverse()) if (survives || alive.has(node)) alive.add(node).add(node.parent!)
  return all.map(({ node }) => node).filter(node => !alive.has(node) && alive.has(node.parent!))
}

import { TRASH_ENTRY, equalBytes } from '@holdfast/protocol'
import type { PackedRegisters } from '../packed-registers.js'
import type { TreeNode } from './node.js'
import type { OwnPlace } from './own-place.js'
import type { Placement } from './placement.js'
import { hasSurvivors } from './survival.js'

/**
 * Whether a node can simply go where its own place says, because nothing near it is out of the ordinary. Asked
 * before it is moved, with `former` its registers until now (null: it is new). False is always safe.
 */
export function fits (placement: Placement, node: TreeNode, own: OwnPlace, former: PackedRegisters | null): boolean {
  const parent = placement.nodes.at(own.parent)
  if (node.displaced !== null || parent === node || (parent.known && !parent.isDirectory)) return false
  if (former !== null && node.isDirectory !== (own.kind === 'directory')) return false
  if (own.kind !== 'directory') return node.firstChild === null && !placement.meetsDeletion(node.parent) && !placement.meetsDeletion(parent)
  if (former !== null && parent === node.parent && samePlaces(former, node.registers!)) return !placement.meetsDeletion(node)
  // Moving a directory may end or begin a cycle, or bring what is in it above or below a deletion.
  if (placement.displaced.size > 0 && (former !== null || node.firstChild !== null)) return false
  if (own.parent === TRASH_ENTRY) return fitsInTrash(placement, node)
  return !placement.meetsDeletion(parent) && (node.deleted || !placement.meetsDeletion(node.parent)) && (node.firstChild === null || !placement.isWithin(parent, node))
}

/** Checked as though the deletion had happened: its registers are set, its children are still below it. */
function fitsInTrash (placement: Placement, node: TreeNode): boolean {
  return !placement.meetsDeletion(node.parent) && !hasSurvivors(node)
}

function samePlaces (a: PackedRegisters, b: PackedRegisters): boolean {
  const [x, y] = [a.rawPlaces(), b.rawPlaces()]
  return x.length === y.length && x.every((value, i) => equalBytes(value, y[i]!))
}

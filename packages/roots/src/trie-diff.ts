import type { CallOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { readBlocks, type BlockSource } from './reader.js'
import { EMPTY_LEAF, compareCids, decodeNode, splitByNibble, type Leaf, type TrieNode, type TriePath } from './trie-node.js'

export interface TrieDifference {
  readonly added: CID[]
  readonly removed: CID[]
  /** Nodes of `to` that `from` does not have (one that `from` has at another depth may be among them). */
  readonly nodes: CID[]
}

/** One trie's node at a place: known by its CID only, read, or the part of a shorter trie's leaf that falls here. */
interface Side { readonly cid: CID | null, readonly count: number | null, node: TrieNode | null, readonly read: boolean }
interface Pair { readonly path: TriePath, readonly from: Side | null, readonly to: Side | null }

/**
 * ROOT-1: what must be added and removed to get from one trie to another. Reads only branches that differ, and
 * each level of both tries in one batch. `from` null means the empty set. Memory grows with the difference.
 * Throws BlockNotFoundError, CorruptBlockError, LimitExceededError.
 */
export async function diffTrie (from: CID | null, to: CID, source: BlockSource, options: CallOptions = {}): Promise<TrieDifference> {
  const difference: TrieDifference = { added: [], removed: [], nodes: [] }
  if (from !== null && from.equals(to)) return difference
  let level: Pair[] = [{ path: [], from: from === null ? null : unread(from, null), to: unread(to, null) }]
  while (level.length > 0) {
    await readLevel(level, source, options)
    level = level.flatMap(pair => comparePair(pair, difference))
  }
  return difference
}

const unread = (cid: CID, count: number | null): Side => ({ cid, count, node: null, read: true })

async function readLevel (level: readonly Pair[], source: BlockSource, options: CallOptions): Promise<void> {
  const wanted = level.flatMap(({ path, from, to }) => [from, to].flatMap(side => side !== null && side.node === null && side.cid !== null ? [{ path, side, cid: side.cid }] : []))
  const blocks = await readBlocks(source, wanted.map(({ cid }) => cid), options)
  wanted.forEach(({ path, side }, i) => { side.node = decodeNode(blocks[i]!, path, side.count) })
}

/** Notes what differs in two leaves; otherwise returns the children that differ. */
function comparePair ({ path, from, to }: Pair, difference: TrieDifference): Pair[] {
  if (to !== null && to.read && to.cid !== null) difference.nodes.push(to.cid)
  const a = from?.node ?? EMPTY_LEAF
  const b = to?.node ?? EMPTY_LEAF
  if (a.kind === 'leaf' && b.kind === 'leaf') {
    compareLeaves(a, b, difference)
    return []
  }
  const fromChildren = childrenOf(a, from, path.length)
  const toChildren = childrenOf(b, to, path.length)
  return fromChildren.flatMap((child, nibble) => {
    const other = toChildren[nibble] ?? null
    const same = child === null ? other === null : child.cid !== null && other?.cid?.equals(child.cid) === true
    return same ? [] : [{ path: [...path, nibble], from: child, to: other }]
  })
}

function childrenOf (node: TrieNode, side: Side | null, depth: number): (Side | null)[] {
  if (node.kind === 'inner') return node.children.map(child => child === null ? null : unread(child.cid, child.count))
  return splitByNibble(node.cids, depth).map(cids => {
    if (cids.length === 0) return null
    // A leaf that falls whole into one child is the very same block there: its CID still says so.
    return { cid: cids.length === node.cids.length ? side?.cid ?? null : null, count: cids.length, node: { kind: 'leaf', cids }, read: false }
  })
}

function compareLeaves (from: Leaf, to: Leaf, difference: TrieDifference): void {
  let i = 0
  let j = 0
  while (i < from.cids.length || j < to.cids.length) {
    const a = from.cids[i]
    const b = to.cids[j]
    const order = a === undefined ? 1 : b === undefined ? -1 : compareCids(a, b)
    if (order < 0) difference.removed.push(from.cids[i++]!)
    else if (order > 0) difference.added.push(to.cids[j++]!)
    else { i++; j++ }
  }
}

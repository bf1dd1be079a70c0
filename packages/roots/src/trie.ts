import { DAG_CBOR, InvalidArgumentError, LimitExceededError, checkCidKind, createBlock, type Block, type CallOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { MAX_LEAF_LINKS, MAX_TRIE_DEPTH, MAX_TRIE_LINKS } from './limits.js'
import { readBlocks, type BlockSource } from './reader.js'
import { EMPTY_LEAF, compareCids, decodeNode, encodeNode, splitByNibble, type Leaf, type NodeLink, type TrieNode, type TriePath } from './trie-node.js'

/** A set of CIDs after and before: `(set − remove) ∪ add`. */
export interface TrieChange { readonly add: readonly CID[], readonly remove: readonly CID[] }
export interface TrieUpdate {
  readonly root: CID
  /** Nodes that the old trie does not have at their place, children before parents. Empty when nothing changed. */
  readonly blocks: Block[]
}

/** A node being rewritten. A child has a CID once written, a draft once read or made, or both. */
interface DraftInner { readonly kind: 'inner', readonly children: (DraftChild | null)[] }
type Draft = Leaf | DraftInner
interface DraftChild { readonly count: number, readonly cid: CID | null, readonly draft: Draft | null }
interface Context { readonly source: BlockSource, readonly options: CallOptions }

/** ROOT-1: the trie of no CIDs. */
export const emptyTrie = async (): Promise<Block> => createBlock(DAG_CBOR, encodeNode(EMPTY_LEAF))

/**
 * ROOT-1: rewrites the leaves that change and the paths to them, each once. The result is the same as building
 * the resulting set from nothing. Throws BlockNotFoundError, CorruptBlockError, LimitExceededError (depth, size).
 */
export async function updateTrie (root: CID, change: TrieChange, source: BlockSource, options: CallOptions = {}): Promise<TrieUpdate> {
  const [block] = await readBlocks(source, [root], options)
  const before = draftOf(decodeNode(block!, [], null))
  const after = await rewrite(before, [], normalise(change), { source, options })
  if (after === before) return { root, blocks: [] }
  const size = draftCount(after)
  if (size > MAX_TRIE_LINKS) throw new LimitExceededError('CIDs in a trie', size, MAX_TRIE_LINKS)
  const blocks: Block[] = []
  const link = await write(after, blocks)
  return { root: link.cid, blocks }
}

/** Every CID of a trie, in no particular order, in bounded memory. Errors as `updateTrie`. */
export async function * walkTrie (root: CID, source: BlockSource, options: CallOptions = {}): AsyncGenerator<CID> {
  const pending: { cid: CID, count: number | null, path: TriePath }[] = [{ cid: root, count: null, path: [] }]
  while (pending.length > 0) {
    const batch = pending.splice(-WALK_BATCH)
    const blocks = await readBlocks(source, batch.map(node => node.cid), options)
    for (const [i, block] of blocks.entries()) {
      const { path, count } = batch[i]!
      const node = decodeNode(block, path, count)
      if (node.kind === 'leaf') yield * node.cids
      else node.children.forEach((child, nibble) => { if (child !== null) pending.push({ ...child, path: [...path, nibble] }) })
    }
  }
}

/** Nodes read at once by a walk: enough to hide a round trip, little enough to hold. */
const WALK_BATCH = 256

function normalise (change: TrieChange): TrieChange {
  const add = sortedUnique(change.add)
  return { add, remove: mergeSorted(sortedUnique(change.remove), [], add) }
}

function sortedUnique (cids: readonly CID[]): CID[] {
  for (const cid of cids) {
    checkCidKind(cid)
    if (cid.multihash.digest.length !== 32) throw new InvalidArgumentError('a CID with a cut digest', undefined, { cid: cid.toString() })
  }
  return [...cids].sort(compareCids).filter((cid, i, all) => i === 0 || compareCids(all[i - 1]!, cid) !== 0)
}

/** `(base − remove) ∪ add` of sorted lists, sorted. `add` and `remove` have nothing in common. */
function mergeSorted (base: readonly CID[], add: readonly CID[], remove: readonly CID[]): CID[] {
  const merged: CID[] = []
  let a = 0
  let r = 0
  for (const cid of base) {
    while (a < add.length && compareCids(add[a]!, cid) < 0) merged.push(add[a++]!)
    if (a < add.length && compareCids(add[a]!, cid) === 0) a++
    while (r < remove.length && compareCids(remove[r]!, cid) < 0) r++
    if (r === remove.length || compareCids(remove[r]!, cid) !== 0) merged.push(cid)
  }
  while (a < add.length) merged.push(add[a++]!)
  return merged
}

const draftOf = (node: TrieNode): Draft => node.kind === 'leaf' ? node : { kind: 'inner', children: node.children.map(child => child === null ? null : { ...child, draft: null }) }

const draftCount = (draft: Draft): number => draft.kind === 'leaf' ? draft.cids.length : countChildren(draft.children)

const countChildren = (children: readonly (DraftChild | null)[]): number => children.reduce((sum, child) => sum + (child?.count ?? 0), 0)

/** The node after the change; the very same object when nothing changed. */
async function rewrite (draft: Draft, path: TriePath, change: TrieChange, context: Context): Promise<Draft> {
  if (draft.kind === 'leaf') {
    const cids = mergeSorted(draft.cids, change.add, change.remove)
    const same = cids.length === draft.cids.length && cids.every((cid, i) => compareCids(cid, draft.cids[i]!) === 0)
    return same ? draft : build(cids, path.length)
  }
  const adds = splitByNibble(change.add, path.length)
  const removes = splitByNibble(change.remove, path.length)
  const touched = adds.map((add, nibble) => add.length > 0 || (removes[nibble]!.length > 0 && draft.children[nibble] !== null))
  const children = await load(draft.children, path, context, nibble => touched[nibble]!)
  const rewritten = await Promise.all(children.map(async (child, nibble) => {
    if (!touched[nibble]) return child
    const before = child?.draft ?? EMPTY_LEAF
    const after = await rewrite(before, [...path, nibble], { add: adds[nibble]!, remove: removes[nibble]! }, context)
    return after === before ? child : draftChild(after)
  }))
  return rewritten.every((child, nibble) => child === children[nibble]) ? draft : collapse(rewritten, path, context)
}

function draftChild (draft: Draft): DraftChild | null {
  const count = draftCount(draft)
  return count === 0 ? null : { count, cid: null, draft }
}

/** Reads those children that are wanted and not read yet, together. */
async function load (children: readonly (DraftChild | null)[], path: TriePath, { source, options }: Context, wanted: (nibble: number) => boolean): Promise<(DraftChild | null)[]> {
  const loaded = [...children]
  const missing = children.flatMap((child, nibble) => child !== null && child.draft === null && child.cid !== null && wanted(nibble) ? [{ nibble, cid: child.cid, count: child.count }] : [])
  const blocks = await readBlocks(source, missing.map(child => child.cid), options)
  missing.forEach(({ nibble, cid, count }, i) => {
    loaded[nibble] = { cid, count, draft: draftOf(decodeNode(blocks[i]!, [...path, nibble], count)) }
  })
  return loaded
}

/** An inner node that a leaf could hold becomes that leaf, so that removing leaves no trace in the shape. */
async function collapse (children: (DraftChild | null)[], path: TriePath, context: Context): Promise<Draft> {
  if (countChildren(children) > MAX_LEAF_LINKS) return { kind: 'inner', children }
  const loaded = await load(children, path, context, () => true)
  return { kind: 'leaf', cids: loaded.flatMap(child => child?.draft?.kind === 'leaf' ? child.draft.cids : []) }
}

/** The one shape of a sorted set below a node at this depth. */
function build (cids: CID[], depth: number): Draft {
  if (cids.length <= MAX_LEAF_LINKS) return { kind: 'leaf', cids }
  if (depth >= MAX_TRIE_DEPTH) throw new LimitExceededError('depth of a trie', depth + 1, MAX_TRIE_DEPTH)
  return { kind: 'inner', children: splitByNibble(cids, depth).map(part => part.length === 0 ? null : draftChild(build(part, depth + 1))) }
}

/** Encodes what has no CID yet, children first. */
async function write (draft: Draft, blocks: Block[]): Promise<NodeLink> {
  const node: TrieNode = draft.kind === 'leaf' ? draft : { kind: 'inner', children: await writeChildren(draft.children, blocks) }
  const block = await createBlock(DAG_CBOR, encodeNode(node))
  blocks.push(block)
  return { cid: block.cid, count: draftCount(draft) }
}

async function writeChildren (children: readonly (DraftChild | null)[], blocks: Block[]): Promise<(NodeLink | null)[]> {
  const links: (NodeLink | null)[] = []
  for (const child of children) {
    if (child === null) links.push(null)
    else if (child.cid !== null) links.push({ cid: child.cid, count: child.count })
    else if (child.draft !== null) links.push(await write(child.draft, blocks))
  }
  return links
}

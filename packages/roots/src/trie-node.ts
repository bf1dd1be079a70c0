import { CorruptBlockError, DAG_CBOR, LimitExceededError, checkCidKind, checkVersion, compareBytes, decode, encode, equalBytes, fieldReader, type Block } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { MAX_LEAF_LINKS, MAX_TRIE_DEPTH, MAX_TRIE_LINKS } from './limits.js'

const VERSION = 1
const WIDTH = 16

/** A node as its parent sees it: `count` CIDs are below it, so it is a leaf exactly when `count` fits one. */
export interface NodeLink { readonly cid: CID, readonly count: number }
export interface Leaf { readonly kind: 'leaf', readonly cids: readonly CID[] }
/** Always sixteen children, one for each next nibble of a digest. */
export interface Inner { readonly kind: 'inner', readonly children: readonly (NodeLink | null)[] }
export type TrieNode = Leaf | Inner

/** The nibbles that lead from the root to a node. Its length is the node's depth. */
export type TriePath = readonly number[]

export const EMPTY_LEAF: Leaf = { kind: 'leaf', cids: [] }

/** The order of CIDs inside a trie: by digest, then by codec. */
export const compareCids = (a: CID, b: CID): number => compareBytes(a.multihash.digest, b.multihash.digest) || a.code - b.code

/** The nibble of a CID's digest that chooses the child at this depth. */
export function nibbleAt (cid: CID, depth: number): number {
  const byte = cid.multihash.digest[depth >> 1]!
  return depth % 2 === 0 ? byte >> 4 : byte & 15
}

/** Cuts sorted CIDs by the nibble at this depth: sixteen lists, each still sorted. */
export function splitByNibble (cids: readonly CID[], depth: number): CID[][] {
  const parts: CID[][] = Array.from({ length: WIDTH }, () => [])
  for (const cid of cids) parts[nibbleAt(cid, depth)]!.push(cid)
  return parts
}

export const countOf = (node: TrieNode): number =>
  node.kind === 'leaf' ? node.cids.length : node.children.reduce((sum, child) => sum + (child?.count ?? 0), 0)

/** DAG-CBOR: leaf `{v, leaf: [link…]}`; inner `{v, nibbles: bitmap, nodes: [link…], counts: [n…]}`, children by nibble. */
export function encodeNode (node: TrieNode): Uint8Array {
  if (node.kind === 'leaf') return encode({ v: VERSION, leaf: node.cids })
  let nibbles = 0
  node.children.forEach((child, nibble) => { if (child !== null) nibbles |= 1 << nibble })
  const present = node.children.filter(child => child !== null)
  return encode({ v: VERSION, nibbles, nodes: present.map(child => child.cid), counts: present.map(child => child.count) })
}

/**
 * Reads an untrusted node that must sit at `path` and hold `count` CIDs (`null` for a root: any number).
 * There is one right encoding of each set, so anything else is refused: CorruptBlockError for wrong shape,
 * order, placement, count or encoding, LimitExceededError for depth and number of links, UnknownVersionError.
 */
export function decodeNode (block: Block, path: TriePath, count: number | null): TrieNode {
  const what = `trie node ${block.cid.toString()}`
  if (block.cid.code !== DAG_CBOR) throw new CorruptBlockError(`${what} is not DAG-CBOR`)
  const value = decode(block.bytes, what)
  checkVersion('trie node', value, VERSION)
  const node = Object.hasOwn(value, 'leaf') ? decodeLeaf(what, value, path) : decodeInner(what, value, path)
  if (count !== null && countOf(node) !== count) throw new CorruptBlockError(`${what} holds another number of CIDs than its parent says`, { said: count, held: countOf(node) })
  if (!equalBytes(encodeNode(node), block.bytes)) throw new CorruptBlockError(`${what} is not in the one encoding of its content`)
  return node
}

function decodeLeaf (what: string, value: unknown, path: TriePath): Leaf {
  const links = fieldReader(what, value).array('leaf', MAX_LEAF_LINKS)
  if (links.length === 0 && path.length > 0) throw new CorruptBlockError(`${what} is an empty leaf below the root`)
  const cids = links.map(link => linkOf(what, link))
  cids.forEach((cid, i) => {
    if (i > 0 && compareCids(cids[i - 1]!, cid) >= 0) throw new CorruptBlockError(`${what} has CIDs out of order or twice`)
    if (path.some((nibble, depth) => nibbleAt(cid, depth) !== nibble)) throw new CorruptBlockError(`${what} holds ${cid.toString()}, which belongs elsewhere`)
  })
  return { kind: 'leaf', cids }
}

function decodeInner (what: string, value: unknown, path: TriePath): Inner {
  if (path.length >= MAX_TRIE_DEPTH) throw new LimitExceededError('depth of a trie', path.length + 1, MAX_TRIE_DEPTH)
  const f = fieldReader(what, value)
  const nibbles = f.integer('nibbles', 1, 2 ** WIDTH - 1)
  const nodes = f.array('nodes', WIDTH)
  const counts = f.array('counts', WIDTH)
  const children: (NodeLink | null)[] = []
  let next = 0
  let total = 0
  for (let nibble = 0; nibble < WIDTH; nibble++) {
    if ((nibbles & (1 << nibble)) === 0) { children.push(null); continue }
    const count = counts[next]
    if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 1) throw new CorruptBlockError(`${what} has a wrong count`)
    const cid = linkOf(what, nodes[next])
    if (cid.code !== DAG_CBOR) throw new CorruptBlockError(`${what} has a child that is no DAG-CBOR block`)
    children.push({ cid, count })
    total += count
    next++
  }
  if (nodes.length !== next || counts.length !== next) throw new CorruptBlockError(`${what} has more children than nibbles`)
  if (total > MAX_TRIE_LINKS) throw new LimitExceededError('CIDs in a trie', total, MAX_TRIE_LINKS)
  if (total <= MAX_LEAF_LINKS) throw new CorruptBlockError(`${what} is split though a leaf could hold it`)
  return { kind: 'inner', children }
}

function linkOf (what: string, value: unknown): CID {
  const cid = CID.asCID(value)
  if (cid === null) throw new CorruptBlockError(`${what} has something other than a link`)
  try { checkCidKind(cid) } catch (cause) { throw new CorruptBlockError(`${what} links to a kind of block that Holdfast never makes`, {}, { cause }) }
  if (cid.multihash.digest.length !== 32) throw new CorruptBlockError(`${what} has a link with a cut digest`)
  return cid
}

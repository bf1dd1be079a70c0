import { BlockNotFoundError, CorruptBlockError, DAG_CBOR, HoldfastError, LimitExceededError, RAW, UnknownVersionError, createBlock, encode, encodeBlock, type Block } from '@holdfast/protocol'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { describe, expect, it } from 'vitest'
import { MAX_LEAF_LINKS, MAX_TRIE_DEPTH, MAX_TRIE_LINKS, diffTrie, emptyTrie, updateTrie, walkTrie, type BlockReader } from './index.js'

// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const seed = process.env['HOLDFAST_TEST_SEED']
fc.configureGlobal(seed === undefined ? {} : { seed: Number(seed) })

const SHA2_256 = 0x12

/** A CID with a made-up digest: the prefix, then bytes that depend on `n`. */
function madeCid (n: number, prefix: readonly number[] = [], codec: number = RAW): CID {
  const digest = new Uint8Array(32)
  let state = (n + 1) * 2_654_435_761 >>> 0
  for (let i = 0; i < 32; i++) {
    state = Math.imul(state ^ (state >>> 15), 2_246_822_519) + n + i >>> 0
    digest[i] = state >>> 24
  }
  digest.set(prefix)
  return CID.createV1(codec, Digest.create(SHA2_256, digest))
}

interface Store { blocks: Map<string, Uint8Array>, read: BlockReader, reads: string[], put (blocks: readonly Block[]): void }

function createStore (): Store {
  const blocks = new Map<string, Uint8Array>()
  const reads: string[] = []
  return {
    blocks, reads,
    async read (cid) {
      reads.push(cid.toString())
      const bytes = blocks.get(cid.toString())
      if (bytes === undefined) throw new BlockNotFoundError(cid.toString())
      return bytes
    },
    put (added) { for (const { cid, bytes } of added) blocks.set(cid.toString(), bytes) }
  }
}

async function update (store: Store, root: CID, add: CID[], remove: CID[] = []): Promise<{ root: CID, blocks: Block[] }> {
  const result = await updateTrie(root, { add, remove }, store.read)
  store.put(result.blocks)
  return result
}

async function trieOf (store: Store, cids: CID[]): Promise<CID> {
  const empty = await emptyTrie()
  store.put([empty])
  return (await update(store, empty.cid, cids)).root
}

const hex = (cid: CID): string => Buffer.from(cid.multihash.digest).toString('hex')
const ordered = (cids: Iterable<CID>): CID[] => [...new Map([...cids].map(cid => [cid.toString(), cid])).values()].sort((a, b) => hex(a) < hex(b) ? -1 : hex(a) > hex(b) ? 1 : a.code - b.code)
const names = (cids: Iterable<CID>): string[] => [...cids].map(cid => cid.toString()).sort()

/** The slow, obvious way to say what a set's trie is. */
async function reference (cids: CID[], depth = 0): Promise<CID> {
  if (cids.length <= MAX_LEAF_LINKS) return (await encodeBlock({ v: 1, leaf: ordered(cids) })).cid
  const nodes: CID[] = []
  const counts: number[] = []
  let nibbles = 0
  for (let nibble = 0; nibble < 16; nibble++) {
    const below = cids.filter(cid => hex(cid)[depth] === nibble.toString(16))
    if (below.length === 0) continue
    nibbles |= 1 << nibble
    nodes.push(await reference(below, depth + 1))
    counts.push(below.length)
  }
  return (await encodeBlock({ v: 1, nibbles, nodes, counts })).cid
}

// Crowded digests, so that a few hundred CIDs make deep tries and leaves on the edge of splitting.
const anyCid = fc.tuple(fc.nat(700), fc.constantFrom<number[]>([], [0], [0x12], [0x12, 0x30], [0x12, 0x34, 0x56]), fc.constantFrom(RAW, DAG_CBOR)).map(([n, prefix, codec]) => madeCid(n, prefix, codec))
const someCids = fc.uniqueArray(anyCid, { maxLength: 400, selector: cid => cid.toString(), size: 'max' })

describe('trie', () => {
  it('ROOT-1 any order of adds and removes of one set gives one root', async () => {
    const steps = fc.array(fc.tuple(fc.boolean(), someCids), { maxLength: 4 })
    await fc.assert(fc.asyncProperty(steps, someCids, fc.integer({ min: 1, max: 90 }), async (detours, target, batch) => {
      const store = createStore()
      let root = await trieOf(store, [])
      const held = new Map<string, CID>()
      for (const [adds, cids] of detours) {
        root = (await update(store, root, adds ? cids : [], adds ? [] : cids)).root
        for (const cid of cids) { if (adds) held.set(cid.toString(), cid); else held.delete(cid.toString()) }
      }
      expect(root.toString()).toBe((await reference([...held.values()])).toString())
      root = (await update(store, root, [], [...held.values()].filter(cid => !target.some(wanted => wanted.equals(cid))))).root
      for (let i = 0; i < target.length; i += batch) root = (await update(store, root, target.slice(i, i + batch))).root
      expect(root.toString()).toBe((await reference(target)).toString())
    }), { numRuns: 40 })
  })

  it('ROOT-1 an update equals building from scratch, and gives just the nodes that it needs', async () => {
    await fc.assert(fc.asyncProperty(someCids, someCids, someCids, async (base, add, remove) => {
      const store = createStore()
      const before = await trieOf(store, base)
      const old = new Set(store.blocks.keys())
      const { root, blocks } = await update(store, before, add, remove)
      const after = [...base.filter(cid => !remove.some(gone => gone.equals(cid))), ...add]
      expect(root.toString()).toBe((await reference(ordered(after))).toString())
      const fresh = names(blocks.map(block => block.cid))
      const needed = names((await diffTrie(null, root, store.read)).nodes)
      if (root.equals(before)) expect(fresh).toEqual([])
      expect(new Set(fresh).size).toBe(fresh.length)
      expect(needed.filter(cid => !old.has(cid) && !fresh.includes(cid))).toEqual([])
      expect(fresh.filter(cid => !needed.includes(cid))).toEqual([])
      const walked: CID[] = []
      for await (const cid of walkTrie(root, store.read)) walked.push(cid)
      expect(names(walked)).toEqual(names(ordered(after)))
    }), { numRuns: 40 })
  })

  it('ROOT-1 a batch of 10,000 rewrites each touched node once, and one change one leaf and its path', async () => {
    const store = createStore()
    const root = await trieOf(store, Array.from({ length: 20_000 }, (_, i) => madeCid(i)))
    store.reads.length = 0
    const batch = await update(store, root, Array.from({ length: 10_000 }, (_, i) => madeCid(20_000 + i)))
    expect(new Set(store.reads).size).toBe(store.reads.length)
    const { nodes } = await diffTrie(root, batch.root, store.read)
    expect(names(batch.blocks.map(block => block.cid))).toEqual(names(nodes))
    store.reads.length = 0
    const single = await update(store, batch.root, [madeCid(40_000)])
    expect(store.reads.length).toBeLessThanOrEqual(4)
    expect(single.blocks.length).toBeLessThanOrEqual(5)
  })

  it('ANN-1 in a vault of 100,000 files a change and its paths in two tries leave most of an announcement free', async () => {
    const store = createStore()
    const root = await trieOf(store, Array.from({ length: 100_000 }, (_, i) => madeCid(i)))
    for (const n of [100_001, 100_002, 100_003]) {
      const { blocks } = await update(store, root, [madeCid(n)])
      const bytes = blocks.reduce((sum, block) => sum + block.bytes.length, 0)
      expect(2 * bytes).toBeLessThan(12 << 10)
    }
    const sizes = [...store.blocks.values()].map(bytes => bytes.length)
    expect(Math.max(...sizes)).toBeLessThan(2700)
  })

  it('ROOT-1 CIDs of one digest and two codecs are two members', async () => {
    const store = createStore()
    const root = await trieOf(store, [madeCid(1, [], RAW), madeCid(1, [], DAG_CBOR)])
    const { root: without } = await update(store, root, [], [madeCid(1, [], RAW)])
    expect(without.toString()).toBe((await reference([madeCid(1, [], DAG_CBOR)])).toString())
  })

  it('ROOT-1 what is both added and removed is in the set', async () => {
    const store = createStore()
    const root = await trieOf(store, [])
    const { root: after } = await update(store, root, [madeCid(1)], [madeCid(1)])
    expect(after.toString()).toBe((await reference([madeCid(1)])).toString())
  })

  it('ROOT-1 an aborted walk and update stop', async () => {
    const store = createStore()
    const root = await trieOf(store, [madeCid(1)])
    const signal = AbortSignal.abort()
    await expect(updateTrie(root, { add: [madeCid(2)], remove: [] }, store.read, { signal })).rejects.toThrow(/abort/i)
    await expect(walkTrie(root, store.read, { signal }).next()).rejects.toThrow(/abort/i)
  })
})

describe('a hostile trie', () => {
  const crowd = (count: number, prefix: number[]): CID[] => ordered(Array.from({ length: count }, (_, i) => madeCid(i, prefix)))

  async function refuses (value: unknown, children: Block[] = []): Promise<unknown> {
    const store = createStore()
    const block = value instanceof Uint8Array ? await createBlock(DAG_CBOR, value) : await encodeBlock(value)
    store.put([block, ...children])
    const walk = async (): Promise<void> => { for await (const cid of walkTrie(block.cid, store.read)) expect(cid).toBeDefined() }
    const [walked, diffed, updated] = await Promise.allSettled([walk(), diffTrie(null, block.cid, store.read), updateTrie(block.cid, { add: [], remove: crowd(1, [0x12]) }, store.read)])
    expect([walked.status, diffed.status]).toEqual(['rejected', 'rejected'])
    const error: unknown = walked.status === 'rejected' ? walked.reason : undefined
    if (diffed.status === 'rejected') expect((diffed.reason as Error).name).toBe((error as Error).name)
    if (updated.status === 'rejected') expect(updated.reason).toBeInstanceOf(HoldfastError)
    return error
  }

  const leaf = async (cids: CID[]): Promise<Block> => encodeBlock({ v: 1, leaf: cids })

  it('ROOT-1 refuses leaves that are unsorted, repeated, too long, or hold another kind of CID', async () => {
    const cids = crowd(3, [])
    expect(await refuses({ v: 1, leaf: [...cids].reverse() })).toBeInstanceOf(CorruptBlockError)
    expect(await refuses({ v: 1, leaf: [cids[0], cids[0]] })).toBeInstanceOf(CorruptBlockError)
    expect(await refuses({ v: 1, leaf: crowd(MAX_LEAF_LINKS + 1, []) })).toBeInstanceOf(LimitExceededError)
    expect(await refuses({ v: 1, leaf: [7] })).toBeInstanceOf(CorruptBlockError)
    expect(await refuses({ v: 1, leaf: [CID.createV1(0x70, cids[0]!.multihash)] })).toBeInstanceOf(CorruptBlockError)
    expect(await refuses({ v: 1, leaf: [CID.createV1(RAW, Digest.create(0x13, new Uint8Array(64)))] })).toBeInstanceOf(CorruptBlockError)
    expect(await refuses({ v: 1, leaf: [CID.createV1(RAW, Digest.create(SHA2_256, new Uint8Array(20)))] })).toBeInstanceOf(CorruptBlockError)
  })

  it('ROOT-1 refuses a CID in the wrong place, an empty leaf below the root and a wrong count', async () => {
    const [here, there, empty] = await Promise.all([leaf(crowd(60, [0x10])), leaf(crowd(60, [0x20])), leaf([])])
    const inner = (nodes: Block[], counts: number[], nibbles = 0b110): unknown => ({ v: 1, nibbles, nodes: nodes.map(node => node.cid), counts })
    expect(await refuses(inner([there, here], [60, 60]), [here, there])).toBeInstanceOf(CorruptBlockError)
    expect(await refuses(inner([here, empty], [60, 60]), [here, empty])).toBeInstanceOf(CorruptBlockError)
    expect(await refuses(inner([here, there], [60, 59]), [here, there])).toBeInstanceOf(CorruptBlockError)
    expect(await refuses(inner([here, there], [60, 0]), [here, there])).toBeInstanceOf(CorruptBlockError)
    expect(await refuses(inner([here, there], [60]), [here, there])).toBeInstanceOf(CorruptBlockError)
    expect(await refuses(inner([here, there], [60, 60], 0b10), [here, there])).toBeInstanceOf(CorruptBlockError)
    expect(await refuses(inner([here, there], [60, 60], 0b1110), [here, there])).toBeInstanceOf(CorruptBlockError)
  })

  it('ROOT-1 refuses a node that is split though a leaf could hold it, and any second encoding', async () => {
    const [here, there] = await Promise.all([leaf(crowd(30, [0x10])), leaf(crowd(30, [0x20]))])
    expect(await refuses({ v: 1, nibbles: 0b110, nodes: [here.cid, there.cid], counts: [30, 30] }, [here, there])).toBeInstanceOf(CorruptBlockError)
    expect(await refuses({ v: 1, leaf: [], extra: 1 })).toBeInstanceOf(CorruptBlockError)
    expect(await refuses({ v: 1, leaf: [], nibbles: 1 })).toBeInstanceOf(CorruptBlockError)
    // The same map with its keys the other way round.
    const [version, list] = [encode({ v: 1 }).subarray(1), encode({ leaf: [] }).subarray(1)]
    expect(await refuses(new Uint8Array([0xa2, ...list, ...version]))).toBeInstanceOf(CorruptBlockError)
    expect(await refuses({ v: 2, leaf: [] })).toBeInstanceOf(UnknownVersionError)
    expect(await refuses({ v: 1 })).toBeInstanceOf(CorruptBlockError)
    expect(await refuses(new Uint8Array([0xff]))).toBeInstanceOf(CorruptBlockError)
  })

  it('ROOT-1 refuses more CIDs than a trie may hold, by their declared number', async () => {
    const child = await leaf(crowd(60, [0x10]))
    expect(await refuses({ v: 1, nibbles: 0b10, nodes: [child.cid], counts: [MAX_TRIE_LINKS + 1] }, [child])).toBeInstanceOf(LimitExceededError)
  })

  it('ROOT-1 refuses a trie deeper than real digests make one, to write and to read', async () => {
    const store = createStore()
    const empty = await trieOf(store, [])
    const prefix = (nibbles: number): number[] => Array.from({ length: nibbles / 2 }, () => 0x11)
    await expect(update(store, empty, crowd(MAX_LEAF_LINKS + 1, prefix(MAX_TRIE_DEPTH + 2)))).rejects.toBeInstanceOf(LimitExceededError)
    await expect(update(store, empty, crowd(MAX_LEAF_LINKS + 1, prefix(MAX_TRIE_DEPTH - 2)))).resolves.toBeDefined()
    let node = await leaf(crowd(60, prefix(MAX_TRIE_DEPTH + 2)))
    const chain = [node]
    for (let depth = MAX_TRIE_DEPTH; depth >= 0; depth--) {
      node = await encodeBlock({ v: 1, nibbles: 0b10, nodes: [node.cid], counts: [65] })
      chain.push(node)
    }
    store.put(chain)
    await expect(walkTrie(node.cid, store.read).next()).rejects.toBeInstanceOf(LimitExceededError)
  })

  it('ROOT-1 any byte changed in a node is refused or another set, never another error', async () => {
    const store = createStore()
    const root = await trieOf(store, crowd(200, []))
    const bytes = store.blocks.get(root.toString())!
    await fc.assert(fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const changed = bytes.slice()
      changed[at]! ^= flip
      const block = await createBlock(DAG_CBOR, changed)
      store.put([block])
      const read: string[] = []
      try {
        for await (const cid of walkTrie(block.cid, store.read)) read.push(cid.toString())
        expect(new Set(read).size).toBe(read.length)
      } catch (error) {
        expect(error).toBeInstanceOf(HoldfastError)
      }
    }), { numRuns: 300 })
  })

  it('ANN-2 bytes that are not what the CID says are refused before they are read', async () => {
    const store = createStore()
    const root = await trieOf(store, crowd(3, []))
    store.blocks.set(root.toString(), (await leaf(crowd(2, []))).bytes)
    await expect(walkTrie(root, store.read).next()).rejects.toBeInstanceOf(CorruptBlockError)
    store.blocks.delete(root.toString())
    await expect(walkTrie(root, store.read).next()).rejects.toBeInstanceOf(BlockNotFoundError)
  })
})

describe('difference of tries', () => {
  it('ROOT-1 is the difference of the sets, with every node that the new trie adds', async () => {
    await fc.assert(fc.asyncProperty(someCids, someCids, someCids, async (common, left, right) => {
      const store = createStore()
      const a = ordered([...common, ...left])
      const b = ordered([...common, ...right])
      const from = await trieOf(store, a)
      const to = await trieOf(store, b)
      const { added, removed, nodes } = await diffTrie(from, to, store.read)
      expect(names(added)).toEqual(names(b.filter(cid => !a.some(other => other.equals(cid)))))
      expect(names(removed)).toEqual(names(a.filter(cid => !b.some(other => other.equals(cid)))))
      // Whoever holds `from` and these nodes can read all of `to`.
      const scarce = createStore()
      const copy = async (root: CID): Promise<void> => {
        const bytes = store.blocks.get(root.toString())!
        scarce.blocks.set(root.toString(), bytes)
        for (const child of (await diffTrie(null, root, store.read)).nodes) scarce.blocks.set(child.toString(), store.blocks.get(child.toString())!)
      }
      await copy(from)
      for (const node of nodes) scarce.blocks.set(node.toString(), store.blocks.get(node.toString())!)
      const walked: CID[] = []
      for await (const cid of walkTrie(to, scarce.read)) walked.push(cid)
      expect(names(walked)).toEqual(names(b))
      expect((await diffTrie(null, to, store.read)).removed).toEqual([])
    }), { numRuns: 40 })
  })

  it('ROOT-1 reads only what differs, each level in one round trip', async () => {
    const store = createStore()
    const from = await trieOf(store, Array.from({ length: 20_000 }, (_, i) => madeCid(i)))
    const { root: to } = await update(store, from, [madeCid(30_000)], [madeCid(7)])
    const trips: number[] = []
    const readMany = async (cids: CID[]): Promise<Map<string, Uint8Array>> => {
      trips.push(cids.length)
      return new Map(cids.map(cid => [cid.toString(), store.blocks.get(cid.toString())!]))
    }
    const { added, removed, nodes } = await diffTrie(from, to, { readMany })
    expect([names(added), names(removed)]).toEqual([[madeCid(30_000).toString()], [madeCid(7).toString()]])
    expect(trips.length).toBeLessThanOrEqual(4)
    expect(trips.every(cids => cids <= 4)).toBe(true)
    expect(nodes.length).toBeLessThanOrEqual(7)
    trips.length = 0
    await diffTrie(to, to, { readMany })
    expect(trips).toEqual([])
  })

  it('ANN-2 a block that nobody has is told by its CID', async () => {
    const store = createStore()
    const root = await trieOf(store, [madeCid(1)])
    await expect(diffTrie(null, root, { readMany: async () => new Map() })).rejects.toMatchObject({ name: 'BlockNotFoundError', cid: root.toString() })
  })
})

import { BlockNotFoundError, RAW, blockId, blockLinks, checkBlock, isHoldfastError, parseCid, type Block, type BlockId, type BlockStore, type CallOptions, type HoldfastError, type Network, type NodeClient } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'

/**
 * ANN-2: where blocks come from, nearest first: this device's store, blocks that came inside an announcement,
 * the nodes (CAR over HTTP, many at once), then peers (bitswap, one by one). A block is stored only after its
 * CID checks.
 */
export interface Fetcher {
  /** One block. Throws BlockNotFoundError when nobody reachable has it, CorruptBlockError when all that is to be had is broken. */
  get (cid: CID, options?: CallOptions): Promise<Uint8Array>
  /** All of these. Throws as `get` for the first that is not to be had. */
  getMany (cids: readonly CID[], options?: CallOptions): Promise<Map<BlockId, Uint8Array>>
  /** Brings these and all they link to here. Resolves to the number of chunks that had to be fetched. */
  complete (roots: readonly CID[], options?: CallOptions): Promise<number>
  /** True when these and all they link to are here. */
  isComplete (roots: readonly CID[], options?: CallOptions): Promise<boolean>
  /** Offers checked blocks that arrived with an announcement; they are stored when something asks for them. */
  offer (blocks: readonly Block[]): void
}

export interface FetcherComponents {
  store: BlockStore
  nodes: () => readonly NodeClient[]
  network: Network | null
}

/** Blocks of announcements that nothing asked for yet; old ones give way. */
const OFFERED_BLOCKS = 4_096
/** Blocks asked for in one go, so that neither the map nor a request grows with the vault. */
const BATCH = 1_024
/** The same for chunks, which may be 1 MiB each. */
const LARGE_BATCH = 64
/** Peers are asked for one block each; this many at a time. */
const PEER_CONCURRENCY = 16

type Found = Map<BlockId, Uint8Array>
/** What sources answered with instead of blocks. */
type Faults = HoldfastError[]

export function createFetcher ({ store, nodes, network }: FetcherComponents): Fetcher {
  const offered = new Map<BlockId, Block>()

  async function fromNodes (wanted: Map<BlockId, CID>, found: Found, faults: Faults, options?: CallOptions): Promise<void> {
    for (const node of nodes()) {
      if (wanted.size === 0) return
      let batch: Block[] = []
      try {
        for await (const block of node.getBlocks([...wanted.values()], options)) {
          const id = blockId(block.cid)
          if (!wanted.delete(id)) continue
          found.set(id, block.bytes)
          batch.push(block)
          if (batch.length >= 64) { await store.put(batch); batch = [] }
        }
      } catch (error) {
        options?.signal?.throwIfAborted()
        // A node that fails is one source less; the next node or the peers are asked for the rest.
        if (!isHoldfastError(error)) throw error
        faults.push(error)
      }
      if (batch.length > 0) await store.put(batch)
    }
  }

  async function fromPeers (wanted: Map<BlockId, CID>, found: Found, faults: Faults, options?: CallOptions): Promise<void> {
    if (network === null || network.connectedPeers().length === 0) return
    const queue = [...wanted]
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [id, cid] = next
        try {
          const bytes = await network.fetchBlock(cid, options)
          await store.put([await checkBlock(cid, bytes)])
          found.set(id, bytes)
          wanted.delete(id)
        } catch (error) {
          options?.signal?.throwIfAborted()
          if (!isHoldfastError(error)) throw error
          faults.push(error)
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(PEER_CONCURRENCY, queue.length) }, worker))
  }

  async function getBatch (cids: readonly CID[], options?: CallOptions): Promise<Map<BlockId, Uint8Array>> {
    const found: Found = new Map()
    const wanted = new Map<BlockId, CID>()
    const offers: Block[] = []
    await Promise.all(cids.map(async cid => {
      const id = blockId(cid)
      const bytes = await readLocal(cid, options)
      if (bytes !== null) { found.set(id, bytes); return }
      const offer = offered.get(id)
      if (offer === undefined) { wanted.set(id, cid); return }
      offers.push(offer)
      offered.delete(id)
      found.set(id, offer.bytes)
    }))
    if (offers.length > 0) await store.put(offers)
    const faults: Faults = []
    if (wanted.size > 0) await fromNodes(wanted, found, faults, options)
    if (wanted.size > 0) await fromPeers(wanted, found, faults, options)
    // A source that holds something broken is told of; one that holds nothing is not to blame.
    for (const id of wanted.keys()) throw faults.find(fault => fault.family === 'corrupt') ?? new BlockNotFoundError(id)
    return found
  }

  async function readLocal (cid: CID, options?: CallOptions): Promise<Uint8Array | null> {
    try { return await store.get(cid, options) } catch (error) {
      if (error instanceof BlockNotFoundError) return null
      throw error
    }
  }

  async function getMany (cids: readonly CID[], options?: CallOptions): Promise<Map<BlockId, Uint8Array>> {
    if (cids.length <= BATCH) return getBatch(cids, options)
    const all = new Map<BlockId, Uint8Array>()
    for (let i = 0; i < cids.length; i += BATCH) for (const [id, bytes] of await getBatch(cids.slice(i, i + BATCH), options)) all.set(id, bytes)
    return all
  }

  /** Chunks may be large: a few at a time, so that what is in memory stays bounded. */
  async function ensure (cids: readonly CID[], options?: CallOptions): Promise<number> {
    for (let i = 0; i < cids.length; i += LARGE_BATCH) await getBatch(cids.slice(i, i + LARGE_BATCH), options)
    return cids.length
  }

  async function complete (roots: readonly CID[], options?: CallOptions): Promise<number> {
    let fetched = 0
    let level = await missingOrLinked(roots, options)
    while (level.length > 0) {
      const next = new Map<BlockId, CID>()
      for (let i = 0; i < level.length; i += BATCH) {
        const batch = level.slice(i, i + BATCH)
        const raw = batch.filter(cid => cid.code === RAW)
        fetched += await ensure(raw, options)
        for (const [id, bytes] of await getBatch(batch.filter(cid => cid.code !== RAW), options)) {
          for (const link of blockLinks({ cid: parseCid(id), bytes })) next.set(blockId(link), link)
        }
      }
      level = await missingOrLinked([...next.values()], options)
    }
    return fetched
  }

  /** Raw blocks that are here need no visit; blocks with links do, to see whether what they link to is here. */
  async function missingOrLinked (cids: readonly CID[], options?: CallOptions): Promise<CID[]> {
    const kept = await Promise.all(cids.map(async cid => cid.code !== RAW || !await store.has(cid, options)))
    return cids.filter((_, i) => kept[i])
  }

  return {
    getMany,
    complete,
    async get (cid, options) { return (await getBatch([cid], options)).get(blockId(cid))! },
    async isComplete (roots, options) {
      let level = [...roots]
      while (level.length > 0) {
        const next: CID[] = []
        for (const cid of level) {
          const bytes = await readLocal(cid, options)
          if (bytes === null) return false
          next.push(...blockLinks({ cid, bytes }))
        }
        level = await missingOrLinked(next, options)
      }
      return true
    },
    offer (blocks) {
      for (const block of blocks) offered.set(blockId(block.cid), block)
      for (const id of offered.keys()) {
        if (offered.size <= OFFERED_BLOCKS) break
        offered.delete(id)
      }
    }
  }
}



import { asHoldfastError, blockId, blockLinks, BlockNotFoundError, checkBlock, CorruptBlockError, isHoldfastError, parseCid, type Block, type BlockId, type CallOptions, type NodeClient, type ProgressOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { VerifyReport } from './engine-types.js'
import type { Fetcher } from './fetcher.js'
import type { VaultStore } from './vault-store.js'

export interface VerifyComponents { store: VaultStore, fetcher: Fetcher, nodes: () => readonly NodeClient[] }

/** Blocks compared with a node in one request. */
const NODE_BATCH = 256

/**
 * Re-reads every block from the root down, here and on every node, and checks it against its CID. With `repair`,
 * a bad or missing block is replaced from whoever has a good copy: this device from nodes and peers, a node from
 * this device. `bad` and `repaired` name blocks, with the node's address behind those that are bad there; `failures`
 * are nodes that could not be asked.
 */
export async function verifyVault (components: VerifyComponents, options: ProgressOptions & { repair: boolean }): Promise<VerifyReport> {
  const report: VerifyReport = { blocks: 0, bytes: 0, bad: [], repaired: [], failures: [] }
  const seen = new Map<BlockId, CID>()
  let level: CID[] = await starts(components.store)
  while (level.length > 0) {
    const next: CID[] = []
    for (const cid of level) {
      const id = blockId(cid)
      if (seen.has(id)) continue
      seen.set(id, cid)
      options.signal?.throwIfAborted()
      const block = await checkHere(components, cid, options, report)
      if (block === null) continue
      report.blocks++
      report.bytes += block.bytes.length
      options.onProgress?.({ done: report.bytes })
      next.push(...blockLinks(block))
    }
    level = next
  }
  for (const node of components.nodes()) {
    try { await checkNode(components.store, node, [...seen.values()], options, report) } catch (error) {
      options.signal?.throwIfAborted()
      // What is known of this device and of other nodes is worth telling all the same.
      report.failures.push(asHoldfastError('checking a node', error))
    }
  }
  return report
}

/** The state's own blocks: root, body, and through the tries everything else. */
async function starts (store: VaultStore): Promise<CID[]> {
  const { root, bodyCid } = store.state
  return root === null ? [bodyCid] : [root, bodyCid]
}

async function checkHere ({ store, fetcher }: VerifyComponents, cid: CID, options: CallOptions & { repair: boolean }, report: VerifyReport): Promise<Block | null> {
  const { blocks } = store.components
  try {
    return await checkBlock(cid, await blocks.get(cid, options))
  } catch (error) {
    if (!isHoldfastError(error)) throw error
  }
  const id = blockId(cid)
  report.bad.push(id)
  if (!options.repair) return null
  // A corrupt copy must go first, or the fetcher would find it again. It is of no use to anyone.
  await blocks.delete([cid])
  try {
    const bytes = await fetcher.get(cid, options)
    await blocks.flush()
    report.repaired.push(id)
    return { cid, bytes }
  } catch (error) {
    if (error instanceof BlockNotFoundError || error instanceof CorruptBlockError) return null
    throw error
  }
}

async function checkNode (store: VaultStore, node: NodeClient, cids: readonly CID[], options: CallOptions & { repair: boolean }, report: VerifyReport): Promise<void> {
  for (let i = 0; i < cids.length; i += NODE_BATCH) {
    const batch = cids.slice(i, i + NODE_BATCH)
    const missing = await missingOn(node, batch, options)
    for (const id of missing) {
      report.bad.push(`${id} on ${node.url}`)
      if (!options.repair || !await store.components.blocks.has(parseCid(id))) continue
      const cid = parseCid(id)
      await node.putBlocks([await checkBlock(cid, await store.components.blocks.get(cid))], options)
      report.repaired.push(`${id} on ${node.url}`)
    }
  }
}

/** What the node lacks or holds corrupt. A corrupt block spoils the batch's answer, so then they are asked for one by one. */
async function missingOn (node: NodeClient, cids: readonly CID[], options: CallOptions): Promise<Set<BlockId>> {
  const missing = new Set(cids.map(blockId))
  try {
    for await (const block of node.getBlocks(cids, options)) missing.delete(blockId(block.cid))
  } catch (error) {
    if (!isHoldfastError(error) || error.family !== 'corrupt') throw error
    if (cids.length === 1) return missing
    const parts = await Promise.all([...missing].map(async id => missingOn(node, [parseCid(id)], options)))
    return new Set(parts.flatMap(part => [...part]))
  }
  return missing
}


import { decodeBody, diffTrie, readRoot, type Body } from '@holdfast/roots'
import { blockId, blockLinks, BlockNotFoundError, checkReceipt, keyOfPeerId, UnauthorisedError, UnreachableError, type Block, type CallOptions, type NodeClient, type Receipt } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { VaultStore } from './vault-store.js'

/** What a push to one node needs to know of it, and what it found out. */
export interface PushTarget {
  client: NodeClient
  peerId: string
  /** A root whose every block this node has, to send only what differs; null when nothing is known. */
  base: CID | null
  /** Everything that differs was sent. */
  onSent: (root: CID) => void
}

/** Rounds of "what is missing?" before a push gives up until the next sync. */
const MAX_ROUNDS = 64

/**
 * Brings everything that `root` reaches to a node and asks for its receipt (NODE-4). Resolves to null when the
 * node lacks blocks that this device does not have either (another device is still uploading them).
 * Throws UnreachableError, UnauthorisedError, QuotaExceededError.
 */
export async function pushRoot (store: VaultStore, target: PushTarget, root: CID, publish: () => Promise<void>, options?: CallOptions): Promise<Receipt | null> {
  const { client } = target
  const { vault, blocks } = store.components
  await client.putBlocks(difference(store, target.base, root, options), options)
  target.onSent(root)
  await publish()
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const answer = await client.receipt(vault, root, options)
    if ('receipt' in answer) {
      await checkReceipt(answer.receipt, keyOfPeerId(target.peerId))
      // A true receipt for something else says nothing about this root.
      if (answer.receipt.vault !== vault || !answer.receipt.root.equals(root)) throw new UnauthorisedError(`${client.url} gave a receipt for another root than was asked about`, 'Nothing is lost; what is on this device counts as not yet safe there. If it stays so, update or replace the node.', { root: blockId(root), receipt: blockId(answer.receipt.root) })
      return answer.receipt
    }
    const here: CID[] = []
    for (const cid of answer.missing) if (await blocks.has(cid, options)) here.push(cid)
    if (here.length === 0) return null
    await client.putBlocks(load(store, here, options), options)
  }
  throw new UnreachableError(`${client.url} (it still lacks blocks after ${MAX_ROUNDS} uploads)`)
}

async function * load (store: VaultStore, cids: Iterable<CID>, options?: CallOptions): AsyncGenerator<Block> {
  for (const cid of cids) yield { cid, bytes: await store.readBlock(cid, options) }
}

/** The blocks under `root` that are not under `base`, contents of new files included where they are this device's own. */
async function * difference (store: VaultStore, base: CID | null, root: CID, options?: CallOptions): AsyncGenerator<Block> {
  const body = await bodyOf(store, root, options)
  const before = base === null ? null : await bodyOf(store, base, options).catch(error => {
    if (error instanceof BlockNotFoundError) return null
    throw error
  })
  const readMany = async (cids: readonly CID[]): Promise<Map<string, Uint8Array>> =>
    new Map(await Promise.all(cids.map(async cid => [blockId(cid), await store.readBlock(cid, options)] as const)))
  for (const part of ['members', 'log', 'files'] as const) {
    const { added, nodes } = await diffTrie(before?.[part] ?? null, body[part], { readMany })
    yield * load(store, nodes, options)
    for (const cid of added) yield * part === 'files' ? fileBlocks(store, cid, options) : load(store, [cid], options)
  }
  yield * load(store, [(await readRoot({ cid: root, bytes: await store.readBlock(root, options) })).body, root], options)
}

/** A file node, and below it the blocks that no node has a receipt for. Those of others are asked for if they are missing. */
async function * fileBlocks (store: VaultStore, node: CID, options?: CallOptions): AsyncGenerator<Block> {
  let bytes: Uint8Array
  try { bytes = await store.readBlock(node, options) } catch (error) {
    if (error instanceof BlockNotFoundError) return // another device's file that is still to be fetched
    throw error
  }
  const block = { cid: node, bytes }
  yield block
  for (const link of blockLinks(block)) if (store.fresh.has(blockId(link))) yield * fileBlocks(store, link, options)
}

async function bodyOf (store: VaultStore, root: CID, options?: CallOptions): Promise<Body> {
  const { body } = await readRoot({ cid: root, bytes: await store.readBlock(root, options) })
  return decodeBody(await store.readBlock(body, options))
}

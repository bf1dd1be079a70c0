import { asHoldfastError, blockId, BlockNotFoundError, isHoldfastError, type CallOptions, type DeviceId, type HeadName, type HoldfastError } from '@holdfast/protocol'
import { readHeadRecord, readRoot } from '@holdfast/roots'
import type { CID } from 'multiformats/cid'
import { storedHead } from './heads.js'
import type { NodeLink } from './node-link.js'
import { pushRoot } from './push.js'
import type { VaultStore } from './vault-store.js'

export interface NodeRoundComponents {
  store: VaultStore
  /** Takes in a head that a node told of. */
  takeHead: (head: { name: HeadName, record: Uint8Array }, options?: CallOptions) => Promise<void>
  /** Makes sure that the current state has a root. */
  ensurePublished: () => Promise<void>
  onError: (error: HoldfastError) => void
  /** A head was faster than its blocks: they will be there in a moment. */
  onLateBlocks: () => void
  onReceipt: () => Promise<void>
}

/** A receipt older than this is asked for again, so that "verified 3 minutes ago" stays true. */
const RECEIPT_RENEWAL_MS = 5 * 60 * 1000

/** One round with one node: what others published, then what this device has, then the receipt. Throws what the node answers. */
export async function nodeRound (components: NodeRoundComponents, link: NodeLink, options?: CallOptions): Promise<void> {
  const base = await pull(components, link, options)
  await components.ensurePublished()
  await push(components, link, base, options)
}

/** Merges every head that the node has. Resolves to one that was merged from it: this node has, or is getting, all below. */
async function pull ({ store, takeHead, onError, onLateBlocks }: NodeRoundComponents, link: NodeLink, options?: CallOptions): Promise<CID | null> {
  let merged: CID | null = null
  const heads = await link.client.heads(store.components.vault, options)
  // It answers: the blocks of these heads may be asked of it, although the last round failed.
  link.reachable = true
  const refused: HoldfastError[] = []
  for (const head of heads) {
    if (head.record === null) continue
    try {
      await takeHead({ name: head.head, record: head.record }, options)
      merged = (await readHeadRecord(head.head, head.record)).root
    } catch (error) {
      options?.signal?.throwIfAborted()
      // One head that cannot be taken must not keep the others, or this device's own changes, from travelling.
      const fault = asHoldfastError('merging a head', error)
      refused.push(fault)
      if (fault instanceof BlockNotFoundError) onLateBlocks()
      else onError(fault)
    }
  }
  link.refused = refused
  return merged
}

async function push ({ store, onReceipt }: NodeRoundComponents, link: NodeLink, merged: CID | null, options?: CallOptions): Promise<void> {
  const { root, commit } = store.state
  if (root === null) return
  const { receipt } = link.remembered
  const age = receipt === null ? Infinity : store.components.clock.now() - receipt.at
  if (receipt?.root.equals(root) === true && age < RECEIPT_RENEWAL_MS) return
  const target = { client: link.client, peerId: link.remembered.peerId, base: link.sent ?? receipt?.root ?? merged, onSent: (sent: CID) => { link.sent = sent } }
  const answer = await pushRoot(store, target, root, async () => putRecord(store, link, root, options), options).catch(error => {
    // While the blocks went up, an announcement brought a newer root: the next round asks for that one's receipt.
    if (error instanceof BlockNotFoundError && store.state.root?.equals(root) !== true) return null
    throw error
  })
  if (answer === null) return
  await link.remember({ receipt: answer, commit })
  await onReceipt()
}

/** The record that publishes this root: this device's own, or, when the root is another device's, the one it came with. */
async function putRecord (store: VaultStore, link: NodeLink, root: CID, options?: CallOptions): Promise<void> {
  const { device } = await readRoot({ cid: root, bytes: await store.readBlock(root, options) })
  const head = await storedHead(store, device as DeviceId)
  if (head === null || blockId(head.root) !== blockId(root)) return
  try {
    await link.client.putRecord(head.name, head.record, options)
  } catch (error) {
    // The node may hold a newer record of another device already; its receipt tells what it has.
    if (device !== store.components.device.id && isHoldfastError(error) && error.family !== 'retryable') return
    throw error
  }
}

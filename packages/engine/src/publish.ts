import { createHeadRecord, encodeAnnouncement, headNameOf, signRoot, type Root } from '@holdfast/roots'
import { createSigner } from '@holdfast/crypto'
import { headSeed } from '@holdfast/identity'
import { counterOf, LimitExceededError, type Block, type HeadName, type VaultId } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { encodeHead } from './heads.js'
import type { VaultStore } from './vault-store.js'

/** Records live long: freshness comes from the version vector, and nodes re-broadcast them (HEAD-1). */
const RECORD_LIFETIME_MS = 365 * 24 * 60 * 60 * 1000
const RECORD_TTL_MS = 60 * 1000

/** ANN-1: a complete announcement carries everything that is new since the last root; otherwise it carries the root alone. */
export interface Publication { head: HeadName, record: Uint8Array, root: CID, announcement: Uint8Array, complete: boolean }

/** This device's key for a vault's head (HEAD-1): one writer for each name. */
export function headKeyOf (deviceSeed: Uint8Array, vault: VaultId): { seed: Uint8Array, publicKey: Uint8Array, name: HeadName } {
  const seed = headSeed(deviceSeed, vault)
  const { publicKey } = createSigner(seed)
  return { seed, publicKey, name: headNameOf(publicKey) }
}

/**
 * Makes the current state this device's new root, unless a known root already says exactly the same. The counter
 * is written, durably, before anything leaves the device: no crash can make two roots with one counter.
 * The caller holds the vault's Exclusive.
 */
export async function publish (store: VaultStore): Promise<Publication | null> {
  const { state, components } = store
  if (state.root !== null) return null
  const { vault, device, clock } = components
  const counter = Math.max(state.counter, counterOf(state.vector, device.id)) + 1
  const vector = { ...state.vector, [device.id]: counter }
  const root: Root = { vault, device: device.id, counter, vector, body: state.bodyCid, at: clock.now() }
  const block = await signRoot(root, device.signer)
  const { name, seed } = headKeyOf(device.seed, vault)
  const record = await createHeadRecord(seed, block.cid, BigInt(counter), { lifetimeMs: RECORD_LIFETIME_MS, ttlMs: RECORD_TTL_MS, now: clock.now() })
  const recent = store.recent.take()
  await store.write({
    blocks: [block],
    state: { counter, vector, root: block.cid, ownRoot: block.cid },
    records: [{ key: store.keys.head(device.id), value: encodeHead({ name, record, root: block.cid, counter }) }]
  })
  store.recent.take()
  return { head: name, record, root: block.cid, ...announcementOf({ head: name, record }, block, recent) }
}

/** ANN-1: with all that is new where that fits, otherwise with the root alone, otherwise (a root of very many devices) with the name alone. */
function announcementOf (head: { head: HeadName, record: Uint8Array }, root: Block, recent: readonly Block[] | null): { announcement: Uint8Array, complete: boolean } {
  const candidates = [...recent === null ? [] : [[root, ...recent]], [root]]
  for (const blocks of candidates) {
    try {
      return { announcement: encodeAnnouncement({ ...head, blocks }), complete: blocks.length === 1 + (recent?.length ?? Infinity) }
    } catch (error) {
      if (!(error instanceof LimitExceededError)) throw error
    }
  }
  return { announcement: encodeAnnouncement({ ...head, blocks: [] }), complete: false }
}

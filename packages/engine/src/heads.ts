import { examineHead, readHeadRecord, readRoot, type HeadVerdict, type Root, type RootAt } from '@holdfast/roots'
import { checkVersion, CorruptBlockError, decode, encode, fieldReader, InvalidArgumentError, isHoldfastError, type CallOptions, type DeviceId, type HeadName } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { EngineEvent } from './engine-types.js'
import type { Fetcher } from './fetcher.js'
import { collectRoot, mergeRoot, type MergeResult } from './merge.js'
import type { VaultStore } from './vault-store.js'

/** The newest root of one device that this device has merged, with the record that published it. */
export interface StoredHead { name: HeadName, record: Uint8Array, root: CID, counter: number }

const VERSION = 1
export const encodeHead = (head: StoredHead): Uint8Array => encode({ v: VERSION, ...head })

export function decodeHead (bytes: Uint8Array): StoredHead {
  const value = decode(bytes, 'stored head')
  checkVersion('stored head', value, VERSION)
  const f = fieldReader('stored head', value)
  return { name: f.text('name') as HeadName, record: f.bytes('record'), root: f.cid('root'), counter: f.integer('counter') }
}

export async function storedHead (store: VaultStore, device: DeviceId): Promise<StoredHead | null> {
  const bytes = await store.components.records.get(store.keys.head(device))
  return bytes === undefined ? null : decodeHead(bytes)
}

/** A head whose record and root were read and checked; not yet who may publish here. */
export interface ReadHead { name: HeadName, record: Uint8Array, cid: CID, root: Root }

/**
 * Reads a head, wherever it came from, and fetches all that merging it will need, so that nobody waits for a network
 * while the vault is held. Null when there is nothing new in it. Throws UnauthorisedError for a record or root that
 * is not by a device of this vault, CorruptBlockError, BlockNotFoundError.
 */
export async function collectHead (store: VaultStore, fetcher: Fetcher, { name, record }: { name: HeadName, record: Uint8Array }, options?: CallOptions): Promise<ReadHead | null> {
  const { root: cid, sequence } = await readHeadRecord(name, record)
  if (isKnown(store, cid)) return null
  const root = await readRoot({ cid, bytes: await fetcher.get(cid, options) })
  if (root.vault !== store.components.vault) throw new InvalidArgumentError('a head of another vault came under this vault', 'It was refused and nothing was changed.', { head: name })
  if (BigInt(root.counter) !== sequence) throw new CorruptBlockError('a head record and its root have different counters', { head: name })
  const previous = await storedHead(store, root.device)
  if (previous?.root.equals(cid) === true) return null
  if (previous !== null) await examine(fetcher, previous, { cid, root }, options)
  const head = { name, record, cid, root }
  await collectRoot(store, fetcher, head, options)
  return head
}

const isKnown = ({ state }: VaultStore, root: CID): boolean => state.root?.equals(root) === true || state.ownRoot?.equals(root) === true

/**
 * Takes in a head: looks for rollback and fork (ROOT-3), merges the root, and remembers it. Throws what `collectHead`
 * throws; then nothing has changed. The caller holds the vault's Exclusive.
 */
export async function mergeHead (store: VaultStore, fetcher: Fetcher, head: ReadHead, emit: (event: EngineEvent) => void, options?: CallOptions): Promise<MergeResult | null> {
  const { cid, root } = head
  if (isKnown(store, cid)) return null
  const previous = await storedHead(store, root.device)
  if (previous?.root.equals(cid) === true) return null
  const verdict = previous === null ? 'newer' : await examine(fetcher, previous, { cid, root }, options)
  const isOwn = root.device === store.components.device.id
  // An older root of this very device may be of a time that it lost; whether it is shows what it holds.
  if (verdict === 'same' || (verdict === 'older' && !isOwn)) return null
  if (typeof verdict === 'object') await reportEvidence(store, verdict, emit)
  if (isOwn && root.counter >= store.state.counter) await recoverOwn(store, root.counter)
  const before = store.state.bodyCid
  const result = await mergeRoot(store, fetcher, head, options)
  if (isOwn && verdict === 'older' && store.state.bodyCid.equals(before)) return null
  if (previous === null || previous.counter < root.counter) {
    const stored: StoredHead = { name: head.name, record: head.record, root: cid, counter: root.counter }
    await store.components.records.write([{ key: store.keys.head(root.device), value: encodeHead(stored) }])
  }
  return result
}

async function examine (fetcher: Fetcher, previous: StoredHead, next: RootAt, options?: CallOptions): Promise<HeadVerdict> {
  let root: Root
  try {
    root = await readRoot({ cid: previous.root, bytes: await fetcher.get(previous.root, options) })
  } catch (error) {
    if (!isHoldfastError(error)) throw error
    // Its block was lost here, and nobody keeps old roots: the counter is what is left to go by.
    return next.root.counter > previous.counter ? 'newer' : 'older'
  }
  return examineHead({ cid: previous.root, root }, next)
}

/**
 * This device's own head is ahead of, or beside, what it remembers: its state was put back from an older copy. The
 * counters of that lost time are taken, so what this device shows is published again under a later one.
 */
async function recoverOwn (store: VaultStore, counter: number): Promise<void> {
  await store.write({ state: { counter, root: null } })
}

/** ROOT-3: both blocks are kept as evidence, and work goes on with what this device holds. */
async function reportEvidence (store: VaultStore, verdict: { evidence: 'rollback' | 'fork', previous: CID, next: CID, device: DeviceId }, emit: (event: EngineEvent) => void): Promise<void> {
  const { records, clock } = store.components
  await records.write([{ key: store.keys.evidence(clock.now()), value: encode({ v: VERSION, ...verdict }) }])
  emit({ type: 'evidence', kind: verdict.evidence, device: verdict.device, roots: [verdict.previous.toString(), verdict.next.toString()] })
}

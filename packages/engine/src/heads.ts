import { examineHead, readHeadRecord, readRoot } from '@holdfast/roots'
import { checkVersion, CorruptBlockError, decode, encode, fieldReader, InvalidArgumentError, type CallOptions, type DeviceId, type HeadName } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { EngineEvent } from './engine-types.js'
import type { Fetcher } from './fetcher.js'
import { mergeRoot, type MergeResult } from './merge.js'
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

/**
 * Takes in a head, wherever it came from: validates the record, looks for rollback and fork (ROOT-3), merges
 * the root, and remembers it. Throws UnauthorisedError for a record or root that is not by a device of this vault.
 * The caller holds the vault's Exclusive.
 */
export async function mergeHead (store: VaultStore, fetcher: Fetcher, head: { name: HeadName, record: Uint8Array }, emit: (event: EngineEvent) => void, options?: CallOptions): Promise<MergeResult | null> {
  const record = await readHeadRecord(head.name, head.record)
  if (store.state.root?.equals(record.root) === true) return null
  const root = await readRoot({ cid: record.root, bytes: await fetcher.get(record.root, options) })
  if (root.vault !== store.components.vault) throw new InvalidArgumentError('a head of another vault came under this vault', 'It was refused and nothing was changed.', { head: head.name })
  if (BigInt(root.counter) !== record.sequence) throw new CorruptBlockError('a head record and its root have different counters', { head: head.name })
  const previous = await storedHead(store, root.device)
  if (previous !== null && previous.root.equals(record.root)) return null
  const verdict = previous === null
    ? 'newer'
    : examineHead({ cid: previous.root, root: await readRoot({ cid: previous.root, bytes: await fetcher.get(previous.root, options) }) }, { cid: record.root, root })
  if (verdict === 'same' || verdict === 'older') return null
  if (typeof verdict === 'object') await reportEvidence(store, verdict, emit)
  if (root.device === store.components.device.id && root.counter > store.state.counter) await recoverOwn(store, root.counter)
  const result = await mergeRoot(store, fetcher, { cid: record.root, root, name: head.name }, options)
  if (previous === null || previous.counter < root.counter) {
    const stored: StoredHead = { name: head.name, record: head.record, root: record.root, counter: root.counter }
    await store.components.records.write([{ key: store.keys.head(root.device), value: encodeHead(stored) }])
  }
  return result
}

/**
 * This device's own head is ahead of what it remembers: its state was put back from an older copy. Counters and
 * Automerge actors of that lost time must not be used again.
 */
async function recoverOwn (store: VaultStore, counter: number): Promise<void> {
  await store.write({ state: { counter, incarnation: store.state.incarnation + 1 } })
  store.pages.forget()
}

/** ROOT-3: both blocks are kept as evidence, and work goes on with what this device holds. */
async function reportEvidence (store: VaultStore, verdict: { evidence: 'rollback' | 'fork', previous: CID, next: CID, device: DeviceId }, emit: (event: EngineEvent) => void): Promise<void> {
  const { records, clock } = store.components
  await records.write([{ key: store.keys.evidence(clock.now()), value: encode({ v: VERSION, ...verdict }) }])
  emit({ type: 'evidence', kind: verdict.evidence, device: verdict.device, roots: [verdict.previous.toString(), verdict.next.toString()] })
}

import {
  certificateFromMap, certificateToMap, checkVersion, decode, encode, fieldReader, revocationFromMap, revocationToMap,
  type AccountId, type DeviceCertificate, type DeviceId, type HeadName, type RecordChange, type RecordStore, type Revocation, type VaultId
} from '@holdfast/protocol'
import { CID } from 'multiformats/cid'

/** What a node remembers about people: keys and which belong together, nothing else. */
export interface Account { readonly id: AccountId, readonly pairedAt: number }
export interface Device { readonly certificate: DeviceCertificate, readonly pairedAt: number }
export interface Vault { readonly id: VaultId, readonly account: AccountId, readonly registeredAt: number }
export interface Envelope { readonly name: HeadName, readonly account: AccountId, readonly record: Uint8Array | null, readonly sequence: number, readonly target: CID | null }
export interface Head {
  readonly name: HeadName
  readonly vault: VaultId
  readonly device: DeviceId
  readonly topic: string
  /** The newest accepted IPNS record and the root it names. */
  readonly record: Uint8Array | null
  /** -1 before the first record. Equals the root's counter. */
  readonly sequence: number
  readonly root: CID | null
  /** The newest root of this head that is wholly here. Kept until a newer one is: never dropped for an incomplete one. */
  readonly pinned: CID | null
  /** The pinned root's counter; -1 without one. */
  readonly pinnedSequence: number
  /** Since when another head's complete root contains all of this one's; null while none does. */
  readonly dominatedAt: number | null
  /** The grace period after `dominatedAt` has passed: only the root block itself is kept. */
  readonly released: boolean
}
/** A pin that the operator set by hand (Kubo's `pin add`). */
export interface Pin { readonly cid: CID, readonly recursive: boolean }

interface Kinds { account: Account, device: Device, revocation: Revocation, vault: Vault, envelope: Envelope, head: Head, pin: Pin }
type Kind = keyof Kinds
export type RegistryChange = { [K in Kind]: { kind: K, id: string, value: Kinds[K] | undefined } }[Kind]

interface Codec<T> { toMap: (value: T) => unknown, fromMap: (value: unknown, id: string) => T }
const VERSION = 1
const NAME_LENGTH = 128

const codecs: { [K in Kind]: Codec<Kinds[K]> } = {
  account: {
    toMap: account => ({ v: VERSION, at: account.pairedAt }),
    fromMap: (value, id) => ({ id: id as AccountId, pairedAt: reader('account', value).integer('at') })
  },
  device: {
    toMap: device => ({ v: VERSION, certificate: certificateToMap(device.certificate), at: device.pairedAt }),
    fromMap (value) {
      const f = reader('device', value)
      return { certificate: certificateFromMap(f.map('certificate')), pairedAt: f.integer('at') }
    }
  },
  revocation: { toMap: revocationToMap, fromMap: revocationFromMap },
  vault: {
    toMap: vault => ({ v: VERSION, account: vault.account, at: vault.registeredAt }),
    fromMap (value, id) {
      const f = reader('vault', value)
      return { id: id as VaultId, account: f.text('account', NAME_LENGTH) as AccountId, registeredAt: f.integer('at') }
    }
  },
  envelope: {
    toMap: e => ({ v: VERSION, account: e.account, sequence: e.sequence, ...present({ record: e.record, target: e.target }) }),
    fromMap (value, id) {
      const f = reader('envelope', value)
      return {
        name: id as HeadName, account: f.text('account', NAME_LENGTH) as AccountId, sequence: f.integer('sequence', -1),
        record: f.has('record') ? f.bytes('record') : null, target: f.has('target') ? f.cid('target') : null
      }
    }
  },
  head: {
    toMap: h => ({
      v: VERSION, vault: h.vault, device: h.device, topic: h.topic, sequence: h.sequence, pinnedSequence: h.pinnedSequence, released: h.released ? 1 : 0,
      ...present({ record: h.record, root: h.root, pinned: h.pinned, dominatedAt: h.dominatedAt })
    }),
    fromMap (value, id) {
      const f = reader('head', value)
      const sequence = f.integer('sequence', -1)
      const root = f.has('root') ? f.cid('root') : null
      const pinned = f.has('pinned') ? f.cid('pinned') : null
      return {
        name: id as HeadName, vault: f.text('vault', NAME_LENGTH) as VaultId, device: f.text('device', NAME_LENGTH) as DeviceId,
        topic: f.text('topic'), sequence, root, pinned, released: f.integer('released', 0, 1) === 1,
        // Written since 0.1: without it, the newest root is the only one whose counter is known.
        pinnedSequence: f.has('pinnedSequence') ? f.integer('pinnedSequence', -1) : pinned !== null && root?.equals(pinned) === true ? sequence : -1,
        record: f.has('record') ? f.bytes('record') : null, dominatedAt: f.has('dominatedAt') ? f.integer('dominatedAt') : null
      }
    }
  },
  pin: {
    toMap: pin => ({ v: VERSION, recursive: pin.recursive ? 1 : 0 }),
    fromMap: (value, id) => ({ cid: CID.parse(id), recursive: reader('pin', value).integer('recursive', 0, 1) === 1 })
  }
}

function reader (what: string, value: unknown): ReturnType<typeof fieldReader> {
  checkVersion(what, value, VERSION)
  return fieldReader(what, value)
}

const present = (fields: Record<string, unknown>): Record<string, unknown> => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))

const PREFIX = 'pinner/'

/**
 * Registrations, wholly in memory and written through: a change is seen once its record is written, so that what
 * anyone was told survives a kill. Reads are synchronous.
 */
export interface Registry {
  readonly account: ReadonlyMap<string, Account>
  readonly device: ReadonlyMap<string, Device>
  readonly revocation: ReadonlyMap<string, Revocation>
  readonly vault: ReadonlyMap<string, Vault>
  readonly envelope: ReadonlyMap<string, Envelope>
  readonly head: ReadonlyMap<string, Head>
  readonly pin: ReadonlyMap<string, Pin>
  headsOf (vault: VaultId): Head[]
  /** Atomic, together with `others`. */
  write (changes: readonly RegistryChange[], options: { durable: boolean, others?: readonly RecordChange[] }): Promise<void>
}

export async function openRegistry (records: RecordStore): Promise<Registry> {
  const maps = { account: new Map(), device: new Map(), revocation: new Map(), vault: new Map(), envelope: new Map(), head: new Map(), pin: new Map() } as { [K in Kind]: Map<string, Kinds[K]> }
  const load = async <K extends Kind>(kind: K): Promise<void> => {
    const prefix = `${PREFIX}${kind}/`
    for await (const [key, value] of records.range({ prefix })) {
      const id = key.slice(prefix.length)
      maps[kind].set(id, codecs[kind].fromMap(decode(value, kind), id))
    }
  }
  for (const kind of Object.keys(codecs) as Kind[]) await load(kind)
  const remember = <K extends Kind>(kind: K, id: string, value: Kinds[K] | undefined): void => {
    if (value === undefined) maps[kind].delete(id)
    else maps[kind].set(id, value)
  }
  return {
    ...maps,
    headsOf: vault => [...maps.head.values()].filter(head => head.vault === vault),
    async write (changes, { durable, others = [] }) {
      const written = changes.map(change => toRecord(change))
      await records.write([...others, ...written], { durable })
      for (const change of changes) remember(change.kind, change.id, change.value)
    }
  }
}

function toRecord (change: RegistryChange): RecordChange {
  const key = `${PREFIX}${change.kind}/${change.id}`
  if (change.value === undefined) return { key, value: undefined }
  const codec = codecs[change.kind] as Codec<unknown>
  return { key, value: encode(codec.toMap(change.value)) }
}

import {
  CorruptBlockError, InvalidArgumentError, LimitExceededError, UnauthorisedError, checkCidKind, compareBytes, equalBytes, verifySignature,
  type CallOptions, type HeadName, type HoldfastError, isHoldfastError
} from '@holdfast/protocol'
import { generateKeyPairFromSeed, publicKeyFromMultihash, publicKeyFromProtobuf, publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { createIPNSRecordWithExpiration, marshalIPNSRecord, multihashToIPNSRoutingKey, unmarshalIPNSRecord, type IPNSRecord } from 'ipns'
import { base36 } from 'multiformats/bases/base36'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { MAX_RECORD_BYTES } from './limits.js'

const LIBP2P_KEY = 0x72
const IDENTITY = 0x00
const SIGNATURE_PREFIX = new TextEncoder().encode('ipns-signature:')

/** HEAD-1: what an IPNS record says. */
export interface HeadRecord {
  readonly root: CID
  /** The root's counter. */
  readonly sequence: bigint
  /** Milliseconds since the Unix epoch; the caller's clock decides whether that has passed. */
  readonly validUntil: number
}

export interface HeadRecordOptions {
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  /** How long others keep and serve the record. Milliseconds. */
  readonly lifetimeMs: number
  /** How long caches may answer with it without asking again. Milliseconds. */
  readonly ttlMs: number
}

/** HEAD-1: the name of an Ed25519 public key (32 bytes): CIDv1, libp2p-key, base36, `k51…`. */
export function headNameOf (publicKey: Uint8Array): HeadName {
  if (publicKey.length !== 32) throw new InvalidArgumentError(`a head key has 32 bytes, not ${publicKey.length}`)
  return peerIdFromPublicKey(publicKeyFromRaw(publicKey)).toCID().toString(base36) as HeadName
}

/** The Ed25519 public key (32 bytes) that a name stands for. Throws InvalidArgumentError for anything but a canonical `k51…`. */
export function headKeyOf (name: string): Uint8Array {
  const wrong = (): InvalidArgumentError => new InvalidArgumentError('not the name of an Ed25519 head', 'A head name begins with k51; copy it whole.', { name: name.slice(0, 100) })
  let key: Uint8Array
  try {
    const cid = CID.parse(name, base36)
    if (cid.code !== LIBP2P_KEY || cid.multihash.code !== IDENTITY) throw wrong()
    const publicKey = publicKeyFromMultihash(Digest.create(IDENTITY, cid.multihash.digest))
    if (publicKey.type !== 'Ed25519') throw wrong()
    key = publicKey.raw
  } catch {
    throw wrong()
  }
  // One key has one name, or the same head could be registered under two.
  if (headNameOf(key) !== name) throw wrong()
  return key
}

/** Checks text from outside. Throws InvalidArgumentError. */
export function parseHeadName (text: string): HeadName {
  return headNameOf(headKeyOf(text))
}

/** The key under which IPNS routers store the record: `/ipns/` and the name's multihash, as bytes. */
export const routingKeyOf = (name: HeadName): Uint8Array => multihashToIPNSRoutingKey(publicKeyFromRaw(headKeyOf(name)).toMultihash() as Digest.Digest<0x00, number>)

/** HEAD-1: signs an IPNS record (V1 and V2) for a root with the head's 32-byte Ed25519 seed. */
export async function createHeadRecord (seed: Uint8Array, root: CID, sequence: bigint, options: HeadRecordOptions): Promise<Uint8Array> {
  const key = await generateKeyPairFromSeed('Ed25519', seed)
  const expiration = new Date(options.now + options.lifetimeMs).toISOString()
  const record = await createIPNSRecordWithExpiration(key, `/ipfs/${root.toString()}`, sequence, expiration, { ttlNs: BigInt(options.ttlMs) * 1_000_000n, v1Compatible: true })
  return marshalIPNSRecord(record)
}

/**
 * HEAD-1: reads an untrusted IPNS record: size, shape, and the V2 signature by the name's key
 * (https://specs.ipfs.tech/ipns/ipns-record/#record-verification), all but the expiry, since time is the caller's.
 * Throws UnauthorisedError for another signer, CorruptBlockError, LimitExceededError.
 */
export async function readHeadRecord (name: HeadName, record: Uint8Array): Promise<HeadRecord> {
  if (record.length > MAX_RECORD_BYTES) throw new LimitExceededError('IPNS record size', record.length, MAX_RECORD_BYTES)
  const key = headKeyOf(name)
  const parsed = parseRecord(record)
  const signed = new Uint8Array([...SIGNATURE_PREFIX, ...parsed.data])
  if (!embeddedKeyMatches(parsed, key) || !await verifySignature(key, signed, parsed.signatureV2)) {
    throw new UnauthorisedError('an IPNS record is not signed by the key of its name', 'It was forged or damaged on the way and has been refused. Nothing was changed.', { name })
  }
  const validUntil = Date.parse(parsed.validity)
  if (!Number.isFinite(validUntil)) throw new CorruptBlockError('an IPNS record has a wrong expiry')
  if (typeof parsed.sequence !== 'bigint' || parsed.sequence < 0n || parsed.sequence > BigInt(Number.MAX_SAFE_INTEGER)) throw new CorruptBlockError('an IPNS record has a wrong sequence')
  return { root: rootOf(parsed.value), sequence: parsed.sequence, validUntil }
}

function parseRecord (record: Uint8Array): IPNSRecord {
  try { return unmarshalIPNSRecord(record) } catch (cause) { throw new CorruptBlockError('not an IPNS record', {}, { cause }) }
}

function embeddedKeyMatches (record: IPNSRecord, key: Uint8Array): boolean {
  if (record.pubKey === undefined || record.pubKey.length === 0) return true
  try { return equalBytes(publicKeyFromProtobuf(record.pubKey).raw, key) } catch { return false }
}

function rootOf (value: string): CID {
  const [, cid] = /^\/ipfs\/(b[a-z2-7]+)$/.exec(value) ?? []
  if (cid === undefined) throw new CorruptBlockError('an IPNS record points to something other than a root', { value: value.slice(0, 200) })
  try {
    const root = CID.parse(cid)
    checkCidKind(root)
    return root
  } catch (cause) {
    throw new CorruptBlockError('an IPNS record points to something other than a root', { value: value.slice(0, 200) }, { cause })
  }
}

export interface ResolvedHead { readonly newest: (HeadRecord & { readonly record: Uint8Array }) | null, readonly refused: readonly HoldfastError[] }

/**
 * The newest of the records that several routes gave for one name: greatest sequence, then latest expiry, then
 * greatest bytes, as IPNS says. What does not verify is left out and reported.
 */
export async function resolveNewest (name: HeadName, records: readonly Uint8Array[], options: CallOptions = {}): Promise<ResolvedHead> {
  let newest: ResolvedHead['newest'] = null
  const refused: HoldfastError[] = []
  for (const record of records) {
    options.signal?.throwIfAborted()
    try {
      const found = { ...await readHeadRecord(name, record), record }
      if (newest === null || compareRecords(found, newest) > 0) newest = found
    } catch (error) {
      if (!isHoldfastError(error)) throw error
      refused.push(error)
    }
  }
  return { newest, refused }
}

function compareRecords (a: HeadRecord & { record: Uint8Array }, b: HeadRecord & { record: Uint8Array }): number {
  if (a.sequence !== b.sequence) return a.sequence > b.sequence ? 1 : -1
  return a.validUntil - b.validUntil || compareBytes(a.record, b.record)
}

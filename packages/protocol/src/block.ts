import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { CorruptBlockError, InvalidArgumentError, LimitExceededError, UnknownVersionError } from './errors.js'
import type { BlockId } from './ids.js'
import { MAX_BLOCK_BYTES, MAX_BLOCK_LINKS } from './limits.js'

/** A sealed or signed piece with its CID. CIDv1, sha2-256, `raw` or `dag-cbor`. */
export interface Block { readonly cid: CID, readonly bytes: Uint8Array }

export const RAW = raw.code
export const DAG_CBOR = dagCbor.code
const SHA2_256 = sha256.code

export const blockId = (cid: CID): BlockId => cid.toString() as BlockId
export const parseCid = (text: string): CID => {
  try { return CID.parse(text) } catch (cause) { throw new InvalidArgumentError('not a CID', 'Copy the whole CID.', { text, cause }) }
}

/** Names bytes as a block. Throws LimitExceededError over 1 MiB. */
export async function createBlock (codec: typeof RAW | typeof DAG_CBOR, bytes: Uint8Array): Promise<Block> {
  if (bytes.length > MAX_BLOCK_BYTES) throw new LimitExceededError('block size', bytes.length, MAX_BLOCK_BYTES)
  return { cid: CID.createV1(codec, await sha256.digest(bytes)), bytes }
}

/** Encodes a value as DAG-CBOR. */
export const encode = (value: unknown): Uint8Array => dagCbor.encode(value)

/** Decodes DAG-CBOR of unknown origin; the caller still has to check the shape. Throws CorruptBlockError. */
export function decode (bytes: Uint8Array, what = 'block'): unknown {
  try { return dagCbor.decode(bytes) } catch (cause) { throw new CorruptBlockError(`${what} is not DAG-CBOR`, {}, { cause }) }
}

/** Encodes a structured value as a block. */
export const encodeBlock = async (value: unknown): Promise<Block> => createBlock(DAG_CBOR, encode(value))

/**
 * Checks that bytes are what their CID says, before anything stores or reads them (ANN-2).
 * Throws CorruptBlockError for another hash, InvalidArgumentError for a CID of a kind that Holdfast never makes.
 */
export async function checkBlock (cid: CID, bytes: Uint8Array): Promise<Block> {
  checkCidKind(cid)
  if (bytes.length > MAX_BLOCK_BYTES) throw new LimitExceededError('block size', bytes.length, MAX_BLOCK_BYTES)
  const digest = await sha256.digest(bytes)
  if (!equalBytes(digest.digest, cid.multihash.digest)) throw new CorruptBlockError(`block ${cid.toString()} has other bytes than its CID says`, { cid: cid.toString() })
  return { cid, bytes }
}

/** Refuses CIDs that are not CIDv1, sha2-256, raw or dag-cbor. */
export function checkCidKind (cid: CID): void {
  if (cid.version !== 1 || cid.multihash.code !== SHA2_256 || (cid.code !== RAW && cid.code !== DAG_CBOR)) {
    throw new InvalidArgumentError(`CID ${cid.toString()} is not CIDv1 sha2-256 raw or dag-cbor`, 'Holdfast makes only such blocks; this one is not of a vault.', { cid: cid.toString() })
  }
}

/** Every CID that a block links to, in order; none for raw blocks. Throws CorruptBlockError, LimitExceededError. */
export function blockLinks (block: Block): CID[] {
  if (block.cid.code === RAW) return []
  const links: CID[] = []
  const visit = (value: unknown): void => {
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return
    const cid = CID.asCID(value)
    if (cid !== null) {
      links.push(cid)
      if (links.length > MAX_BLOCK_LINKS) throw new LimitExceededError('links in a block', links.length, MAX_BLOCK_LINKS)
      return
    }
    for (const child of Object.values(value)) visit(child)
  }
  visit(decode(block.bytes, `block ${block.cid.toString()}`))
  return links
}

export function equalBytes (a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Lexicographic order of bytes: negative, zero or positive. */
export function compareBytes (a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

/** Refuses a structure whose `v` is not the version that this program reads. */
export function checkVersion (what: string, value: unknown, known: number): asserts value is Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new CorruptBlockError(`${what} is not a map`)
  const version = (value as Record<string, unknown>)['v']
  if (version !== known) throw new UnknownVersionError(what, version, known)
}

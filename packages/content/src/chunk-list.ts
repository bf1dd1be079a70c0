import { CorruptBlockError, DAG_CBOR, fieldReader, MAX_SINGLE_CHUNK_BYTES, RAW } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { MAX_CHUNK_BYTES } from './cutter.js'
import { MAX_LIST_ENTRIES, type OpenList } from './sealed-block.js'

/** A chunk, or an index block over chunks: where it is, what opens it, and how many bytes of the file it covers. */
export interface ListEntry { readonly cid: CID, readonly key: Uint8Array, readonly length: number }

/** Depth 1: the entries are chunks. Depth n: index blocks of depth n - 1. */
export interface ChunkList { readonly depth: number, readonly entries: readonly ListEntry[] }

/** More levels than any file has: each holds at least 16 times as much as the one below. */
export const MAX_DEPTH = 12
/** A list longer than this is split into index blocks. */
export const MAX_UNSPLIT_ENTRIES = 64
const MIN_GROUP_ENTRIES = 16
const KEY_BYTES = 32

/** Content-defined grouping, as for chunks: a group ends after its 16th or later entry whose key's last byte has six zero bits, at the latest after 256. */
export const endsGroup = (entry: ListEntry, count: number): boolean =>
  count >= MAX_LIST_ENTRIES || (count >= MIN_GROUP_ENTRIES && (entry.key[KEY_BYTES - 1]! & 0x3f) === 0)

export const sumOf = (entries: readonly ListEntry[]): number => entries.reduce((sum, entry) => sum + entry.length, 0)

/** The secret half of a list, in the order of the links: 32 bytes of key each, and the length each covers. */
export const sealedListOf = (entries: readonly ListEntry[]): { keys: Uint8Array, lengths: number[] } =>
  ({ keys: keysOf(entries), lengths: entries.map(entry => entry.length) })

export function keysOf (entries: readonly ListEntry[]): Uint8Array {
  const keys = new Uint8Array(entries.length * KEY_BYTES)
  for (const [i, entry] of entries.entries()) keys.set(entry.key, i * KEY_BYTES)
  return keys
}

/** CHK-4: reads a list back and checks that its halves fit each other and cover `size` bytes. Throws CorruptBlockError, LimitExceededError. */
export function readList (what: string, list: OpenList, depth: number, size: number): ListEntry[] {
  const fields = fieldReader(what, list.value)
  const lengths = fields.array('lengths', MAX_LIST_ENTRIES)
  if (lengths.length === 0 || lengths.length !== list.links.length) throw new CorruptBlockError(`${what} links to ${list.links.length} blocks where it has ${lengths.length}`)
  const keys = fields.bytes('keys', lengths.length * KEY_BYTES)
  const longest = depth > 1 ? Number.MAX_SAFE_INTEGER : Math.max(MAX_CHUNK_BYTES, MAX_SINGLE_CHUNK_BYTES)
  const entries = list.links.map((cid, i) => {
    const length = lengths[i]
    if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 1 || length > longest) throw new CorruptBlockError(`${what} has a part of an impossible length`)
    if (cid.code !== (depth > 1 ? DAG_CBOR : RAW)) throw new CorruptBlockError(`${what} links to a block of another kind`)
    return { cid, key: keys.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES), length }
  })
  if (sumOf(entries) !== size) throw new CorruptBlockError(`${what} covers ${sumOf(entries)} bytes where ${size} were promised`)
  return entries
}

import { CorruptBlockError, deviceId, fieldReader, fromHex, InvalidArgumentError, MAX_INLINE_FILE_BYTES } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { MAX_DEPTH, readList, sealedListOf, type ChunkList, type ListEntry } from './chunk-list.js'
import type { OpenList } from './sealed-block.js'
import type { FileFacts, FileRef } from './types.js'

/** Where a file's contents are: in the file node itself, or in chunks. */
export type Body = { readonly data: Uint8Array } | ChunkList

/** MAN-6: versions that one version may replace. */
const MAX_PREVIOUS = 64
const MAX_MODE = 0o7777
const KEY_BYTES = 32

/** Throws InvalidArgumentError for facts that could not be read back. */
export function checkFacts (facts: FileFacts): void {
  const whole = (name: string, value: number, least: number, most: number): void => {
    if (!Number.isSafeInteger(value) || value < least || value > most) throw new InvalidArgumentError(`a file cannot have the ${name} ${value}`)
  }
  if (!Number.isFinite(facts.modified)) throw new InvalidArgumentError(`a file cannot have the modification time ${facts.modified}`)
  whole('time of writing', facts.at, 0, Number.MAX_SAFE_INTEGER)
  whole('mode', facts.mode, 0, MAX_MODE)
  whole('number of previous versions', facts.previous.length, 0, MAX_PREVIOUS)
  if (facts.previous.some(ref => ref.key.length !== KEY_BYTES)) throw new InvalidArgumentError('a file key has 32 bytes')
}

/** The secret half of a file node, as DAG-CBOR values. `previous` is here and is no link: pinning one version does not pin all before it. */
export function describe (facts: FileFacts, size: number, body: Body): Record<string, unknown> {
  return {
    size,
    modified: facts.modified,
    mode: facts.mode,
    at: facts.at,
    by: facts.by === null ? null : fromHex(facts.by),
    previous: facts.previous.map(ref => [ref.node, ref.key]),
    ...('data' in body ? { depth: 0, data: body.data } : { depth: body.depth, ...sealedListOf(body.entries) })
  }
}

/** Reads a file node's secret half, checked against its links. Throws CorruptBlockError, LimitExceededError. */
export function readDescription (node: OpenList): { facts: FileFacts, size: number, body: Body } {
  const fields = fieldReader('file node', node.value)
  const size = fields.integer('size')
  const depth = fields.integer('depth', 0, MAX_DEPTH)
  const facts: FileFacts = {
    modified: fields.number('modified'),
    mode: fields.integer('mode', 0, MAX_MODE),
    at: fields.integer('at'),
    by: isNull(node.value, 'by') ? null : deviceId(fields.bytes('by', 32)),
    previous: fields.array('previous', MAX_PREVIOUS).map(readRef)
  }
  if (depth > 0) return { facts, size, body: { depth, entries: readList('file node', node, depth, size) as readonly ListEntry[] } }
  const data = fields.bytes('data', size)
  if (size > MAX_INLINE_FILE_BYTES || node.links.length > 0) throw new CorruptBlockError('a file node holds contents and links, or more contents than it may')
  return { facts, size, body: { data } }
}

const isNull = (value: unknown, name: string): boolean => (value as Record<string, unknown>)[name] === null

function readRef (value: unknown): FileRef {
  const [link, key] = Array.isArray(value) && value.length === 2 ? value as unknown[] : []
  const node = CID.asCID(link)
  if (node === null || !(key instanceof Uint8Array) || key.length !== KEY_BYTES) throw new CorruptBlockError('a file node names a previous version that is none')
  return { node, key }
}

import { InvalidArgumentError, MAX_SINGLE_CHUNK_BYTES, type CallOptions } from '@holdfast/protocol'
import { readList, type ChunkList, type ListEntry } from './chunk-list.js'
import { readDescription } from './description.js'
import { readAhead } from './read-ahead.js'
import { digestOf, type FileParts } from './seal-file.js'
import type { BlockFetch, ByteRange, FileRef, OpenFile } from './types.js'

/** Chunks, and index blocks, that are fetched before they are needed. */
const CHUNKS_AHEAD = 8
const INDEX_BLOCKS_AHEAD = 2

/** Part of a file: bytes from `from` up to `to`, counted from where the list, or entry, that it is about begins. */
interface Span { readonly from: number, readonly to: number }
interface EntrySpan extends Span { readonly entry: ListEntry }

export async function openFile (parts: FileParts, ref: FileRef, fetch: BlockFetch, options: CallOptions = {}): Promise<OpenFile> {
  options.signal?.throwIfAborted()
  if (ref.key.length !== 32) throw new InvalidArgumentError('a file key has 32 bytes')
  const node = await parts.sealer.openList('file node', parts.keys.node, { cid: ref.node, key: ref.key }, await fetch(ref.node, options))
  const { facts, size, body } = readDescription(node)
  const description = { ...facts, size, digest: await digestOf(parts, size, body) }
  return {
    description,
    size,
    async * read (range = {}, readOptions = {}) {
      const span = clamp(range, size)
      readOptions.signal?.throwIfAborted()
      if (span.from === span.to) return
      if ('data' in body) yield body.data.slice(span.from, span.to)
      else yield * readChunks({ parts, fetch, size }, body, span, readOptions)
    }
  }
}

function clamp ({ offset = 0, length = Number.MAX_SAFE_INTEGER }: ByteRange, size: number): Span {
  for (const value of [offset, length]) if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError(`${value} is no place in a file`)
  const from = Math.min(offset, size)
  return { from, to: from + Math.min(length, size - from) }
}

interface Reading { readonly parts: FileParts, readonly fetch: BlockFetch, readonly size: number }

async function * readChunks (reading: Reading, list: ChunkList, span: Span, options: CallOptions): AsyncGenerator<Uint8Array> {
  const { parts, fetch } = reading
  const kind = reading.size > MAX_SINGLE_CHUNK_BYTES ? 'chunk' : 'file'
  // What was fetched ahead and is not wanted any more, because the reader stopped, is given up.
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  const openChunk = async ({ entry, from, to }: EntrySpan): Promise<Uint8Array> => {
    const plaintext = await parts.sealer.openChunk(entry, await fetch(entry.cid, { signal }), kind)
    return plaintext.subarray(from, to)
  }
  try {
    for await (const bytes of readAhead(chunkSpans(reading, list, span, { signal }), CHUNKS_AHEAD, openChunk)) {
      options.signal?.throwIfAborted()
      yield bytes
    }
  } finally {
    stop.abort()
  }
}

/** The chunks that a span touches, in order, from the index blocks above them. */
async function * chunkSpans (reading: Reading, list: ChunkList, span: Span, options: CallOptions): AsyncGenerator<EntrySpan> {
  const spans = spansOf(list.entries, span)
  if (list.depth === 1) { yield * spans; return }
  const openIndex = async ({ entry, from, to }: EntrySpan): Promise<{ list: ChunkList, span: Span }> =>
    ({ list: await readIndex(reading, entry, list.depth - 1, options), span: { from, to } })
  for await (const below of readAhead(spans, INDEX_BLOCKS_AHEAD, openIndex)) yield * chunkSpans(reading, below.list, below.span, options)
}

async function readIndex ({ parts, fetch }: Reading, entry: ListEntry, depth: number, options: CallOptions): Promise<ChunkList> {
  const open = await parts.sealer.openList('index block', parts.keys.index, entry, await fetch(entry.cid, options))
  return { depth, entries: readList('index block', open, depth, entry.length) }
}

function spansOf (entries: readonly ListEntry[], { from, to }: Span): EntrySpan[] {
  const spans: EntrySpan[] = []
  let start = 0
  for (const entry of entries) {
    const span = { entry, from: Math.max(0, from - start), to: Math.min(entry.length, to - start) }
    if (span.from < span.to) spans.push(span)
    start += entry.length
  }
  return spans
}

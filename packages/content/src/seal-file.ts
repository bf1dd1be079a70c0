import type { Primitives } from '@holdfast/crypto'
import { encode, MAX_INLINE_FILE_BYTES, MAX_SINGLE_CHUNK_BYTES, type Block, type ProgressOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { createBatcher, type Batcher } from './batcher.js'
import { maxChunkAt, type Cutter } from './cutter.js'
import { keysOf, type ListEntry } from './chunk-list.js'
import { checkFacts, describe, type Body } from './description.js'
import { createListBuilder } from './list-builder.js'
import { createOrderedQueue } from './ordered-queue.js'
import type { Sealer, SealedBlock } from './sealed-block.js'
import type { BlockSink, FileFacts, FileKeys, SealedFile, Source } from './types.js'
import { createWindow, type Window } from './window.js'

export interface FileParts { readonly primitives: Primitives, readonly keys: FileKeys, readonly sealer: Sealer, readonly cut: Cutter }

/** Chunks that are sealed at once. */
const CHUNKS_IN_FLIGHT = 8
const LARGE_WINDOW_BYTES = 4 << 20
const UNKNOWN_SIZE_WINDOW_BYTES = 64 << 10

const windowFor = (size = UNKNOWN_SIZE_WINDOW_BYTES): number => size > MAX_SINGLE_CHUNK_BYTES ? LARGE_WINDOW_BYTES : Math.max(size, 1)

export async function sealFile (parts: FileParts, source: Source, facts: FileFacts & { size?: number }, sink: BlockSink, options: ProgressOptions = {}): Promise<SealedFile> {
  checkFacts(facts)
  options.signal?.throwIfAborted()
  const window = createWindow(source, windowFor(facts.size))
  const batcher = createBatcher(sink)
  try {
    await window.fill(MAX_SINGLE_CHUNK_BYTES + 1)
    const { body, size } = await sealBody(parts, window, batcher, options, facts.size)
    const node = await parts.sealer.sealList(parts.keys.node, 'data' in body ? [] : body.entries.map(entry => entry.cid), describe(facts, size, body))
    options.signal?.throwIfAborted()
    await batcher.add([node.block])
    await batcher.finish()
    return { ref: { node: node.block.cid, key: node.key }, size, digest: await digestOf(parts, size, body) }
  } finally {
    await Promise.all([batcher.settle(), window.close()])
  }
}

/** Equal for equal contents, however they came: cutting depends on the contents alone, and so does every key. */
export const digestOf = async ({ primitives, keys }: Pick<FileParts, 'primitives' | 'keys'>, size: number, body: Body): Promise<Uint8Array> =>
  'data' in body ? primitives.hmacSha256(keys.inlineDigest, body.data) : primitives.hmacSha256(keys.listDigest, encode([size, body.depth, keysOf(body.entries)]))

async function sealBody (parts: FileParts, window: Window, batcher: Batcher, options: ProgressOptions, total: number | undefined): Promise<{ body: Body, size: number }> {
  const size = window.end - window.start
  const progress = (done: number): void => options.onProgress?.(total === undefined ? { done } : { done, total })
  if (size > MAX_SINGLE_CHUNK_BYTES) return sealChunks(parts, window, batcher, options, progress)
  const contents = window.bytes.subarray(window.start, window.end)
  progress(size)
  if (size <= MAX_INLINE_FILE_BYTES) return { body: { data: contents }, size }
  const { block, key } = await parts.sealer.sealChunk(contents, 'file')
  await batcher.add([block])
  return { body: { depth: 1, entries: [{ cid: block.cid, key, length: size }] }, size }
}

async function sealChunks (parts: FileParts, window: Window, batcher: Batcher, options: ProgressOptions, progress: (done: number) => void): Promise<{ body: Body, size: number }> {
  const list = createListBuilder(parts.sealer, parts.keys)
  let done = 0
  let last: CID | undefined
  const queue = createOrderedQueue<{ entry: ListEntry, block: Block }>(CHUNKS_IN_FLIGHT, async ({ entry, block }) => {
    // Long runs of zeros give the same chunk again and again: one block is enough.
    const repeated = last?.equals(block.cid) ?? false
    last = block.cid
    await batcher.add([...(repeated ? [] : [block]), ...await list.add(entry)])
    done += entry.length
    progress(done)
  })
  try {
    for (let offset = 0; ; options.signal?.throwIfAborted()) {
      await window.fill(maxChunkAt(offset))
      if (window.end === window.start) break
      const length = parts.cut(window.bytes, window.start, window.end, offset)
      await queue.add(toEntry(parts.sealer.sealChunk(window.bytes.subarray(window.start, window.start + length), 'chunk'), length))
      window.drop(length)
      offset += length
    }
    await queue.finish()
  } finally {
    await queue.settle()
  }
  const { list: body, blocks } = await list.finish()
  await batcher.add(blocks)
  return { body, size: done }
}

async function toEntry (sealing: Promise<SealedBlock>, length: number): Promise<{ entry: ListEntry, block: Block }> {
  const { block, key } = await sealing
  return { entry: { cid: block.cid, key, length }, block }
}

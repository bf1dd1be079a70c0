import { LimitExceededError, MAX_BLOCK_BYTES, type Block, type ProgressOptions } from '@holdfast/protocol'
import { carHeader, carSection } from './car.js'
import type { Session } from './session.js'

/** Bytes of blocks in one request: browsers do not stream request bodies over HTTP/1.1, so this much is held for each. */
export const PART_BYTES = 4 << 20
/** Small blocks cost the node more than their bytes. */
const PART_BLOCKS = 1_000
const PARTS_IN_FLIGHT = 3
/** A part over a line of 30 KB/s takes this long. Milliseconds. */
const PART_TIMEOUT_MS = 150_000

/** Sends blocks as CARs in parts, several at a time, as Kubo's `dag/import` takes them. Stops at the first part that fails. */
export async function upload (session: Session, blocks: AsyncIterable<Block> | Iterable<Block>, { signal, onProgress }: ProgressOptions): Promise<void> {
  const failed = new AbortController()
  const ending = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal])
  const inFlight = new Set<Promise<void>>()
  let done = 0
  const send = async (part: readonly Block[]): Promise<void> => {
    try {
      await sendPart(session, part, ending)
      done += part.reduce((sum, block) => sum + block.bytes.length, 0)
      onProgress?.({ done })
    } catch (error) {
      failed.abort(error)
      throw error
    }
  }
  try {
    for await (const part of parts(blocks)) {
      if (inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(inFlight)
      ending.throwIfAborted()
      const sending: Promise<void> = send(part).finally(() => { inFlight.delete(sending) })
      // Awaited below, or by the race above; until then a failure is held by `failed`.
      sending.catch(() => undefined)
      inFlight.add(sending)
    }
    await Promise.all(inFlight)
    ending.throwIfAborted()
  } catch (error) {
    failed.abort(error)
    await Promise.allSettled(inFlight)
    throw failed.signal.reason
  }
}

async function * parts (blocks: AsyncIterable<Block> | Iterable<Block>): AsyncGenerator<Block[]> {
  let part: Block[] = []
  let size = 0
  for await (const block of blocks) {
    if (block.bytes.length > MAX_BLOCK_BYTES) throw new LimitExceededError('block size', block.bytes.length, MAX_BLOCK_BYTES)
    if (part.length > 0 && (size + block.bytes.length > PART_BYTES || part.length >= PART_BLOCKS)) {
      yield part
      part = []
      size = 0
    }
    part.push(block)
    size += block.bytes.length
  }
  if (part.length > 0) yield part
}

async function sendPart (session: Session, part: readonly Block[], signal: AbortSignal): Promise<void> {
  // Random, so that no sealed bytes can hold it.
  const boundary = `holdfast-${crypto.randomUUID()}`
  const body = new Blob([
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="blocks.car"\r\nContent-Type: application/vnd.ipld.car\r\n\r\n`,
    carHeader() as BlobPart, ...part.flatMap(block => carSection(block) as BlobPart[]),
    `\r\n--${boundary}--\r\n`
  ])
  const answer = await session.ask({ method: 'POST', path: '/api/v0/dag/import?pin-roots=false', body, type: `multipart/form-data; boundary=${boundary}`, signal, timeoutMs: PART_TIMEOUT_MS })
  await answer.all(1 << 20)
}

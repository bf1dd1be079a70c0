import { decode, LimitExceededError } from '@holdfast/protocol'
import type { IncomingMessage } from 'node:http'

/** Bodies of our own small requests. Bytes. */
export const MAX_REQUEST_BYTES = 64 << 10
/** A list of MAX_BLOCKS_PER_REQUEST CIDs, and room to spare. Bytes. */
export const MAX_BLOCK_LIST_BYTES = 256 << 10

/** The whole of a body that has to be small. Throws LimitExceededError as soon as it is not. */
export async function readBody (source: AsyncIterable<Uint8Array>, limit: number, what = 'request body'): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of source) {
    length += part.length
    if (length > limit) throw new LimitExceededError(what, length, limit)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** A DAG-CBOR body. Throws CorruptBlockError, LimitExceededError. */
export const readDagCbor = async (request: IncomingMessage, limit = MAX_REQUEST_BYTES): Promise<unknown> => decode(await readBody(request, limit), 'request body')

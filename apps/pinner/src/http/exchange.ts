import { encode } from '@holdfast/protocol'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Principal } from '../core/index.js'

/** One request and its response. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  readonly principal: Principal
  /** Ends when the other side goes away. */
  readonly signal: AbortSignal
  /** Parts of the path that the route names. */
  readonly params: Readonly<Record<string, string>>
}
export type Handler = (exchange: Exchange) => Promise<void>

export const DAG_CBOR_TYPE = 'application/vnd.ipld.dag-cbor'
export const CAR_TYPE = 'application/vnd.ipld.car'
export const RAW_TYPE = 'application/vnd.ipld.raw'
export const IPNS_TYPE = 'application/vnd.ipfs.ipns-record'

export function sendBytes (response: ServerResponse, status: number, type: string, bytes: Uint8Array, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length, ...headers })
  response.end(bytes)
}
export const sendDagCbor = (response: ServerResponse, status: number, value: unknown): void => { sendBytes(response, status, DAG_CBOR_TYPE, encode(value)) }
export const sendJson = (response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void => { sendBytes(response, status, 'application/json', Buffer.from(`${JSON.stringify(value)}\n`), headers) }
export const sendNothing = (response: ServerResponse): void => {
  response.writeHead(204)
  response.end()
}

/** Sends pieces as fast as the other side takes them. The first is made before the headers go, so that errors still get a status. */
export async function sendStream ({ response, signal }: Exchange, type: string, pieces: AsyncGenerator<Uint8Array>, headers: Record<string, string> = {}): Promise<void> {
  try {
    let next = await pieces.next()
    response.writeHead(200, { 'content-type': type, ...headers })
    for (; next.done !== true; next = await pieces.next()) {
      signal.throwIfAborted()
      if (!response.write(next.value)) await once(response, 'drain', { signal })
    }
    response.end()
  } finally { await pieces.return(undefined) }
}

/** Objects as JSON, one a line. */
export async function * jsonLines (values: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const value of values) yield Buffer.from(`${JSON.stringify(value)}\n`)
}

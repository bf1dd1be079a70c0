import { UnauthorisedError, UnreachableError, type CallOptions } from '@holdfast/protocol'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { ClientInitiatedHandshake } from '@libp2p/http-peer-id-auth'
import { readAll, streamBody } from './body.js'
import { errorOf } from './errors.js'

export interface SessionOptions {
  /** Without a slash at the end. */
  readonly url: string
  readonly seed: Uint8Array
  /** Used instead of the key. */
  readonly apiKey?: string | undefined
  /** The node that has to be at this address. */
  readonly peerId?: string | undefined
  readonly fetch: typeof fetch
  /** For an answer to begin, from when the request was sent whole; and for more of it to come. Milliseconds. */
  readonly timeoutMs: number
}

export interface Ask extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** From the slash on. */
  readonly path: string
  readonly body?: Uint8Array | Blob
  readonly type?: string
  readonly accept?: string
  /** Statuses that are answers, not errors. */
  readonly expect?: readonly number[]
  /** For bodies that take long to send. Milliseconds. */
  readonly timeoutMs?: number
}

export interface Answer {
  readonly status: number
  pieces (): AsyncGenerator<Uint8Array>
  all (limit: number): Promise<Uint8Array>
}

/** Requests to one node, each proving the key (libp2p HTTP peer id authentication, begun by the client) or carrying the API key. */
export interface Session { ask (ask: Ask): Promise<Answer> }

const MAX_ERROR_BYTES = 64 << 10

export function createSession (options: SessionOptions): Session {
  const { url, fetch: send } = options
  const where = url
  /** The handshake's bearer token; requests at the same time share one handshake. */
  let authorisation: Promise<string> | null = options.apiKey === undefined ? null : Promise.resolve(`Bearer ${options.apiKey}`)

  const request = async (ask: Ask, authorization: string): Promise<{ response: Response, pieces: () => AsyncGenerator<Uint8Array> }> => {
    const giveUp = new AbortController()
    const signal = ask.signal === undefined ? giveUp.signal : AbortSignal.any([ask.signal, giveUp.signal])
    const abort = (reason: Error): void => { giveUp.abort(reason) }
    const timer = setTimeout(() => { abort(new UnreachableError(where, { cause: new Error('no answer in time') })) }, ask.timeoutMs ?? options.timeoutMs)
    const headers: Record<string, string> = { authorization, ...(ask.accept === undefined ? {} : { accept: ask.accept }), ...(ask.type === undefined ? {} : { 'content-type': ask.type }) }
    try {
      ask.signal?.throwIfAborted()
      const response = await send(url + ask.path, { method: ask.method, headers, signal, redirect: 'error', credentials: 'omit', cache: 'no-store', ...(ask.body === undefined ? {} : { body: ask.body as BodyInit }) })
      return { response, pieces: () => streamBody(response, { where, idleMs: options.timeoutMs, signal: ask.signal, abort }) }
    } catch (cause) {
      ask.signal?.throwIfAborted()
      throw cause instanceof UnreachableError ? cause : new UnreachableError(where, { cause })
    } finally { clearTimeout(timer) }
  }
  const shakeHands = async (): Promise<string> => {
    const key = await generateKeyPairFromSeed('Ed25519', options.seed)
    const handshake = new ClientInitiatedHandshake(key, new URL(url).hostname, peer => options.peerId === undefined || peer.toString() === options.peerId)
    const challenged = await request({ method: 'GET', path: '/api/v1/auth' }, handshake.getChallenge())
    const body = await readAll(challenged.pieces(), MAX_ERROR_BYTES)
    const header = challenged.response.headers.get('www-authenticate')
    if (challenged.response.status !== 401 || header === null) throw errorOf(where, challenged.response.status, new TextDecoder().decode(body))
    const proof = await proving(where, options.peerId, async () => handshake.verifyServer(header))
    const proved = await request({ method: 'GET', path: '/api/v1/auth' }, proof)
    const info = proved.response.headers.get('authentication-info')
    const rest = await readAll(proved.pieces(), MAX_ERROR_BYTES)
    if (!proved.response.ok || info === null) throw errorOf(where, proved.response.status, new TextDecoder().decode(rest))
    return proving(where, options.peerId, async () => handshake.decodeBearerToken(info))
  }
  const authorise = async (): Promise<string> => {
    if (authorisation === null) {
      const fresh = shakeHands()
      authorisation = fresh
      fresh.catch(() => { if (authorisation === fresh) authorisation = null })
    }
    return authorisation
  }
  const attempt = async (ask: Ask, isLast: boolean): Promise<Answer | null> => {
    const used = authorise()
    const { response, pieces } = await request(ask, await used)
    if (response.ok || ask.expect?.includes(response.status) === true) return { status: response.status, pieces, all: async limit => readAll(pieces(), limit) }
    const body = await readAll(pieces(), MAX_ERROR_BYTES)
    if (response.status === 401 && options.apiKey === undefined && !isLast) {
      // The token ran out, or the node has a new key.
      authorisation = null
      return null
    }
    throw errorOf(where, response.status, new TextDecoder().decode(body))
  }
  return {
    ask: async ask => await attempt(ask, false) ?? (await attempt(ask, true))!
  }
}

/** Whatever fails in here means that the other side is not the node that it should be. */
async function proving<T> (where: string, peerId: string | undefined, step: () => Promise<T> | T): Promise<T> {
  try { return await step() } catch (cause) {
    throw new UnauthorisedError(`${where} did not prove to be ${peerId === undefined ? 'a Holdfast node' : `node ${peerId}`}`, 'Check the address. If the node was set up anew, pair it again.', { where, reason: cause instanceof Error ? cause.message : String(cause) })
  }
}

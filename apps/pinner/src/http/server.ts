import { isHoldfastError } from '@holdfast/protocol'
import { createServer as createPlainServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Pinner } from '../core/index.js'
import { NotAuthenticatedError, type Authenticator } from './auth.js'
import { allowOrigin, answerPreflight } from './cors.js'
import { answerError, isDisconnect } from './errors.js'
import { sendJson } from './exchange.js'
import { gatewayRoutes } from './gateway.js'
import { holdfastRoutes } from './holdfast-api.js'
import { kuboRoutes } from './kubo-api.js'
import type { Metrics } from './metrics.js'
import { createRouter, type Route } from './router.js'
import { routingRoutes } from './routing-api.js'

export interface ServerOptions {
  readonly pinner: Pinner
  readonly authenticator: Authenticator
  readonly metrics: Metrics
  readonly version: string
  /** Origins of pages that may use this node from a browser, such as `https://files.example.org`. */
  readonly allowedOrigins: readonly string[]
  readonly tls?: { readonly key: string | Uint8Array, readonly cert: string | Uint8Array }
  /** Told of failures inside, which callers are not. */
  readonly onError: (error: unknown) => void
}

/** A connection on which nothing moves for this long is closed. Milliseconds. */
const IDLE_MS = 120_000
/** Request headers have to be there by then. Milliseconds. */
const HEADERS_MS = 20_000

const health: Route = { method: 'GET', path: '/healthz', open: true, handle: async ({ response }) => { sendJson(response, 200, { status: 'ok' }) } }

/** The node's HTTP server: standards where there is one, our small API beside them (section 4, NODE). Not listening yet. */
export function createHttpServer (options: ServerOptions): Server {
  const { pinner, metrics } = options
  const route = createRouter([health, ...holdfastRoutes(pinner), ...gatewayRoutes(pinner), ...routingRoutes(pinner), ...kuboRoutes(pinner, options.version), ...metrics.routes])
  const origins = new Set(options.allowedOrigins)

  const answer = async (request: IncomingMessage, response: ServerResponse, note: (pattern: string) => void): Promise<void> => {
    allowOrigin(request, response, origins)
    if (answerPreflight(request, response)) return
    const gone = new AbortController()
    response.on('close', () => { gone.abort(Object.assign(new Error('the client went away'), { code: 'ABORT_ERR' })) })
    try {
      const url = new URL(request.url ?? '/', 'http://node')
      const { route: found, params } = route(request.method ?? 'GET', url.pathname)
      note(found.path)
      if (found.open === true) {
        await found.handle({ request, response, url, params, principal: { kind: 'stranger', key: new Uint8Array(32) }, signal: gone.signal })
        return
      }
      const { principal, headers } = await options.authenticator.authenticate(request)
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
      await found.handle({ request, response, url, params, principal, signal: gone.signal })
    } catch (error) { refuse(request, response, error, options.onError) }
  }
  const listener: RequestListener = (request, response) => {
    const begun = performance.now()
    let pattern = 'none'
    response.on('close', () => { metrics.observe(pattern, request.method ?? '', response.statusCode, (performance.now() - begun) / 1000) })
    answer(request, response, path => { pattern = path }).catch(options.onError)
  }
  // A whole request may take as long as it moves: uploads over slow lines do.
  const timeouts = { requestTimeout: 0, headersTimeout: HEADERS_MS, keepAliveTimeout: 10_000 }
  const server = options.tls === undefined
    ? createPlainServer(timeouts, listener)
    : createTlsServer({ ...timeouts, key: options.tls.key as Buffer, cert: options.tls.cert as Buffer }, listener)
  server.setTimeout(IDLE_MS)
  return server
}

function refuse (request: IncomingMessage, response: ServerResponse, error: unknown, onError: (error: unknown) => void): void {
  if (isDisconnect(error) || response.destroyed) {
    response.destroy()
    return
  }
  if (!isHoldfastError(error)) onError(error)
  // In the middle of a stream there is no status left to send: a cut connection is what tells the client.
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, body } = answerError(error)
  if (error instanceof NotAuthenticatedError) response.setHeader('www-authenticate', error.challenge)
  // What is left of the body is not read, so the connection cannot serve another request.
  if (!request.complete) response.setHeader('connection', 'close')
  sendJson(response, status, body)
  if (!request.complete) discardRest(request, response)
}

/** How much of a refused body is read and thrown away, so that the client gets to read why. Bytes. */
const DISCARD_BYTES = 16 << 20

/** A client that is still sending sees a reset instead of the answer when the connection closes under it. */
function discardRest (request: IncomingMessage, response: ServerResponse): void {
  let left = DISCARD_BYTES
  request.removeAllListeners('data')
  request.unpipe()
  request.on('data', (part: Uint8Array) => {
    left -= part.length
    if (left < 0) response.destroy()
  })
  request.on('error', () => { response.destroy() })
  request.resume()
}

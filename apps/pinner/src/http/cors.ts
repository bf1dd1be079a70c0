import type { IncomingMessage, ServerResponse } from 'node:http'

/** Browsers ask from pages of these origins and no others. Null: not a cross-origin request, or one that may not read the answer. */
export function allowOrigin (request: IncomingMessage, response: ServerResponse, origins: ReadonlySet<string>): void {
  response.setHeader('vary', 'Origin')
  const origin = request.headers.origin
  if (origin === undefined || !origins.has(origin)) return
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader('access-control-expose-headers', 'WWW-Authenticate, Authentication-Info, ETag')
}

/** True when it was a preflight, which is then answered. */
export function answerPreflight (request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method !== 'OPTIONS') return false
  if (response.hasHeader('access-control-allow-origin')) {
    response.setHeader('access-control-allow-methods', 'GET, HEAD, POST, PUT')
    response.setHeader('access-control-allow-headers', 'Authorization, Content-Type, Accept')
    response.setHeader('access-control-max-age', '86400')
  }
  response.writeHead(204)
  response.end()
  return true
}

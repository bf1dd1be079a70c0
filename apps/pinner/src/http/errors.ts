import { HoldfastError, isHoldfastError } from '@holdfast/protocol'

/** The other end went away in the middle; there is nobody to tell. */
export const isDisconnect = (error: unknown): boolean => error instanceof Error && 'code' in error && ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ABORT_ERR', 'ERR_STREAM_UNABLE_TO_PIPE'].includes(String(error.code))

/** No such route, or not by this method. */
export class NoSuchRouteError extends HoldfastError {
  override readonly name = 'NoSuchRouteError'
  readonly family = 'invalid'
  constructor (readonly status: 404 | 405, method: string, path: string) {
    super(`this node has no ${method} ${path}`, 'See the HTTP API in the README of the pinner.', { method, path })
  }
}

/** The node is opened to a network without anything that protects it (NODE-1). */
export class UnprotectedListenError extends HoldfastError {
  override readonly name = 'UnprotectedListenError'
  readonly family = 'invalid'
  constructor (host: string) {
    super(`refusing to listen on ${host}: other machines could reach this node without TLS`, 'Listen on 127.0.0.1 behind a reverse proxy or VPN, give a TLS certificate and key, or set an API key of your own to say that this network is trusted.', { host })
  }
}

/** What the response says, and its HTTP status. Errors that are not ours tell nothing about the inside. */
export interface ErrorAnswer { readonly status: number, readonly body: Record<string, unknown> }

const STATUS_BY_NAME: Record<string, number> = {
  BlockNotFoundError: 404, NotPinnedError: 404, LimitExceededError: 413, QuotaExceededError: 507, StorageFullError: 507
}
const STATUS_BY_FAMILY: Record<HoldfastError['family'], number> = { invalid: 400, corrupt: 400, unauthorised: 403, retryable: 503 }

/** JSON with our fields, and those of Kubo's RPC (`Message`, `Code`, `Type`), so that both kinds of client can tell. */
export function answerError (error: unknown): ErrorAnswer {
  if (!isHoldfastError(error)) {
    const message = 'the node failed inside; its log says more'
    return { status: 500, body: { name: 'InternalError', message, remedy: 'Try again later. If it goes on, look at the log of the node.', family: 'retryable', data: {}, Message: message, Code: 0, Type: 'error' } }
  }
  const status = 'status' in error && typeof error.status === 'number' ? error.status : error.data['authenticated'] === false ? 401 : STATUS_BY_NAME[error.name] ?? STATUS_BY_FAMILY[error.family]
  return { status, body: { name: error.name, message: error.message, remedy: error.remedy, family: error.family, data: plain(error.data), Message: error.message, Code: 0, Type: 'error' } }
}

/** Facts that JSON can hold. */
const plain = (data: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(data).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value)))

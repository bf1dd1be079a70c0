import {
  BlockNotFoundError, CorruptBlockError, HoldfastError, InvalidArgumentError, LimitExceededError, QuotaExceededError, UnauthorisedError, UnknownVersionError, UnreachableError, type ErrorFamily
} from '@holdfast/protocol'

/** The node answered, and says that it could not do this: an error of a kind that this client has no class for. */
export class NodeFailedError extends HoldfastError {
  override readonly name = 'NodeFailedError'
  constructor (readonly where: string, message: string, remedy: string, readonly family: ErrorFamily, data: Record<string, unknown> = {}) {
    super(`${where}: ${message}`, remedy, { ...data, where })
  }
}

/** What the body of an error response says (JSON), each field checked: a node is trusted with nothing. */
interface Told { name: string, message: string, remedy: string, family: ErrorFamily, data: Record<string, unknown> }

/** Longer texts are cut: they end up before a person. Characters. */
const MAX_TEXT = 1_000
const FAMILIES: readonly string[] = ['retryable', 'corrupt', 'unauthorised', 'invalid'] satisfies ErrorFamily[]

function readTold (body: string): Told | null {
  let value: unknown
  try { value = JSON.parse(body) } catch { return null /* a proxy's page, perhaps */ }
  if (value === null || typeof value !== 'object') return null
  const { name, message, remedy, family, data } = value as Record<string, unknown>
  if (typeof name !== 'string' || typeof message !== 'string' || typeof family !== 'string' || !FAMILIES.includes(family)) return null
  return {
    name, message: message.slice(0, MAX_TEXT), remedy: typeof remedy === 'string' ? remedy.slice(0, MAX_TEXT) : '', family: family as ErrorFamily,
    data: data !== null && typeof data === 'object' && !Array.isArray(data) ? data as Record<string, unknown> : {}
  }
}

const numberIn = (data: Record<string, unknown>, name: string): number => typeof data[name] === 'number' ? data[name] : 0
const textIn = (data: Record<string, unknown>, name: string): string => typeof data[name] === 'string' ? data[name].slice(0, MAX_TEXT) : ''

const NAMED: Record<string, (where: string, told: Told) => HoldfastError> = {
  BlockNotFoundError: (_, { data }) => new BlockNotFoundError(textIn(data, 'cid')),
  CorruptBlockError: (_, { message, data }) => new CorruptBlockError(message, data),
  LimitExceededError: (_, { message, data }) => new LimitExceededError(textIn(data, 'what') || message, numberIn(data, 'actual'), numberIn(data, 'limit')),
  InvalidArgumentError: (_, { message, remedy, data }) => new InvalidArgumentError(message, remedy, data),
  UnknownVersionError: (_, { data }) => new UnknownVersionError(textIn(data, 'what'), data['version'], numberIn(data, 'known')),
  QuotaExceededError: (where, { data }) => new QuotaExceededError(where, numberIn(data, 'limitBytes')),
  StorageFullError: (where) => new QuotaExceededError(where, 0)
}

/** The error of a response that is not 2xx. */
export function errorOf (where: string, status: number, body: string): HoldfastError {
  const told = readTold(body)
  if (told !== null) {
    const named = NAMED[told.name]
    if (named !== undefined) return named(where, told)
    if (told.family === 'unauthorised') return new UnauthorisedError(told.message, told.remedy, { ...told.data, where })
    return new NodeFailedError(where, told.message, told.remedy, told.family, told.data)
  }
  if (status === 401 || status === 403) return new UnauthorisedError(`${where} refuses this device`, 'Pair this device with the node: `holdfast pair` with its address and one-time token.', { where, status })
  if (status === 413 || status === 507) return new QuotaExceededError(where, 0)
  if (status >= 500) return new UnreachableError(where, { cause: new Error(`HTTP status ${status}`) })
  return new NodeFailedError(where, `it answered with HTTP status ${status}`, 'Check that this address is that of a Holdfast node.', 'invalid', { status })
}

import { CID } from 'multiformats/cid'
import { CorruptBlockError, LimitExceededError } from './errors.js'

/**
 * Reads fields of an untrusted decoded map, each with its type and size checked. Every decoder of ours goes
 * through these, so that a wrong shape is always a CorruptBlockError that names the field.
 */
export interface FieldReader {
  bytes (name: string, length?: number): Uint8Array
  text (name: string, maxLength?: number): string
  /** A safe integer in [min, max]. */
  integer (name: string, min?: number, max?: number): number
  /** A finite number, whole or not. */
  number (name: string): number
  cid (name: string): CID
  array (name: string, maxLength: number): unknown[]
  map (name: string): Record<string, unknown>
  has (name: string): boolean
}

export function fieldReader (what: string, value: unknown): FieldReader {
  if (!isMap(value)) throw new CorruptBlockError(`${what} is not a map`)
  const wrong = (name: string, wanted: string): CorruptBlockError => new CorruptBlockError(`${what} has a wrong field "${name}": ${wanted} was expected`, { what, field: name })
  const field = (name: string): unknown => Object.hasOwn(value, name) ? value[name] : undefined
  return {
    has: name => field(name) !== undefined,
    bytes (name, length) {
      const found = field(name)
      if (!(found instanceof Uint8Array) || (length !== undefined && found.length !== length)) throw wrong(name, length === undefined ? 'bytes' : `${length} bytes`)
      return found
    },
    text (name, maxLength = 1024) {
      const found = field(name)
      if (typeof found !== 'string') throw wrong(name, 'text')
      if (found.length > maxLength) throw new LimitExceededError(`${what}.${name}`, found.length, maxLength)
      return found
    },
    integer (name, min = 0, max = Number.MAX_SAFE_INTEGER) {
      const found = field(name)
      if (typeof found !== 'number' || !Number.isSafeInteger(found) || found < min || found > max) throw wrong(name, `an integer from ${min} to ${max}`)
      return found
    },
    number (name) {
      const found = field(name)
      if (typeof found !== 'number' || !Number.isFinite(found)) throw wrong(name, 'a number')
      return found
    },
    cid (name) {
      const found = CID.asCID(field(name))
      if (found === null) throw wrong(name, 'a link')
      return found
    },
    array (name, maxLength) {
      const found = field(name)
      if (!Array.isArray(found)) throw wrong(name, 'a list')
      if (found.length > maxLength) throw new LimitExceededError(`${what}.${name}`, found.length, maxLength)
      return found as unknown[]
    },
    map (name) {
      const found = field(name)
      if (!isMap(found)) throw wrong(name, 'a map')
      return found
    }
  }
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array) && CID.asCID(value) === null

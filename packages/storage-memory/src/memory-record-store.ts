import { InvalidArgumentError, type RecordRange, type RecordStore } from '@holdfast/protocol'

/** Records in memory, copied in and out, ordered by the UTF-8 bytes of their keys. For tests, simulations and throwaway devices. */
export function createMemoryRecordStore (): RecordStore {
  const records = new Map<string, Uint8Array>()
  /** Keys in order; undefined when one was added or removed since. */
  let sorted: readonly string[] | undefined
  let closed = false
  const begin = (signal: AbortSignal | undefined): void => {
    if (closed) throw new InvalidArgumentError('the store is closed', 'Open it again.')
    signal?.throwIfAborted()
  }
  const set = (key: string, value: Uint8Array | undefined): void => {
    if (records.has(key) !== (value !== undefined)) sorted = undefined
    if (value === undefined) records.delete(key)
    else records.set(key, value.slice())
  }
  return {
    async get (key, options) {
      begin(options?.signal)
      return records.get(checkKey(key))?.slice()
    },
    async write (changes, options) {
      begin(options?.signal)
      for (const { key } of changes) checkKey(key)
      for (const { key, value } of changes) set(key, value)
    },
    async * range (range, options) {
      begin(options?.signal)
      sorted ??= [...records.keys()].toSorted(compareKeys)
      // What was there when it began, whatever is written meanwhile.
      for (const [key, value] of select(sorted, range).map(key => [key, records.get(key)!] as const)) {
        options?.signal?.throwIfAborted()
        yield [key, value.slice()]
      }
    },
    async close () { closed = true }
  }
}

function select (sorted: readonly string[], { prefix, after, reverse = false, limit = Infinity }: RecordRange): string[] {
  const from = firstAtLeast(sorted, checkKey(prefix))
  let to = from
  while (to < sorted.length && sorted[to]!.startsWith(prefix)) to++
  const keys = sorted.slice(from, to)
  if (reverse) keys.reverse()
  const passed = after === undefined ? 0 : keys.findIndex(key => reverse ? compareKeys(key, after) < 0 : compareKeys(key, after) > 0)
  return passed === -1 ? [] : keys.slice(passed, passed + limit)
}

function firstAtLeast (sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareKeys(sorted[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The order of UTF-8 bytes is the order of code points; that of JavaScript's strings differs for pairs of surrogates. */
function compareKeys (a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** Surrogates after every other code unit: they stand for code points above them all. */
const rank = (unit: number): number => unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit

/** Text with half a surrogate pair has no UTF-8 form: two such keys would become one on a disk. */
function checkKey (key: string): string {
  if (!key.isWellFormed()) throw new InvalidArgumentError('a record key has half a surrogate pair in it', 'Use well-formed Unicode text.')
  return key
}

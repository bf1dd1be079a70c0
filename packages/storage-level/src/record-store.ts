import { compareBytes, InvalidArgumentError, type RecordChange, type RecordRange, type RecordStore } from '@holdfast/protocol'
import type { Database, KeyRange, Operation } from './database.js'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Records in a LevelDB, whose order of keys is that of their bytes. `makeRoom` throws StorageFullError. */
export function createLevelRecordStore (database: Database, makeRoom: (bytes: number) => Promise<void>): RecordStore {
  return {
    async get (key, options) {
      options?.signal?.throwIfAborted()
      return database.get(keyBytes(key))
    },
    async write (changes, options) {
      options?.signal?.throwIfAborted()
      const operations = changes.map(toOperation)
      const bytes = operations.reduce((sum, operation) => sum + (operation.type === 'put' ? operation.key.length + operation.value.length : 0), 0)
      if (bytes > 0) await makeRoom(bytes)
      // An empty durable write is a request to sync what was written before.
      if (operations.length > 0 || options?.durable === true) await database.write(operations, { sync: options?.durable === true })
    },
    async * range (range, options) {
      options?.signal?.throwIfAborted()
      for await (const [key, value] of database.range(keyRange(range))) {
        options?.signal?.throwIfAborted()
        yield [decoder.decode(key), value]
      }
    },
    close: async () => database.close()
  }
}

const toOperation = ({ key, value }: RecordChange): Operation => value === undefined ? { type: 'del', key: keyBytes(key) } : { type: 'put', key: keyBytes(key), value }

/** Text with half a surrogate pair has no UTF-8 form: two such keys would become one. */
function keyBytes (key: string): Uint8Array {
  if (!key.isWellFormed()) throw new InvalidArgumentError('a record key has half a surrogate pair in it', 'Use well-formed Unicode text.')
  return encoder.encode(key)
}

function keyRange ({ prefix, after, reverse = false, limit }: RecordRange): KeyRange {
  const from = keyBytes(prefix)
  const to = from.length > 0 ? justAfterPrefix(from) : undefined
  const last = after === undefined ? undefined : keyBytes(after)
  const low = last === undefined || reverse ? { gte: from } : laterThan(from, last)
  const high = last === undefined || !reverse ? to : earlierThan(to, last)
  return { ...low, ...(high !== undefined && { lt: high }), reverse, ...(limit !== undefined && Number.isFinite(limit) && { limit }) }
}

/** LevelDB takes no two bounds on one side. */
const laterThan = (from: Uint8Array, last: Uint8Array): KeyRange => compareBytes(last, from) >= 0 ? { gt: last } : { gte: from }
const earlierThan = (to: Uint8Array | undefined, last: Uint8Array): Uint8Array => to === undefined || compareBytes(last, to) < 0 ? last : to

/** Bytes of UTF-8 are never 0xff, so adding one to the last gives the least key that does not have the prefix. */
function justAfterPrefix (prefix: Uint8Array): Uint8Array {
  const end = prefix.slice()
  end[end.length - 1]! += 1
  return end
}

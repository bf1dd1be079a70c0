import { LimitExceededError, MAX_OPERATIONS_PER_CHANGE } from '@holdfast/protocol'
import { countRows, readColumnLengths } from './automerge-columns.js'
import { ByteCursor } from './byte-cursor.js'
import { inflate, inflateBudget, spend, type InflateBudget } from './inflate.js'
import {
  MAX_CHANGE_ACTORS, MAX_CHANGE_DEPENDENCIES, MAX_FRAGMENT_MEMBERS, MAX_INFLATED_BLOCK_BYTES, MAX_INFLATED_CHANGE_BYTES, MAX_INFLATED_FRAGMENT_BYTES, MAX_OPERATIONS_PER_BLOCK,
  MAX_OPERATIONS_PER_FRAGMENT, MAX_OPERATION_COUNTER
} from './limits.js'

/** Chunk layout and types: https://automerge.org/automerge-binary-format-spec/ ("Chunk Header"); bundles are of Automerge 3. */
const MAGIC = [0x85, 0x6f, 0x4a, 0x83] as const
const CHECKSUM_BYTES = 4
const HASH_BYTES = 32
const CHANGE = 1
const COMPRESSED_CHANGE = 2
const BUNDLE = 3

interface Chunk { readonly type: number, readonly content: ByteCursor }

/**
 * LOG-1: bounds what raw Automerge changes can cost, each and together, without expanding them and before
 * Automerge sees them. Throws CorruptBlockError, LimitExceededError.
 */
export async function checkAutomergeChanges (changes: readonly Uint8Array[]): Promise<void> {
  const budget = inflateBudget(MAX_INFLATED_BLOCK_BYTES)
  let operations = 0
  for (const change of changes) {
    const chunk = readChunk(change)
    if (chunk.type !== CHANGE && chunk.type !== COMPRESSED_CHANGE) throw chunk.content.wrong('is of another kind')
    operations += await checkChange(chunk, [inflateBudget(MAX_INFLATED_CHANGE_BYTES), budget])
    if (operations > MAX_OPERATIONS_PER_BLOCK) throw new LimitExceededError('operations in a block', operations, MAX_OPERATIONS_PER_BLOCK)
  }
}

/** LOG-2: the same for a fragment, which is one change or a bundle of changes. */
export async function checkAutomergeFragment (bytes: Uint8Array): Promise<void> {
  const chunk = readChunk(bytes)
  const budget = inflateBudget(MAX_INFLATED_FRAGMENT_BYTES)
  if (chunk.type === BUNDLE) await checkBundle(chunk.content, budget)
  else if (chunk.type === CHANGE || chunk.type === COMPRESSED_CHANGE) await checkChange(chunk, [inflateBudget(MAX_INFLATED_CHANGE_BYTES), budget])
  else throw chunk.content.wrong('is of another kind')
}

function readChunk (bytes: Uint8Array): Chunk {
  const cursor = new ByteCursor('an Automerge change', bytes)
  if (MAGIC.some(byte => cursor.byte() !== byte)) throw cursor.wrong('does not begin like one')
  cursor.take(CHECKSUM_BYTES)
  const type = cursor.byte()
  const content = new ByteCursor(cursor.what, cursor.take(cursor.unsigned()))
  if (cursor.left > 0) throw cursor.wrong('goes on after its end')
  return { type, content }
}

async function checkChange (chunk: Chunk, budgets: readonly InflateBudget[]): Promise<number> {
  const { content } = chunk
  if (chunk.type === CHANGE) for (const budget of budgets) spend(budget, content.left)
  const cursor = chunk.type === CHANGE ? content : new ByteCursor(content.what, await inflate(content.data, ...budgets))
  skipDependencies(cursor)
  cursor.take(cursor.unsigned()) // actor
  cursor.unsigned() // sequence
  const start = cursor.unsigned()
  cursor.signed() // time
  cursor.take(cursor.unsigned()) // message
  skipActors(cursor)
  const operations = await countRows(cursor, readColumnLengths(cursor), { what: 'operations in an Automerge change', rows: MAX_OPERATIONS_PER_CHANGE, counters: true, budgets })
  if (start + operations > MAX_OPERATION_COUNTER) throw new LimitExceededError('operation counter', start + operations, MAX_OPERATION_COUNTER)
  return operations
}

async function checkBundle (cursor: ByteCursor, budget: InflateBudget): Promise<void> {
  spend(budget, cursor.left)
  skipDependencies(cursor)
  skipActors(cursor)
  const budgets = [budget]
  await countRows(cursor, readColumnLengths(cursor), { what: 'changes in a fragment', rows: MAX_FRAGMENT_MEMBERS, counters: false, budgets })
  await countRows(cursor, readColumnLengths(cursor), { what: 'operations in a fragment', rows: MAX_OPERATIONS_PER_FRAGMENT, counters: true, budgets })
}

function skipDependencies (cursor: ByteCursor): void {
  const count = cursor.unsigned()
  if (count > MAX_CHANGE_DEPENDENCIES) throw new LimitExceededError('dependencies of an Automerge change', count, MAX_CHANGE_DEPENDENCIES)
  cursor.take(count * HASH_BYTES)
}

function skipActors (cursor: ByteCursor): void {
  const count = cursor.unsigned()
  if (count > MAX_CHANGE_ACTORS) throw new LimitExceededError('actors of an Automerge change', count, MAX_CHANGE_ACTORS)
  for (let i = 0; i < count; i++) cursor.take(cursor.unsigned())
}

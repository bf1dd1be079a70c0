import { LimitExceededError } from '@holdfast/protocol'
import { ByteCursor } from './byte-cursor.js'
import { inflate, type InflateBudget } from './inflate.js'
import { MAX_COLUMNS, MAX_OPERATION_COUNTER, MAX_PREDECESSORS_PER_OPERATION } from './limits.js'

/** Column types (https://automerge.org/automerge-binary-format-spec/, "Column Specifications"): the low three bits. */
const GROUP = 0
const DELTA = 3
const BOOLEAN = 4
const STRING = 5
const RAW_VALUE = 7
const DEFLATED = 8

interface Column { readonly id: number, readonly type: number, readonly data: Uint8Array }

/** What a set of columns may cost. `counters`: its delta columns hold operation counters. */
export interface ColumnLimits { readonly what: string, readonly rows: number, readonly counters: boolean, readonly budgets: readonly InflateBudget[] }

/** The columns' names and lengths, which stand before their data. */
export function readColumnLengths (cursor: ByteCursor): { spec: number, length: number }[] {
  const count = cursor.unsigned()
  if (count > MAX_COLUMNS) throw new LimitExceededError('columns of an Automerge change', count, MAX_COLUMNS)
  return Array.from({ length: count }, () => ({ spec: cursor.unsigned(), length: cursor.unsigned() }))
}

/**
 * Counts the rows of columns without expanding them: in a run-length encoding eight bytes can stand for billions
 * of operations. Returns the length of the longest. Throws CorruptBlockError, LimitExceededError.
 */
export async function countRows (cursor: ByteCursor, lengths: readonly { spec: number, length: number }[], limits: ColumnLimits): Promise<number> {
  const columns: Column[] = []
  for (const { spec, length } of lengths) {
    const data = cursor.take(length)
    columns.push({ id: Math.floor(spec / 16), type: spec & 7, data: (spec & DEFLATED) === 0 ? data : await inflate(data, ...limits.budgets) })
  }
  const groups = new Set(columns.filter(column => column.type === GROUP).map(column => column.id))
  let longest = 0
  for (const column of columns) {
    const inGroup = groups.has(column.id) && column.type !== GROUP
    const limit = inGroup ? limits.rows * MAX_PREDECESSORS_PER_OPERATION : limits.rows
    const rows = countColumn(column, limit, limits)
    if (!inGroup) longest = Math.max(longest, rows)
  }
  return longest
}

function countColumn ({ type, data }: Column, limit: number, limits: ColumnLimits): number {
  if (type === RAW_VALUE) return 0
  const cursor = new ByteCursor('an Automerge column', data)
  let rows = 0
  let grouped = 0
  let counter = 0
  const add = (run: number): void => {
    rows += run
    if (rows > limit) throw new LimitExceededError(limits.what, rows, limit)
  }
  if (type === BOOLEAN) {
    while (cursor.left > 0) add(cursor.unsigned())
    return rows
  }
  const value = (run: number): void => {
    if (type === STRING) cursor.take(cursor.unsigned())
    else if (type === DELTA) counter = checkCounter(counter + cursor.signed() * run, limits)
    else if (type === GROUP) grouped = checkGrouped(grouped + cursor.unsigned() * run, limits)
    else cursor.unsigned()
  }
  while (cursor.left > 0) {
    const run = cursor.signed()
    if (run > 0) { add(run); value(run) }
    else if (run === 0) add(cursor.unsigned())
    else for (let i = 0; i > run; i--) { add(1); value(1) }
  }
  return rows
}

function checkCounter (counter: number, { counters }: ColumnLimits): number {
  if (counters && Math.abs(counter) > MAX_OPERATION_COUNTER) throw new LimitExceededError('operation counter', counter, MAX_OPERATION_COUNTER)
  return counter
}

function checkGrouped (grouped: number, { rows }: ColumnLimits): number {
  const limit = rows * MAX_PREDECESSORS_PER_OPERATION
  if (grouped > limit) throw new LimitExceededError('predecessors of operations', grouped, limit)
  return grouped
}

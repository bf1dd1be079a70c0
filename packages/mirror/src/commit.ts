import { isHoldfastError } from '@holdfast/protocol'
import type { FileEntry, Operation } from './filesystem-port.js'
import type { Workplace } from './round-log.js'

/** LOG-1 bounds what one change may hold; a commit of this many stays far below and costs little for each. */
export const OPERATIONS_PER_COMMIT = 500

/** An operation, and what to do with its result. */
export interface Pending { readonly operation: Operation, readonly path: string, settle (result: FileEntry): void }

/** Commits groups in order, as many at once as fit. */
export async function commitGroups (groups: readonly (readonly Pending[])[], work: Workplace): Promise<void> {
  let batch: (readonly Pending[])[] = []
  let size = 0
  for (const group of groups) {
    if (size > 0 && size + group.length > OPERATIONS_PER_COMMIT) {
      await commitBatch(batch, work)
      batch = []
      size = 0
    }
    batch.push(group)
    size += group.length
  }
  await commitBatch(batch, work)
}

/** What was new when the round was planned may have an entry by now. */
function withIds (operation: Operation, { log }: Workplace): Operation {
  const parent = operation.expected?.parent
  return parent === undefined ? operation : { ...operation, expected: { ...operation.expected, parent: log.idOf(parent) } }
}

/**
 * One commit. Where the vault refuses it, the groups that it refuses are found by halving, and logged. What was planned
 * for something that others have moved since is left to the next round, which sees it where it is.
 */
async function commitBatch (batch: readonly (readonly Pending[])[], work: Workplace): Promise<void> {
  const all = batch.flat()
  if (all.length === 0) return
  work.signal?.throwIfAborted()
  let results: FileEntry[]
  try {
    results = await work.filesystem.commit(all.map(({ operation }) => withIds(operation, work)), work.signal === undefined ? {} : { signal: work.signal })
  } catch (error) {
    work.signal?.throwIfAborted()
    const refused = isHoldfastError(error) && error.family === 'invalid'
    if (refused && batch.length > 1) {
      const half = batch.length >> 1
      await commitBatch(batch.slice(0, half), work)
      await commitBatch(batch.slice(half), work)
    } else if (error instanceof Error && error.name === 'ChangedError') for (const { path } of all) work.log.leave(path)
    else for (const { path } of all) work.log.fail(path, 'saved in the vault', error)
    return
  }
  for (const [at, pending] of all.entries()) {
    const result = results[at]!
    pending.settle(result)
    work.log.done++
    if (pending.operation.type === 'write' && result.conflicts > 0) work.log.conflicts.set(result.path, result.conflicts + 1)
  }
  await work.save()
}

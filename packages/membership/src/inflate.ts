import { CorruptBlockError, LimitExceededError } from '@holdfast/protocol'

/** What may still be inflated; shared by everything in one block. Bytes. */
export interface InflateBudget { left: number, readonly limit: number }

export const inflateBudget = (limit: number): InflateBudget => ({ left: limit, limit })

export function spend (budget: InflateBudget, bytes: number): void {
  budget.left -= bytes
  if (budget.left < 0) throw new LimitExceededError('inflated size of changes', budget.limit - budget.left, budget.limit)
}

/** Raw DEFLATE (RFC 1951), stopped as soon as the budget is spent. Throws CorruptBlockError, LimitExceededError. */
export async function inflate (deflated: Uint8Array, ...budgets: readonly InflateBudget[]): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  const reader = new Blob([deflated as BlobPart]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader() as ReadableStreamDefaultReader<Uint8Array>
  try {
    for (;;) {
      const { done, value } = await readPiece(reader)
      if (done) break
      for (const budget of budgets) spend(budget, value.length)
      pieces.push(value)
    }
  } catch (error) {
    await reader.cancel().catch(() => undefined) // The stream has failed already or is of no more use; its own error is the one to tell.
    throw error
  }
  const inflated = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    inflated.set(piece, at)
    at += piece.length
  }
  return inflated
}

async function readPiece (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  try { return await reader.read() } catch (cause) { throw new CorruptBlockError('an Automerge change does not inflate', {}, { cause }) }
}

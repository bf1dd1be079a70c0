import { LimitExceededError, UnreachableError } from '@holdfast/protocol'

/**
 * A response body piece by piece. When nothing arrives for `idleMs`, or the connection breaks, UnreachableError; an
 * aborted signal's reason otherwise. Ending the loop early frees the connection.
 */
export async function * streamBody (response: Response, { where, idleMs, signal, abort }: { where: string, idleMs: number, signal: AbortSignal | undefined, abort: (reason: Error) => void }): AsyncGenerator<Uint8Array> {
  if (response.body === null) return
  const reader = response.body.getReader()
  let done = false
  try {
    for (;;) {
      const timer = setTimeout(() => { abort(new UnreachableError(where)) }, idleMs)
      let next: Awaited<ReturnType<typeof reader.read>>
      try { next = await reader.read() } catch (cause) {
        done = true
        signal?.throwIfAborted()
        throw cause instanceof UnreachableError ? cause : new UnreachableError(where, { cause })
      } finally { clearTimeout(timer) }
      if (next.done) {
        done = true
        return
      }
      yield next.value
    }
  } finally {
    // Cancelling tells the node to stop sending. A body that has failed already says so again here, to nobody.
    if (!done) await reader.cancel().catch(() => undefined)
  }
}

/** A whole body that has to be small. */
export async function readAll (pieces: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of pieces) {
    length += part.length
    if (length > limit) throw new LimitExceededError('answer of a node', length, limit)
    parts.push(part)
  }
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) { joined.set(part, offset); offset += part.length }
  return joined
}

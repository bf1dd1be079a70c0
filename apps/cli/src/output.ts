import type { Writable } from 'node:stream'
import { OutputClosedError } from './errors.js'

/** Where a command writes. Resolves when the reader can take more, so that a large file never piles up in memory. */
export interface Output { write (chunk: string | Uint8Array): Promise<void> }

/** An output over a process's stdout or stderr. A reader that has gone shows as OutputClosedError. */
export function streamOutput (stream: Writable, onClosed: () => void = () => undefined): Output {
  let closed = false
  const close = (): void => { if (!closed) { closed = true; onClosed() } }
  stream.on('error', close)
  stream.on('close', close)
  return {
    write: async chunk => new Promise((resolve, reject) => {
      if (closed) { reject(new OutputClosedError()); return }
      if (chunk.length === 0) { resolve(); return }
      stream.write(chunk, error => { if (error == null) resolve(); else { close(); reject(new OutputClosedError()) } })
    })
  }
}

/** An output that keeps everything, for tests and for callers in the same process. */
export function memoryOutput (): Output & { readonly text: () => string, readonly bytes: () => Uint8Array } {
  const parts: Uint8Array[] = []
  return {
    write: async chunk => { parts.push(typeof chunk === 'string' ? Buffer.from(chunk) : Uint8Array.from(chunk)) },
    text: () => Buffer.concat(parts).toString('utf8'),
    bytes: () => Buffer.concat(parts)
  }
}

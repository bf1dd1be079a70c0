import type { Source } from './types.js'

/** A part of a source that is in memory, from which chunks are cut at the front. */
export interface Window {
  /** The memory; what is there lies from `start` to `end`. Valid until the next `fill`. */
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** Reads until `length` bytes are there or the source has ended. */
  fill (length: number): Promise<void>
  /** Forgets bytes at the front. */
  drop (length: number): void
  /** Lets the source go when it was not read to its end. */
  close (): Promise<void>
}

const LARGEST = 4 << 20
const EMPTY = new Uint8Array(0)

/** `hint`: how many bytes will probably be asked for at once. */
export function createWindow (source: Source, hint: number): Window {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let bytes = new Uint8Array(hint)
  let start = 0
  let end = 0
  let piece = EMPTY as Uint8Array
  let ended = false

  const makeRoom = (length: number): void => {
    if (start + length <= bytes.length) return
    const held = end - start
    // Room for several times what is held keeps the moving of what is left rare.
    const size = bytes.length < LARGEST && held * 4 > bytes.length ? Math.min(bytes.length * 2, LARGEST) : bytes.length
    const room = size === bytes.length && length <= size ? bytes : new Uint8Array(Math.max(length, size))
    room.set(bytes.subarray(start, end))
    bytes = room
    start = 0
    end = held
  }
  const takePiece = (): void => {
    const taken = Math.min(piece.length, bytes.length - end)
    bytes.set(piece.subarray(0, taken), end)
    end += taken
    piece = piece.subarray(taken)
  }
  return {
    get bytes () { return bytes },
    get start () { return start },
    get end () { return end },
    async fill (length) {
      while (end - start < length) {
        if (piece.length === 0) {
          if (ended) return
          const next = await iterator.next()
          if (next.done === true) { ended = true; return }
          piece = next.value
          continue
        }
        makeRoom(Math.min(length, end - start + piece.length))
        takePiece()
      }
    },
    drop (length) { start += length },
    async close () {
      if (!ended) { ended = true; await iterator.return?.() }
    }
  }
}

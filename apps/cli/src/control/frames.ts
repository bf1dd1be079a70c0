import type { Socket } from 'node:net'
import { ControlProtocolError } from '../errors.js'

/**
 * The control protocol: frames of a 4-byte big-endian length (of what follows), one byte that says the kind, and
 * the payload. One connection carries one command.
 */
export const CONTROL_VERSION = 1

export const Kind = {
  // From the process that was started to the one that holds the home.
  request: 1, input: 2, inputEnd: 3, abort: 4,
  // And back.
  accepted: 16, refused: 17, out: 18, err: 19, wantInput: 20, exit: 21
} as const
export type Kind = typeof Kind[keyof typeof Kind]
const KINDS: ReadonlySet<number> = new Set(Object.values(Kind))

export interface Frame { kind: Kind, payload: Uint8Array }

/** Payloads of a frame, bytes. Longer output goes as several frames. */
export const MAX_FRAME_BYTES = 1 << 20
const HEADER_BYTES = 5
const NOTHING = new Uint8Array(0)

export function encodeFrame (kind: Kind, payload: Uint8Array = NOTHING): Uint8Array {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length)
  frame.writeUInt32BE(payload.length + 1, 0)
  frame[4] = kind
  frame.set(payload, HEADER_BYTES)
  return frame
}

export const encodeJson = (kind: Kind, value: unknown): Uint8Array => encodeFrame(kind, Buffer.from(JSON.stringify(value)))

export function decodeJson (frame: Frame): unknown {
  try { return JSON.parse(Buffer.from(frame.payload).toString('utf8')) } catch { throw new ControlProtocolError('a frame on the control socket is not JSON') }
}

/** Cuts what arrives into frames. Throws ControlProtocolError for a kind or a length that no Holdfast sends. */
export function createFrameDecoder (): (bytes: Uint8Array) => Frame[] {
  let pending: Buffer = Buffer.alloc(0)
  return bytes => {
    pending = pending.length === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : Buffer.concat([pending, bytes])
    const frames: Frame[] = []
    while (pending.length >= HEADER_BYTES) {
      const length = pending.readUInt32BE(0)
      const kind = pending[4]!
      if (length < 1 || length > MAX_FRAME_BYTES + 1) throw new ControlProtocolError(`a frame of ${length} bytes on the control socket`)
      if (!KINDS.has(kind)) throw new ControlProtocolError(`a frame of unknown kind ${kind} on the control socket`)
      if (pending.length < 4 + length) break
      frames.push({ kind: kind as Kind, payload: pending.subarray(HEADER_BYTES, 4 + length) })
      pending = pending.subarray(4 + length)
    }
    return frames
  }
}

/** Sends one frame after another, and resolves when the other side keeps up. After the connection is gone it does nothing. */
export async function send (socket: Socket, frame: Uint8Array): Promise<void> {
  if (socket.destroyed || !socket.writable) return
  if (socket.write(frame)) return
  await new Promise<void>(resolve => {
    const done = (): void => { socket.off('drain', done); socket.off('close', done); resolve() }
    socket.on('drain', done)
    socket.on('close', done)
  })
}

/** Splits output into frames of a bounded size. */
export function * outputFrames (kind: Kind, chunk: string | Uint8Array): Iterable<Uint8Array> {
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
  for (let at = 0; at < bytes.length; at += MAX_FRAME_BYTES) yield encodeFrame(kind, bytes.subarray(at, at + MAX_FRAME_BYTES))
}

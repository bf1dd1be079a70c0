import { connect, type Socket } from 'node:net'
import { ControlProtocolError, HolderGoneError, InterruptedError } from '../errors.js'
import { record, type Invocation } from '../invocation.js'
import type { Output } from '../output.js'
import { CONTROL_VERSION, Kind, MAX_FRAME_BYTES, createFrameDecoder, decodeJson, encodeFrame, encodeJson, send, type Frame } from './frames.js'
import { findSocketPath } from './path.js'
import type { Refusal } from './server.js'

export interface ForwardIo { out: Output, err: Output, stdin: () => AsyncIterable<Uint8Array>, signal: AbortSignal }

/** What came of asking the process that holds the home: nobody there, not taken, or done. `again`: it is for us to go on. */
export type ForwardAnswer = { kind: 'absent' } | { kind: 'refused', reason: Refusal } | { kind: 'done', code: number, again: boolean }

/** Has the process that holds `home` run the command, with its output here. Throws HolderGoneError when it ends midway. */
export async function forward (home: string, invocation: Invocation, io: ForwardIo): Promise<ForwardAnswer> {
  const socket = await dial(await findSocketPath(home))
  if (socket === null) return { kind: 'absent' }
  const abort = (): void => { if (!socket.destroyed) socket.write(encodeFrame(Kind.abort)) }
  try {
    await send(socket, encodeJson(Kind.request, { version: CONTROL_VERSION, invocation }))
    io.signal.addEventListener('abort', abort)
    if (io.signal.aborted) abort()
    return await converse(socket, io)
  } finally {
    io.signal.removeEventListener('abort', abort)
    socket.destroy()
  }
}

async function dial (path: string): Promise<Socket | null> {
  return new Promise(resolve => {
    const socket = connect(path)
    // Whatever the reason (no file, nobody listening), there is no holder to ask; the lock on the home decides what to do.
    socket.once('error', () => { socket.destroy(); resolve(null) })
    socket.once('connect', () => { resolve(socket) })
  })
}

async function converse (socket: Socket, io: ForwardIo): Promise<ForwardAnswer> {
  const decode = createFrameDecoder()
  const input = createInput(socket, io)
  let accepted = false
  socket.on('error', () => socket.destroy())
  try {
    // Reading the socket frame by frame is the flow control: while our reader is slow, the holder waits.
    for await (const bytes of socket as AsyncIterable<Buffer>) {
      for (const frame of decode(bytes)) {
        if (frame.kind === Kind.accepted) accepted = true
        const answer = await handle(frame, io, input)
        if (answer !== null) return answer
      }
    }
  } catch (error) {
    if (!isConnectionError(error)) throw error
  } finally { input.stop() }
  if (io.signal.aborted) throw new InterruptedError()
  if (!accepted) return { kind: 'absent' }
  throw new HolderGoneError()
}

const isConnectionError = (error: unknown): boolean =>
  error instanceof Error && ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(Reflect.get(error, 'code')))

async function handle (frame: Frame, io: ForwardIo, input: { next (): void }): Promise<ForwardAnswer | null> {
  switch (frame.kind) {
    case Kind.accepted: return null
    case Kind.out: await io.out.write(frame.payload); return null
    case Kind.err: await io.err.write(frame.payload); return null
    case Kind.wantInput: input.next(); return null
    case Kind.refused: return { kind: 'refused', reason: record(decodeJson(frame), 'a refusal')['reason'] as Refusal }
    case Kind.exit: {
      const { code, again } = record(decodeJson(frame), 'an exit')
      if (typeof code !== 'number') throw new ControlProtocolError('an exit without a code')
      return { kind: 'done', code, again: again === true }
    }
    default: throw new ControlProtocolError('a frame on the control socket went the wrong way')
  }
}

/** Our stdin, chunk by chunk as the holder asks; not touched before it asks. */
function createInput (socket: Socket, io: ForwardIo): { next (): void, stop (): void } {
  let iterator: AsyncIterator<Uint8Array> | undefined
  let rest: Uint8Array = new Uint8Array(0)
  const sendNext = async (): Promise<void> => {
    iterator ??= io.stdin()[Symbol.asyncIterator]()
    while (rest.length === 0) {
      const { value, done } = await iterator.next()
      if (done === true) { await send(socket, encodeFrame(Kind.inputEnd)); return }
      rest = value
    }
    const chunk = rest.subarray(0, MAX_FRAME_BYTES)
    rest = rest.subarray(chunk.length)
    await send(socket, encodeFrame(Kind.input, chunk))
  }
  return {
    next: () => { sendNext().catch((error: unknown) => { socket.destroy(error instanceof Error ? error : new Error(String(error))) }) },
    stop: () => { iterator?.return?.(undefined)?.catch(() => undefined) }
  }
}

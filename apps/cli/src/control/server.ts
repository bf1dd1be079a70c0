import { chmod, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { ControlProtocolError, OutputClosedError, renderError } from '../errors.js'
import { readInvocation, record, type Invocation } from '../invocation.js'
import type { Output } from '../output.js'
import { CONTROL_VERSION, Kind, createFrameDecoder, decodeJson, encodeFrame, encodeJson, outputFrames, send, type Frame } from './frames.js'
import { claimSocketPath } from './path.js'

/** Why a request was not taken: the asker tries again by itself in a while, except when the versions differ. */
export type Refusal = 'stopping' | 'needs-peers' | 'version'

export interface ServedCommand { invocation: Invocation, out: Output, err: Output, stdin: AsyncIterable<Uint8Array>, signal: AbortSignal }

export interface ControlServerOptions {
  home: string
  /** Says no to a command that this process cannot run. */
  refuse: (invocation: Invocation) => Refusal | null
  /** Runs it; resolves with its exit code. */
  run: (command: ServedCommand) => Promise<number>
  /** True for commands that run until they are stopped: when this process ends, the asker takes them over. */
  lasts: (invocation: Invocation) => boolean
}

export interface ControlServer {
  readonly path: string
  /** Commands being run for others. */
  readonly active: number
  /**
   * Takes no more commands, hands those that last back to their askers, and waits for the others: as long as they
   * take, or once `stop` is aborted at most `graceMs` longer.
   */
  close (options: { stop: AbortSignal, graceMs: number }): Promise<void>
}

/** Serves the home to other commands. The caller holds the home's lock, so an old socket there is a dead one. */
export async function serveControl (options: ControlServerOptions): Promise<ControlServer> {
  const path = await claimSocketPath(options.home)
  if (process.platform !== 'win32') await rm(path, { force: true })
  const connections = new Set<Connection>()
  const server = createServer(socket => {
    const connection = createConnection(socket, options)
    connections.add(connection)
    void connection.done.then(() => connections.delete(connection))
  })
  await listen(server, path)
  if (process.platform !== 'win32') await chmod(path, 0o600)
  return {
    path,
    get active () { return connections.size },
    close: async ({ stop, graceMs }) => {
      const closed = new Promise<void>(resolve => { server.close(() => { resolve() }) })
      for (const connection of connections) connection.stop()
      await untilStopped(Promise.all([...connections].map(async connection => connection.done)), stop, graceMs)
      for (const connection of connections) connection.cut()
      await closed
    }
  }
}

async function listen (server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => { server.off('error', reject); resolve() })
  })
}

async function untilStopped (work: Promise<unknown>, stop: AbortSignal, graceMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let begin = (): void => undefined
  const bound = new Promise<void>(resolve => { begin = () => { timer ??= setTimeout(resolve, graceMs) } })
  if (stop.aborted) begin()
  stop.addEventListener('abort', begin)
  await Promise.race([work, bound])
  stop.removeEventListener('abort', begin)
  clearTimeout(timer)
}

interface Connection { readonly done: Promise<void>, stop (): void, cut (): void }

function createConnection (socket: Socket, options: ControlServerOptions): Connection {
  const aborter = new AbortController()
  const input = createInputQueue(socket)
  const decode = createFrameDecoder()
  let running: Invocation | undefined
  let handedBack = false
  let stopping = false
  const done = new Promise<void>(resolve => { socket.on('close', () => { aborter.abort(); input.end(); resolve() }) })

  const refuse = (reason: Refusal): void => { socket.end(encodeJson(Kind.refused, { reason })) }
  const start = async (frame: Frame): Promise<void> => {
    const { version, invocation: raw } = record(decodeJson(frame), 'a request')
    if (version !== CONTROL_VERSION) { refuse('version'); return }
    const invocation = readInvocation(raw)
    const reason = stopping ? 'stopping' : options.refuse(invocation)
    if (reason !== null) { refuse(reason); return }
    running = invocation
    await send(socket, encodeFrame(Kind.accepted))
    const code = await options.run({ invocation, out: frameOutput(socket, Kind.out), err: frameOutput(socket, Kind.err), stdin: input.chunks, signal: aborter.signal })
    if (!socket.destroyed) socket.end(encodeJson(Kind.exit, { code, again: handedBack }))
  }
  const accept = async (frame: Frame): Promise<void> => {
    switch (frame.kind) {
      case Kind.request: if (running === undefined) await start(frame); else throw new ControlProtocolError('a second request on one connection'); break
      case Kind.input: input.push(frame.payload); break
      case Kind.inputEnd: input.end(); break
      case Kind.abort: aborter.abort(); break
      default: throw new ControlProtocolError('a frame on the control socket went the wrong way')
    }
  }
  const fail = (error: unknown): void => { socket.end(encodeFrame(Kind.err, Buffer.from(renderError(error, false)))); socket.destroySoon() }
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes: Buffer) => {
    try { for (const frame of decode(bytes)) accept(frame).catch(fail) } catch (error) { fail(error) }
  })
  return {
    done,
    stop: () => {
      stopping = true
      if (running === undefined) refuse('stopping')
      else if (options.lasts(running) && !aborter.signal.aborted) { handedBack = true; aborter.abort() }
    },
    cut: () => { socket.destroy() }
  }
}

function frameOutput (socket: Socket, kind: typeof Kind.out | typeof Kind.err): Output {
  return {
    write: async chunk => {
      for (const frame of outputFrames(kind, chunk)) {
        if (socket.destroyed) throw new OutputClosedError()
        await send(socket, frame)
      }
    }
  }
}

/** The asker's stdin. It is pulled: one chunk is asked for only when the one before was used. */
function createInputQueue (socket: Socket): { chunks: AsyncIterable<Uint8Array>, push (chunk: Uint8Array): void, end (): void } {
  let waiting: ((chunk: Uint8Array | null) => void) | undefined
  let ended = false
  const give = (chunk: Uint8Array | null): void => { const wake = waiting; waiting = undefined; wake?.(chunk) }
  async function * chunks (): AsyncIterable<Uint8Array> {
    while (!ended) {
      const next = new Promise<Uint8Array | null>(resolve => { waiting = resolve })
      await send(socket, encodeFrame(Kind.wantInput))
      const chunk = await next
      if (chunk === null) return
      yield chunk
    }
  }
  return { chunks: { [Symbol.asyncIterator]: () => chunks()[Symbol.asyncIterator]() }, push: give, end: () => { ended = true; give(null) } }
}

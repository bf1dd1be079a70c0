import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ControlProtocolError, HolderGoneError, InterruptedError } from '../errors.js'
import type { Invocation } from '../invocation.js'
import { memoryOutput } from '../output.js'
import { forward, type ForwardIo } from './client.js'
import { Kind, MAX_FRAME_BYTES, createFrameDecoder, encodeFrame, encodeJson, type Frame } from './frames.js'
import { findSocketPath } from './path.js'
import { serveControl, type ControlServer, type ControlServerOptions, type ServedCommand } from './server.js'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => { for (const cleanup of cleanups.splice(0).reverse()) await cleanup() })

const temporaryHome = async (): Promise<string> => {
  const home = await mkdtemp(join(tmpdir(), 'hf-'))
  cleanups.push(async () => rm(home, { recursive: true, force: true }))
  return home
}
const invocation = (command: string, extra: Partial<Invocation> = {}): Invocation => ({ command, args: ['a', 'ü'], options: { deep: true, to: '/x' }, cwd: '/work', json: true, quiet: false, columns: 80, ...extra })
const never = new AbortController().signal
const never2 = (): AbortSignal => new AbortController().signal

async function serve (home: string, run: ControlServerOptions['run'], extra: Partial<ControlServerOptions> = {}): Promise<ControlServer> {
  const server = await serveControl({ home, run, refuse: () => null, lasts: () => false, ...extra })
  cleanups.push(async () => server.close({ stop: AbortSignal.abort(), graceMs: 0 }))
  return server
}
function io (extra: Partial<ForwardIo> = {}): ForwardIo & { out: ReturnType<typeof memoryOutput>, err: ReturnType<typeof memoryOutput> } {
  return { out: memoryOutput(), err: memoryOutput(), stdin: async function * () { /* nothing is typed */ }, signal: never, ...extra } as ReturnType<typeof io>
}
/** Resolves once the signal is aborted. */
const aborted = async (signal: AbortSignal): Promise<void> => new Promise(resolve => { if (signal.aborted) resolve(); else signal.addEventListener('abort', () => { resolve() }) })

describe('frames', () => {
  test('CLI frames survive any cutting of the stream', () => {
    const kinds = Object.values(Kind)
    fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 300 })), { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }), (frames, cuts) => {
      const stream = Buffer.concat(frames.map(([kind, payload]) => encodeFrame(kind, payload)))
      const decode = createFrameDecoder()
      const found: Frame[] = []
      for (let at = 0, cut = 0; at < stream.length; cut++) {
        const length = cuts[cut % cuts.length]!
        found.push(...decode(stream.subarray(at, at + length)))
        at += length
      }
      expect(found.map(({ kind, payload }) => [kind, Buffer.from(payload).toString('hex')])).toEqual(frames.map(([kind, payload]) => [kind, Buffer.from(payload).toString('hex')]))
    }))
  })

  test('CLI a frame longer than a megabyte, or of an unknown kind, is refused before it is read', () => {
    const long = Buffer.alloc(5)
    long.writeUInt32BE(MAX_FRAME_BYTES + 2)
    long[4] = Kind.out
    expect(() => createFrameDecoder()(long)).toThrow(ControlProtocolError)
    expect(() => createFrameDecoder()(Uint8Array.of(0, 0, 0, 1, 99))).toThrow(ControlProtocolError)
    expect(() => createFrameDecoder()(Uint8Array.of(0, 0, 0, 0, 16))).toThrow(ControlProtocolError)
    expect(createFrameDecoder()(encodeFrame(Kind.out, new Uint8Array(MAX_FRAME_BYTES)))).toHaveLength(1)
  })
})

describe('the control socket', () => {
  test('CLI a command runs in the holder as it was written, with its output and exit code here', async () => {
    const home = await temporaryHome()
    let seen: Invocation | undefined
    await serve(home, async command => {
      seen = command.invocation
      await command.out.write('übel ')
      await command.err.write('oh')
      await command.out.write(Uint8Array.of(0, 255))
      return 3
    })
    const here = io()
    const asked = invocation('ls')
    expect(await forward(home, asked, here)).toEqual({ kind: 'done', code: 3, again: false })
    expect(seen).toEqual(asked)
    expect(Buffer.from(here.out.bytes())).toEqual(Buffer.concat([Buffer.from('übel '), Buffer.from([0, 255])]))
    expect(here.err.text()).toBe('oh')
  })

  test('CLI output of many megabytes arrives whole, however slowly it is read', async () => {
    const home = await temporaryHome()
    const bytes = randomBytes(5 << 20)
    await serve(home, async command => { await command.out.write(bytes); return 0 })
    const parts: Uint8Array[] = []
    const slow = { write: async (chunk: string | Uint8Array) => { parts.push(Buffer.from(chunk as Uint8Array)); await new Promise(resolve => { setImmediate(resolve) }) } }
    expect(await forward(home, invocation('cat'), { ...io(), out: slow })).toMatchObject({ code: 0 })
    expect(Buffer.concat(parts).equals(bytes)).toBe(true)
  })

  test('CLI standard input goes over only when the command reads it', async () => {
    const home = await temporaryHome()
    await serve(home, async command => {
      if (command.invocation.command === 'ls') return 0
      for await (const chunk of command.stdin) await command.out.write(chunk)
      return 0
    })
    let reads = 0
    const big = randomBytes((2 << 20) + 7)
    const stdin = async function * (): AsyncGenerator<Uint8Array> { reads++; yield Buffer.from('one '); yield big }
    await forward(home, invocation('ls'), io({ stdin }))
    expect(reads).toBe(0)
    const here = io({ stdin })
    await forward(home, invocation('put'), here)
    expect(Buffer.from(here.out.bytes()).equals(Buffer.concat([Buffer.from('one '), big]))).toBe(true)
  })

  test('CLI nobody there is no error', async () => {
    const home = await temporaryHome()
    expect(await forward(home, invocation('ls'), io())).toEqual({ kind: 'absent' })
    await mkdir(join(home, 'run'))
    await writeFile(join(home, 'run', 'control.sock'), 'left behind')
    expect(await forward(home, invocation('ls'), io())).toEqual({ kind: 'absent' })
  })

  test('CLI the next holder takes the place of a socket that a killed one left', async () => {
    const home = await temporaryHome()
    await mkdir(join(home, 'run'))
    await writeFile(join(home, 'run', 'control.sock'), 'left behind')
    await serve(home, async () => 0)
    expect(await forward(home, invocation('ls'), io())).toMatchObject({ kind: 'done' })
  })

  test('CLI the socket is for its owner alone', async () => {
    const home = await temporaryHome()
    const { path } = await serve(home, async () => 0)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(home, 'run'))).mode & 0o777).toBe(0o700)
  })

  test('CLI a home too deep for a socket path works through a private directory elsewhere', async () => {
    const home = join(await temporaryHome(), ...Array<string>(4).fill('a-rather-long-directory-name'))
    await mkdir(home, { recursive: true })
    const server = await serve(home, async () => 0)
    expect(Buffer.byteLength(server.path)).toBeLessThanOrEqual(100)
    expect(await readFile(join(home, 'run', 'control.path'), 'utf8')).toBe(server.path)
    expect((await stat(join(server.path, '..'))).mode & 0o777).toBe(0o700)
    expect(await findSocketPath(home)).toBe(server.path)
    expect(await forward(home, invocation('ls'), io())).toMatchObject({ kind: 'done' })
  })

  test('CLI Ctrl-C reaches the command, and so does going away', async () => {
    const home = await temporaryHome()
    const ended: string[] = []
    await serve(home, async command => { await command.out.write('begun'); await aborted(command.signal); ended.push(command.invocation.command); return 1 })
    const abort = new AbortController()
    const stopped = forward(home, invocation('verify'), { ...io(), out: { write: async () => { abort.abort() } }, signal: abort.signal })
    expect(await stopped).toMatchObject({ kind: 'done', code: 1 })
    await expect(forward(home, invocation('cat'), { ...io(), out: { write: async () => { throw new Error('the reader has gone') } } })).rejects.toThrow('the reader has gone')
    await expect.poll(() => ended).toEqual(['verify', 'cat'])
  })

  test('CLI a refusal names its reason, and another version of the protocol is refused', async () => {
    const home = await temporaryHome()
    const server = await serve(home, async () => 0, { refuse: asked => asked.command === 'mirror' ? 'needs-peers' : null })
    expect(await forward(home, invocation('mirror'), io())).toEqual({ kind: 'refused', reason: 'needs-peers' })
    expect(await firstFrame(server.path, encodeJson(Kind.request, { version: 2, invocation: 'unheard of' }))).toMatchObject({ kind: Kind.refused })
  })

  test('CLI what is not the protocol ends that connection and nothing else', async () => {
    const home = await temporaryHome()
    const server = await serve(home, async () => 0)
    for (const wrong of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), encodeFrame(Kind.request, Buffer.from('{')), encodeJson(Kind.request, { version: 1, invocation: { command: 1 } }), encodeFrame(Kind.out)]) {
      expect((await firstFrame(server.path, wrong)).kind).toBe(Kind.err)
    }
    expect(await forward(home, invocation('ls'), io())).toMatchObject({ kind: 'done' })
  })

  test('CLI a holder that ends midway is told; before it took the command it was as if it were not there', async () => {
    const home = await temporaryHome()
    const server = await serve(home, async command => { await command.out.write('x'); await aborted(command.signal); return 0 })
    const here = { ...io(), out: { write: async () => { await server.close({ stop: AbortSignal.abort(), graceMs: 0 }) } } }
    await expect(forward(home, invocation('put'), here)).rejects.toBeInstanceOf(HolderGoneError)
    await expect(forward(home, invocation('put'), io())).resolves.toEqual({ kind: 'absent' })
  })

  test('CLI a person who stops a command whose holder has died sees it as interrupted', async () => {
    const home = await temporaryHome()
    const server = await serve(home, async command => { await command.out.write('x'); return new Promise<number>(() => { /* hangs */ }) })
    const abort = new AbortController()
    const out = { write: async () => { abort.abort(); await server.close({ stop: AbortSignal.abort(), graceMs: 0 }) } }
    await expect(forward(home, invocation('put'), { ...io(), out, signal: abort.signal })).rejects.toBeInstanceOf(InterruptedError)
  })
})

describe('the end of a holder', () => {
  test('CLI it waits for what it runs for others, and hands back what lasts', async () => {
    const home = await temporaryHome()
    const begun: ServedCommand[] = []
    let finishPut = (): void => undefined
    const server = await serve(home, async command => {
      begun.push(command)
      if (command.invocation.command === 'put') await new Promise<void>(resolve => { finishPut = resolve })
      else await aborted(command.signal)
      return 0
    }, { lasts: asked => asked.command === 'mirror' })
    const put = forward(home, invocation('put'), io({ signal: never2() }))
    const mirror = forward(home, invocation('mirror'), io({ signal: never2() }))
    await expect.poll(() => begun.length).toBe(2)
    const closing = server.close({ stop: new AbortController().signal, graceMs: 0 })
    expect(await mirror).toEqual({ kind: 'done', code: 0, again: true })
    expect(await forward(home, invocation('ls'), io())).toEqual({ kind: 'absent' })
    finishPut()
    expect(await put).toEqual({ kind: 'done', code: 0, again: false })
    await closing
  })
})

/** Sends raw bytes and gives the first frame that comes back. */
async function firstFrame (path: string, bytes: Uint8Array): Promise<Frame> {
  return new Promise((resolve, reject) => {
    const decode = createFrameDecoder()
    const socket = connect(path, () => socket.write(bytes))
    socket.on('error', reject)
    socket.on('data', (data: Buffer) => { const [frame] = decode(data); if (frame !== undefined) { socket.destroy(); resolve(frame) } })
  })
}

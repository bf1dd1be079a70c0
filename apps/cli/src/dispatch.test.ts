import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { serveControl, type ControlServer, type ControlServerOptions } from './control/server.js'
import { dispatch, type DispatchOptions } from './dispatch.js'
import { ControlProtocolError, HomeBusyError } from './errors.js'
import type { Invocation } from './invocation.js'
import { memoryOutput } from './output.js'
import type { Session } from './session.js'
import type { TalkIo } from './talk.js'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => { for (const cleanup of cleanups.splice(0).reverse()) await cleanup() })

const ls: Invocation = { command: 'ls', args: [], options: {}, cwd: '/', json: false, quiet: false, columns: null }
const mirror: Invocation = { ...ls, command: 'mirror' }
const io = (): TalkIo => ({ out: memoryOutput(), err: memoryOutput(), stdin: async function * () { /* none */ }, signal: new AbortController().signal, now: Date.now })
const lasts = (asked: Invocation): boolean => asked.command === 'mirror'

async function temporaryHome (): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'hf-'))
  cleanups.push(async () => rm(home, { recursive: true, force: true }))
  return home
}
async function holder (home: string, run: ControlServerOptions['run'], refuse: ControlServerOptions['refuse'] = () => null): Promise<ControlServer> {
  const server = await serveControl({ home, run, refuse, lasts })
  cleanups.push(async () => server.close({ stop: AbortSignal.abort(), graceMs: 0 }))
  return server
}
/** A home that opens here after so many attempts, and records what ran. */
function opens (home: string, ran: string[], lockedFor = 0): DispatchOptions {
  let attempts = 0
  const session: Session = { run: async asked => { ran.push(asked.command); return 0 }, close: async () => { ran.push('closed') } }
  return { home, lasts, patienceMs: 300, open: async () => attempts++ < lockedFor ? 'locked' : session }
}

describe('where a command runs', () => {
  test('CLI here when nobody holds the home, which is closed after it', async () => {
    const ran: string[] = []
    expect(await dispatch(ls, io(), opens(await temporaryHome(), ran))).toBe(0)
    expect(ran).toEqual(['ls', 'closed'])
  })

  test('CLI in the holder when there is one', async () => {
    const home = await temporaryHome()
    await holder(home, async () => 3)
    const ran: string[] = []
    expect(await dispatch(ls, io(), opens(home, ran))).toBe(3)
    expect(ran).toEqual([])
  })

  test('CLI a home that is locked for a moment is waited for', async () => {
    const ran: string[] = []
    expect(await dispatch(ls, io(), opens(await temporaryHome(), ran, 3))).toBe(0)
    expect(ran).toEqual(['ls', 'closed'])
  })

  test('CLI a holder that appears while waiting is used', async () => {
    const home = await temporaryHome()
    const options = opens(home, [], Infinity)
    let attempts = 0
    const open: DispatchOptions['open'] = async asked => { if (++attempts === 2) await holder(home, async () => 1); return options.open(asked) }
    expect(await dispatch(ls, io(), { ...options, open })).toBe(1)
  })

  test('CLI a home that stays locked is given up with a bound', async () => {
    await expect(dispatch(ls, io(), opens(await temporaryHome(), [], Infinity))).rejects.toBeInstanceOf(HomeBusyError)
  })

  test('CLI a holder that cannot run it is waited for, then it runs here', async () => {
    const home = await temporaryHome()
    let refusals = 0
    const server: ControlServer = await holder(home, async () => 0, () => { if (++refusals === 2) void server.close({ stop: AbortSignal.abort(), graceMs: 0 }); return 'needs-peers' })
    const ran: string[] = []
    expect(await dispatch(mirror, io(), { ...opens(home, ran), patienceMs: 10_000 })).toBe(0)
    expect(ran).toEqual(['mirror', 'closed'])
    expect(refusals).toBe(2)
  })

  test('CLI a holder of another version is told at once', async () => {
    const home = await temporaryHome()
    await holder(home, async () => 0, () => 'version')
    await expect(dispatch(ls, io(), opens(home, []))).rejects.toBeInstanceOf(ControlProtocolError)
  })

  test('CLI a mirror goes on here when the process that ran it ends', async () => {
    const home = await temporaryHome()
    const server = await holder(home, async ({ signal }) => new Promise<number>(resolve => {
      signal.addEventListener('abort', () => { resolve(0) })
      void server.close({ stop: new AbortController().signal, graceMs: 0 })
    }))
    const ran: string[] = []
    expect(await dispatch(mirror, io(), opens(home, ran))).toBe(0)
    expect(ran).toEqual(['mirror', 'closed'])
  })
})

import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The built command line, as a person runs it. */
export const HOLDFAST = fileURLToPath(new URL('../../../apps/cli/dist/main.js', import.meta.url))

export interface ProcessOptions {
  cwd: string
  env?: Readonly<Record<string, string>>
  /** What it finds on standard input; nothing, when absent. */
  input?: string | Uint8Array
}

/** One JSON object of a stream of events. */
export type JsonLine = Readonly<Record<string, unknown>>

export interface ProcessResult { code: number | null, signal: NodeJS.Signals | null, stdout: string, stderr: string, bytes: Uint8Array }

export interface RunningProcess {
  readonly pid: number
  /** JSON lines so far. */
  readonly events: readonly JsonLine[]
  readonly stderr: string
  /** The first event, from `after` on, that satisfies the condition. Throws when it does not come in time, or the process ends before. */
  event (matches: (event: JsonLine) => boolean, options?: { within?: number, after?: number, what?: string }): Promise<JsonLine>
  readonly ended: Promise<ProcessResult>
  /** SIGTERM, and waits. Throws when it does not end by itself in time. */
  stop (within?: number): Promise<ProcessResult>
  /** SIGKILL: the power cut of a process. */
  kill (): Promise<ProcessResult>
}

/** The environment without this machine's own Holdfast. */
function environment (extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined && !pair[0].startsWith('HOLDFAST_') && pair[0] !== 'NODE_OPTIONS')
  return { ...Object.fromEntries(kept), ...extra }
}

export function startProcess (args: readonly string[], options: ProcessOptions): RunningProcess {
  const child = spawn(process.execPath, [HOLDFAST, ...args], { cwd: options.cwd, env: environment(options.env), stdio: ['pipe', 'pipe', 'pipe'] })
  const watch = watchOutput(child)
  // A command that does not read its input closes it: that is no failure of the test.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const ended = new Promise<ProcessResult>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => { watch.wake(); resolve({ code, signal, ...watch.result() }) })
  })
  const signalled = async (signal: NodeJS.Signals): Promise<ProcessResult> => { child.kill(signal); return ended }
  return {
    pid: child.pid ?? -1,
    get events () { return watch.events },
    get stderr () { return watch.result().stderr },
    ended,
    event: async (matches, { within = 30_000, after = 0, what = 'an event' } = {}) => {
      const deadline = performance.now() + within
      for (let at = after; ; at++) {
        while (at >= watch.events.length) await watch.more(child, deadline, `${what}; it said ${JSON.stringify(watch.events)} ${watch.result().stderr}`)
        if (matches(watch.events[at]!)) return watch.events[at]!
      }
    },
    stop: async (within = 20_000) => withBound(signalled('SIGTERM'), within, () => { child.kill('SIGKILL') }),
    kill: async () => signalled('SIGKILL')
  }
}

interface OutputWatch {
  readonly events: JsonLine[]
  wake (): void
  more (child: ChildProcess, deadline: number, what: string): Promise<void>
  result (): { stdout: string, stderr: string, bytes: Uint8Array }
}

function watchOutput (child: ChildProcess): OutputWatch {
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const events: JsonLine[] = []
  const waiting = new Set<() => void>()
  let line = ''
  const wake = (): void => { for (const go of waiting) go(); waiting.clear() }
  child.stdout?.on('data', (chunk: Buffer) => {
    out.push(chunk)
    const lines = (line + chunk.toString('utf8')).split('\n')
    line = lines.pop() ?? ''
    for (const text of lines) if (text.startsWith('{')) try { events.push(JSON.parse(text) as JsonLine) } catch { /* output that is not JSON is in stdout all the same */ }
    wake()
  })
  child.stderr?.on('data', (chunk: Buffer) => { err.push(chunk) })
  return {
    events, wake,
    more: async (process, deadline, what) => {
      if (process.exitCode !== null || process.signalCode !== null) throw new Error(`the process ended before ${what}`)
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`not in time: ${what}`)
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>(resolve => { waiting.add(resolve); timer = setTimeout(resolve, left) })
      clearTimeout(timer)
    },
    result: () => ({ stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8'), bytes: Buffer.concat(out) })
  }
}

async function withBound (ended: Promise<ProcessResult>, within: number, force: () => void): Promise<ProcessResult> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => { force(); reject(new Error(`the process did not stop within ${within} ms of SIGTERM`)) }, within) })
  try { return await Promise.race([ended, late]) } finally { clearTimeout(timer) }
}

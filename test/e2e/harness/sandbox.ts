import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProcess, type ProcessOptions, type ProcessResult, type RunningProcess } from './running-process.js'

/** A directory of its own for one test, and the processes started in it. */
export interface Sandbox {
  readonly directory: string
  /** A new directory in it. */
  make (name: string): Promise<string>
  start (args: readonly string[], options?: Partial<ProcessOptions>): RunningProcess
  run (args: readonly string[], options?: Partial<ProcessOptions> & { within?: number }): Promise<CommandResult>
  /** Ends what still runs and removes everything. */
  close (): Promise<void>
}

export interface CommandResult extends ProcessResult {
  /** What it printed, as one JSON value. */
  json<T = unknown> (): T
  /** The error that `--json` put on stderr. */
  error (): { name: string, family: string, message: string, remedy: string }
}

export async function createSandbox (): Promise<Sandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'))
  const running = new Set<RunningProcess>()
  const start: Sandbox['start'] = (args, options = {}) => {
    // HOME is in the sandbox, so that no default leads to the person's own files.
    const process = startProcess(args, { cwd: directory, ...options, env: { HOME: directory, ...options.env } })
    running.add(process)
    process.ended.then(() => running.delete(process), () => running.delete(process))
    return process
  }
  return {
    directory, start,
    make: async name => { const path = join(directory, name); await mkdir(path, { recursive: true }); return path },
    run: async (args, options = {}) => {
      const process = start(args, options)
      const within = options.within ?? 60_000
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => { reject(new Error(`holdfast ${args.join(' ')} did not end within ${within} ms: ${process.stderr}`)) }, within) })
      try { return describeResult(args, await Promise.race([process.ended, late])) } finally { clearTimeout(timer) }
    },
    close: async () => {
      await Promise.all([...running].map(async process => process.kill()))
      await rm(directory, { recursive: true, force: true, maxRetries: 3 })
    }
  }
}

function describeResult (args: readonly string[], result: ProcessResult): CommandResult {
  const parse = (text: string, where: string): unknown => {
    try { return JSON.parse(text) } catch { throw new Error(`holdfast ${args.join(' ')} put no JSON on ${where} (exit ${result.code}): ${result.stdout}${result.stderr}`) }
  }
  return {
    ...result,
    json: <T>() => parse(result.stdout, 'stdout') as T,
    error: () => (parse(result.stderr.trim().split('\n').at(-1) ?? '', 'stderr') as { error: ReturnType<CommandResult['error']> }).error
  }
}

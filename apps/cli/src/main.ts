#!/usr/bin/env node
import { homeLayout } from '@holdfast/client/home'
import { existsSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { lasts, standaloneHandlerOf } from './commands/registry.js'
import { dispatch } from './dispatch.js'
import { FAILED, type ExitCode } from './errors.js'
import { streamOutput } from './output.js'
import { parseCommandLine, type Parsed } from './program.js'
import { runToExit } from './run.js'
import { createTalk, type TalkIo } from './talk.js'

/** The process: arguments, streams and signals in, an exit code out. */
async function main (): Promise<ExitCode> {
  const abort = new AbortController()
  watchSignals(abort)
  const out = streamOutput(process.stdout, () => { abort.abort() })
  const err = streamOutput(process.stderr)
  const io: TalkIo = { out, err, stdin: () => process.stdin, signal: abort.signal, now: Date.now }
  const json = process.argv.includes('--json')
  return runToExit(async () => {
    const answers: string[] = []
    const parsed = parseCommandLine(process.argv.slice(2), { env: process.env, cwd: process.cwd(), columns: terminalColumns(), write: text => { answers.push(text) } })
    await out.write(answers.join(''))
    return parsed.kind === 'answered' ? 0 : runCommand(parsed, io)
  }, { err, json, signal: abort.signal })
}

async function runCommand ({ invocation, home }: Extract<Parsed, { kind: 'run' }>, io: TalkIo): Promise<ExitCode> {
  const standalone = standaloneHandlerOf(invocation.command)
  if (standalone !== undefined) return standalone({ ...createTalk(invocation, io), home }, invocation.args, invocation.options)
  return dispatch(invocation, io, {
    home, lasts,
    open: async wanted => {
      // Compiled code is kept between runs: it saves a quarter of the start. Only the owner can write there.
      if (existsSync(homeLayout(home).keyring)) enableCompileCache(join(homeLayout(home).run, 'code'))
      // Loaded only now: a command that another process runs for us needs none of it.
      const { openSession } = await import('./open-session.js')
      return openSession(home, { live: lasts(wanted), talk: createTalk(invocation, io) })
    }
  })
}

const terminalColumns = (): number | null => process.stderr.isTTY ? process.stderr.columns || 80 : null

/** The first signal ends the work in good order; the second ends the process as it is. */
function watchSignals (abort: AbortController): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (abort.signal.aborted) process.exit(FAILED)
      abort.abort()
    })
  }
}

// What libraries keep open (timers, sockets that linger) must not keep a finished command alive.
process.exit(await main())

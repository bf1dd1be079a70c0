import type { Client } from '@holdfast/client'
import { handlerOf, lasts } from './commands/registry.js'
import type { CommandContext, Holder } from './context.js'
import { serveControl, type ControlServer, type Refusal } from './control/server.js'
import type { ExitCode } from './errors.js'
import type { Invocation } from './invocation.js'
import { runToExit } from './run.js'
import { createTalk, type TalkIo } from './talk.js'

/** How long commands that others run through us may go on once this process was told to stop. */
const GRACE_MS = 15_000

/** One process's time with a home open: runs its own command, and those of other processes that ask. */
export interface Session {
  run (invocation: Invocation, io: TalkIo): Promise<ExitCode>
  /** Lets the commands of others finish (with a bound once `stop` is aborted), then closes the home. */
  close (stop: AbortSignal): Promise<void>
}

export async function createSession (home: string, client: Client, live: boolean): Promise<Session> {
  const holder: Holder = { home, live, mirrors: new Map() }
  const run = async (invocation: Invocation, io: TalkIo): Promise<ExitCode> => runToExit(async () => {
    const handler = handlerOf(invocation.command)
    const context: CommandContext = { ...createTalk(invocation, io), client, holder }
    return handler(context, invocation.args, invocation.options)
  }, { err: io.err, json: invocation.json, signal: io.signal })

  const refuse = (invocation: Invocation): Refusal | null => lasts(invocation) && !live ? 'needs-peers' : null
  const server: ControlServer = await serveControl({
    home, refuse, lasts,
    run: async ({ invocation, stdin, ...io }) => run(invocation, { ...io, stdin: () => stdin, now: Date.now })
  })
  return {
    run,
    close: async stop => {
      try { await server.close({ stop, graceMs: GRACE_MS }) } finally { await client.close() }
    }
  }
}

import { forward } from './control/client.js'
import type { Refusal } from './control/server.js'
import { ControlProtocolError, HomeBusyError, InterruptedError, HolderGoneError, type ExitCode } from './errors.js'
import type { Invocation } from './invocation.js'
import type { Session } from './session.js'
import type { TalkIo } from './talk.js'

/** How long a command waits for a home that another process holds without answering. */
const HOLDER_PATIENCE_MS = 30_000
const FIRST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 200

export interface DispatchOptions {
  home: string
  /** Opens the home in this process, or says that another has it. */
  open: (invocation: Invocation) => Promise<Session | 'locked'>
  /** The command runs until stopped: if its holder ends, it goes on here. */
  lasts: (invocation: Invocation) => boolean
  patienceMs?: number
}

/**
 * Runs a command on a home: through the process that holds it if there is one, otherwise here. The holder may
 * come or go between the two steps, so they are tried in turn until one of them works or patience ends.
 */
export async function dispatch (invocation: Invocation, io: TalkIo, options: DispatchOptions): Promise<ExitCode> {
  const { home, patienceMs = HOLDER_PATIENCE_MS } = options
  let waitingSince = io.now()
  let pause = FIRST_PAUSE_MS
  for (;;) {
    const answer = await ask(invocation, io, options)
    if (answer.kind === 'done' && !(answer.again && !io.signal.aborted)) return answer.code as ExitCode
    if (answer.kind === 'refused') checkRefusal(answer.reason)
    if (answer.kind === 'done') { waitingSince = io.now(); pause = FIRST_PAUSE_MS }
    if (answer.kind !== 'refused') {
      const session = await options.open(invocation)
      if (session !== 'locked') return runHere(session, invocation, io)
    }
    if (io.signal.aborted) throw new InterruptedError()
    if (io.now() - waitingSince > patienceMs) throw new HomeBusyError(home, Math.round(patienceMs / 1000))
    await new Promise(resolve => setTimeout(resolve, pause))
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
  }
}

async function ask (invocation: Invocation, io: TalkIo, options: DispatchOptions): ReturnType<typeof forward> {
  try { return await forward(options.home, invocation, io) } catch (error) {
    if (error instanceof HolderGoneError && options.lasts(invocation)) return { kind: 'absent' }
    throw error
  }
}

function checkRefusal (reason: Refusal): void {
  if (reason === 'version') throw new ControlProtocolError('the process that holds this home is another version of Holdfast')
}

async function runHere (session: Session, invocation: Invocation, io: TalkIo): Promise<ExitCode> {
  let code: ExitCode
  try { code = await session.run(invocation, io) } finally { await session.close(io.signal) }
  return code
}

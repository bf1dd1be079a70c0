import { FAILED, OutputClosedError, InterruptedError, debugTrace, exitCodeOf, renderError, type ExitCode } from './errors.js'
import type { Output } from './output.js'

/** Runs a command and turns what it throws into a line on stderr and an exit code. Never rejects. */
export async function runToExit (task: () => Promise<ExitCode>, surroundings: { err: Output, json: boolean, signal: AbortSignal }): Promise<ExitCode> {
  const { err, json, signal } = surroundings
  try {
    return await task()
  } catch (thrown) {
    if (thrown instanceof OutputClosedError) return FAILED
    const error = signal.aborted ? new InterruptedError() : thrown
    // The reader of stderr may be gone as well; the exit code still tells.
    await err.write(debugTrace(thrown) + renderError(error, json)).catch(() => undefined)
    return exitCodeOf(error)
  }
}

/** Awaits a condition with a bound. Looks again at once when the machine is quick, more slowly when it is not. */
export interface EventuallyOptions {
  /** Milliseconds. */
  within?: number
  /** What was awaited, for the error. */
  what: string
  /** Milliseconds between two looks at most; what is measured asks for few. */
  longestPause?: number
}

const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 100

/** Calls `check` until it gives something other than undefined or false without throwing. Throws with the last failure when the bound passes. */
export async function eventually<T> (check: () => Promise<T | undefined | false> | T | undefined | false, { within = 20_000, what, longestPause = LONGEST_PAUSE_MS }: EventuallyOptions): Promise<T> {
  const deadline = performance.now() + within
  let pause = FIRST_PAUSE_MS
  for (;;) {
    let failure: unknown = 'it stayed false'
    try {
      const result = await check()
      if (result !== undefined && result !== false) return result
    } catch (error) { failure = error }
    if (performance.now() > deadline) {
      throw new Error(`not within ${within} ms: ${what} (${failure instanceof Error ? failure.message : String(failure)})`, { cause: failure })
    }
    await new Promise(resolve => { setTimeout(resolve, pause) })
    pause = Math.min(pause * 1.5, longestPause)
  }
}

import type { Clock } from '@holdfast/protocol'

interface Timer { at: number, order: number, callback: () => void }

/** Time that passes only when everything that could happen now has happened. */
export interface VirtualClock extends Clock {
  /** Lets due things happen, in order of time, until `condition` holds or `ms` have passed. Resolves to whether it held. */
  runUntil (condition: () => boolean, ms: number): Promise<boolean>
  sleep (ms: number): Promise<void>
  /** Resolves when what was started has no more to do before time passes. */
  settle (): Promise<void>
}

const START = Date.UTC(2030, 0, 1)
/** Turns of the event loop without work before "nothing more happens": streams and libraries use a few. */
const QUIET_TURNS = 3

export function createVirtualClock (): VirtualClock {
  let now = START
  let order = 0
  const timers = new Set<Timer>()

  function schedule (ms: number, callback: () => void): () => void {
    const timer = { at: now + Math.ceil(Math.max(0, ms)), order: order++, callback }
    timers.add(timer)
    return () => { timers.delete(timer) }
  }

  async function settle (): Promise<void> {
    for (let turn = 0; turn < QUIET_TURNS; turn++) await new Promise<void>(resolve => { setImmediate(resolve) })
  }

  function next (): Timer | undefined {
    let first: Timer | undefined
    for (const timer of timers) if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer
    return first
  }

  return {
    now: () => now,
    schedule,
    settle,
    sleep: async ms => new Promise(resolve => { schedule(ms, resolve) }),
    async runUntil (condition, ms) {
      const end = now + ms
      await settle()
      while (!condition()) {
        const timer = next()
        if (timer === undefined || timer.at > end) { now = end; return condition() }
        timers.delete(timer)
        now = Math.max(now, timer.at)
        timer.callback()
        await settle()
      }
      return true
    }
  }
}

import { randomBytes } from 'node:crypto'
import type { Clock, Random } from '@holdfast/protocol'

/** The machine's clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  schedule: (ms, callback) => {
    const timer = setTimeout(callback, ms)
    return () => { clearTimeout(timer) }
  }
}

/** The operating system's random numbers. */
export const systemRandom: Random = { bytes: length => new Uint8Array(randomBytes(length)) }

import type { Clock, Random } from '@holdfast/protocol'
import { randomBytes } from 'node:crypto'

export const systemClock: Clock = {
  now: () => Date.now(),
  schedule (ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => { clearTimeout(timer) }
  }
}

export const systemRandom: Random = { bytes: length => new Uint8Array(randomBytes(length)) }

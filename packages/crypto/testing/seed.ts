import type { Random } from '@holdfast/protocol'

/** Settings of a property test: fast-check prints the seed of a failure; HOLDFAST_SEED repeats it. */
export function runs (count: number): { numRuns: number, seed: number } {
  return { numRuns: count, seed: Number(process.env['HOLDFAST_SEED'] ?? Date.now() & 0x7fffffff) }
}

export const random: Random = { bytes: length => crypto.getRandomValues(new Uint8Array(length)) }

/** Gives these bytes once each, in this order; any other request is an error. */
export function scriptedRandom (...values: Uint8Array[]): Random {
  const left = [...values]
  return {
    bytes (length) {
      const next = left.shift()
      if (next?.length !== length) throw new Error(`${length} random bytes were asked for, ${next?.length ?? 'none'} are scripted`)
      return next
    }
  }
}

import type { Random } from '@holdfast/protocol'

/** Everything that chance decides in a schedule comes from one seed (mulberry32). */
export interface Seeded extends Random {
  /** In [0, 1). */
  next (): number
  integer (below: number): number
  chance (probability: number): boolean
  pick<T> (items: readonly T[]): T
  /** A stream of its own: what one part draws does not shift what another part gets. */
  fork (label: string): Seeded
}

export function createSeeded (seed: number): Seeded {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (below: number): number => Math.floor(next() * below)
  return {
    next,
    integer,
    chance: probability => next() < probability,
    pick: items => items[integer(items.length)]!,
    bytes: length => Uint8Array.from({ length }, () => integer(256)),
    fork (label) {
      let hash = seed ^ 0x9e3779b9
      for (const character of label) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193)
      return createSeeded(hash)
    }
  }
}

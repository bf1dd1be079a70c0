import { counterOf, type VersionVector } from '@holdfast/protocol'
import type { Stamp } from './registers.js'

/** The order of stamps: when, then by whom (nobody first, then by key), then the counter. */
export function compareStamps (a: Stamp, b: Stamp): number {
  if (a.when !== b.when) return a.when - b.when
  if (a.by !== b.by) {
    if (a.by === null) return -1
    if (b.by === null) return 1
    return a.by < b.by ? -1 : 1
  }
  return a.seq - b.seq
}

/** MAN-4: true when whoever had seen `vector` had seen what carries this stamp. */
export const isCovered = (stamp: Stamp, vector: VersionVector): boolean =>
  stamp.by === null || counterOf(vector, stamp.by) >= stamp.seq

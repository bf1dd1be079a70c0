import type { DeviceId } from './ids.js'

/** ROOT-1: device → counter of its newest root that is contained. */
export type VersionVector = Readonly<Record<DeviceId, number>>

export const counterOf = (vector: VersionVector, device: DeviceId): number => vector[device] ?? 0

/** True when everything that `b` contains, `a` contains too. */
export const dominates = (a: VersionVector, b: VersionVector): boolean =>
  (Object.entries(b) as [DeviceId, number][]).every(([device, counter]) => counterOf(a, device) >= counter)

/** Pointwise maximum: what a device knows after merging both. */
export function mergeVectors (a: VersionVector, b: VersionVector): VersionVector {
  const merged: Record<DeviceId, number> = { ...a }
  for (const [device, counter] of Object.entries(b) as [DeviceId, number][]) merged[device] = Math.max(counterOf(merged, device), counter)
  return merged
}

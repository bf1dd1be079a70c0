import { InvalidArgumentError, counterOf, dominates, encode, equalBytes, type DeviceId } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { rootFields, type Root } from './root.js'

export interface RootAt { readonly root: Root, readonly cid: CID }

/**
 * ROOT-3: two roots that one device signed and that cannot both be honest.
 * - fork: the same counter, different contents
 * - rollback: the higher counter contains less than the lower: `lost` names whose roots went back
 */
export interface HeadEvidence {
  readonly evidence: 'rollback' | 'fork'
  readonly device: DeviceId
  readonly previous: CID
  readonly next: CID
  readonly lost: readonly DeviceId[]
}

export type HeadVerdict = 'newer' | 'same' | 'older' | HeadEvidence

/**
 * ROOT-3: compares the newest root known of a device with another one of it. `older` is an honest root that was
 * late or kept by a node that lags. Throws InvalidArgumentError for roots of two devices or vaults.
 */
export function examineHead (previous: RootAt | null, next: RootAt): HeadVerdict {
  if (previous === null) return 'newer'
  const a = previous.root
  const b = next.root
  if (a.device !== b.device || a.vault !== b.vault) throw new InvalidArgumentError('two roots of one device and vault are compared')
  const evidence = { device: a.device, previous: previous.cid, next: next.cid }
  if (a.counter === b.counter) {
    // The contents decide, not the CIDs: a signature could be written in two ways without the device's doing.
    return equalBytes(encode(rootFields(a)), encode(rootFields(b))) ? 'same' : { evidence: 'fork', ...evidence, lost: [] }
  }
  const [earlier, later] = a.counter < b.counter ? [a, b] : [b, a]
  if (dominates(later.vector, earlier.vector)) return later === b ? 'newer' : 'older'
  const lost = (Object.keys(earlier.vector) as DeviceId[]).filter(device => counterOf(later.vector, device) < counterOf(earlier.vector, device)).sort()
  return { evidence: 'rollback', ...evidence, lost }
}

import {
  BlockNotFoundError, dominates, HoldfastError, signReceipt, type BlockStore, type CallOptions, type Clock, type HeadName, type Receipt, type ReceiptAnswer, type Signer, type VaultId, type VersionVector
} from '@holdfast/protocol'
import { readRoot } from '@holdfast/roots'
import type { CID } from 'multiformats/cid'
import { isRevoked } from './accounts.js'
import type { Audit } from './audit.js'
import type { Completeness } from './completeness.js'
import type { PinnerEvent } from './events.js'
import type { Heads } from './heads.js'
import { requireOperator, type Principal } from './principal.js'
import type { Head, Pin, Registry } from './registry.js'

/** Asked about a pin that the operator never set. */
export class NotPinnedError extends HoldfastError {
  override readonly name = 'NotPinnedError'
  readonly family = 'invalid'
  constructor (readonly cid: string) {
    super(`${cid} is not pinned by hand`, 'List the pins. What a head keeps goes when its device publishes a newer root.', { cid })
  }
}

/** Which roots are kept, and what may be promised about them. */
export interface Pins {
  /** NODE-4. The root has to be the newest of a head of this vault; BlockNotFoundError otherwise. */
  receipt (principal: Principal, vault: VaultId, root: CID, options?: CallOptions): Promise<ReceiptAnswer>
  /** Looks again at heads whose newest root is not known to be wholly here. */
  settleAll (options?: CallOptions): Promise<void>
  /** HEAD-2: lets go of heads that another head's complete root has contained for the grace period. */
  releaseDominated (options?: CallOptions): Promise<void>
  /** The operator's own pins, as in Kubo. A recursive pin needs all blocks here: BlockNotFoundError otherwise. */
  add (principal: Principal, cid: CID, recursive: boolean, options?: CallOptions): Promise<void>
  remove (principal: Principal, cid: CID): Promise<void>
  list (principal: Principal): Pin[]
  roots (principal: Principal): { name: HeadName, root: CID }[]
}

interface Components { registry: Registry, heads: Heads, blocks: BlockStore, completeness: Completeness, audit: Audit, clock: Clock, signer: Signer, headGraceMs: number, emit: (event: PinnerEvent) => void }

export function createPins ({ registry, heads, blocks, completeness, audit, clock, signer, headGraceMs, emit }: Components): Pins {
  const rewrite = async (name: HeadName, change: (head: Head) => Head | undefined, durable: boolean): Promise<void> => heads.lock.run(async () => {
    const head = registry.head.get(name)
    const changed = head === undefined ? undefined : change(head)
    if (changed !== undefined) await registry.write([{ kind: 'head', id: name, value: changed }], { durable })
  })
  /** Empty when complete; then the head's pin is at this root or a newer one, durably. */
  const settle = async (head: Head, root: CID, options: CallOptions): Promise<readonly CID[]> => {
    const owner = `vault:${head.vault}` as const
    const missing = await completeness.settle(root, owner, options)
    if (missing.length > 0 || head.root?.equals(root) !== true || head.pinnedSequence === head.sequence) return missing
    // Only now does the previous root's pin go: an incomplete root never displaces a complete one. The head may have
    // moved on meanwhile to a root that is not whole yet, so this one is pinned all the same.
    await rewrite(head.name, now => now.pinnedSequence < head.sequence ? { ...now, pinned: root, pinnedSequence: head.sequence } : undefined, true)
    // A collection that marked before there was this pin may have taken something: what is whole now, stays.
    return completeness.settle(root, owner, options)
  }
  return {
    async receipt (principal, vault, root, options = {}) {
      heads.requireVault(principal, vault)
      const named = registry.headsOf(vault).filter(head => head.root?.equals(root) === true || head.pinned?.equals(root) === true)
      const head = named.find(candidate => !candidate.released) ?? named[0]
      if (head === undefined) throw new BlockNotFoundError(root.toString())
      // Somebody still relies on this root, so it is kept again.
      if (head.released) await rewrite(head.name, now => ({ ...now, released: false, dominatedAt: null }), true)
      // What was complete once is so only as long as the disk keeps it.
      await audit.recent(options)
      const missing = await settle(head, root, options)
      if (missing.length > 0) return { missing: [...missing] }
      const receipt: Receipt = await signReceipt(signer, { vault, root, at: clock.now() })
      return { receipt }
    },
    async settleAll (options = {}) {
      for (const head of registry.head.values()) {
        if (head.root === null || head.released || head.pinned?.equals(head.root) === true) continue
        try { await settle(head, head.root, options) } catch (error) {
          options.signal?.throwIfAborted()
          emit({ type: 'error', error })
        }
      }
    },
    async releaseDominated (options = {}) {
      for (const vault of registry.vault.values()) {
        const all = await readVectors(registry, blocks, registry.headsOf(vault.id), options)
        const rulers = all.filter(({ head }) => head.pinned !== null && !isRevoked(registry, head.device, vault.account))
        for (const { head, newest } of all) {
          if (head.released || newest === null) continue
          const dominated = rulers.some(ruler => ruler.head.name !== head.name && contains(ruler.pinned, newest, ruler.head.name < head.name))
          await rewrite(head.name, now => judged(now, head, dominated, clock.now(), headGraceMs), false)
        }
      }
    },
    async add (principal, cid, recursive, options = {}) {
      requireOperator(principal)
      const here = async (): Promise<void> => {
        const [missing] = recursive ? await completeness.settle(cid, 'pins', options) : await blocks.has(cid, options) ? [] : [cid]
        if (missing !== undefined) throw new BlockNotFoundError(missing.toString())
      }
      const id = cid.toString()
      const former = registry.pin.get(id)
      await here()
      await registry.write([{ kind: 'pin', id, value: { cid, recursive } }], { durable: true })
      // As for heads: looked at again, now that it is marked.
      try { await here() } catch (error) {
        await registry.write([{ kind: 'pin', id, value: former }], { durable: true })
        throw error
      }
    },
    async remove (principal, cid) {
      requireOperator(principal)
      if (!registry.pin.has(cid.toString())) throw new NotPinnedError(cid.toString())
      await registry.write([{ kind: 'pin', id: cid.toString(), value: undefined }], { durable: true })
    },
    list (principal) {
      requireOperator(principal)
      return [...registry.pin.values()]
    },
    roots (principal) {
      requireOperator(principal)
      return [...registry.head.values()].flatMap(({ name, pinned }) => pinned === null ? [] : [{ name, root: pinned }])
    }
  }
}

/** Two heads with one vector contain each other: the one with the smaller name stays. */
const contains = (ruler: VersionVector | null, ruled: VersionVector, winsTies: boolean): boolean =>
  ruler !== null && dominates(ruler, ruled) && (winsTies || !dominates(ruled, ruler))

function judged (now: Head, seen: Head, dominated: boolean, at: number, grace: number): Head | undefined {
  // A newer record came meanwhile: the verdict was about the former root.
  if (now.sequence !== seen.sequence) return undefined
  if (!dominated) return now.dominatedAt === null ? undefined : { ...now, dominatedAt: null }
  const since = now.dominatedAt ?? at
  if (at - since >= grace) return { ...now, dominatedAt: since, released: true, pinned: null, pinnedSequence: -1 }
  return now.dominatedAt === null ? { ...now, dominatedAt: at } : undefined
}

interface Vectors { head: Head, /** of the newest accepted root */ newest: VersionVector | null, /** of the pinned root */ pinned: VersionVector | null }

async function readVectors (registry: Registry, blocks: BlockStore, heads: readonly Head[], options: CallOptions): Promise<Vectors[]> {
  const vectorOf = async (cid: CID | null): Promise<VersionVector | null> => {
    if (cid === null) return null
    try { return (await readRoot({ cid, bytes: await blocks.get(cid, options) })).vector } catch (error) {
      if (error instanceof BlockNotFoundError) return null
      throw error
    }
  }
  return Promise.all(heads.map(async head => ({ head: registry.head.get(head.name) ?? head, newest: await vectorOf(head.root), pinned: await vectorOf(head.pinned) })))
}

import {
  BlockNotFoundError, blockId, checkBlock, keyOfPeerId, LimitExceededError, MAX_BLOCKS_PER_REQUEST, peerIdOfKey, UnauthorisedError, QuotaExceededError,
  type Block, type BlockStore, type CallOptions, type Clock, type DeviceCertificate, type HeadName, type NodeDescription, type NodeUsage, type ProgressOptions, type Random,
  type ReceiptAnswer, type RecordStore, type RegisteredHead, type Revocation, type Signer, type VaultId, type VaultRegistration
} from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { createAccounts, type Accounts } from './accounts.js'
import { createAudit } from './audit.js'
import { batches } from './batches.js'
import { createCompleteness } from './completeness.js'
import { createDamage, type Damage } from './damage.js'
import type { Listener, PinnerEvent } from './events.js'
import { collectGarbage, type Collected } from './garbage.js'
import { createHeads, type AcceptOptions } from './heads.js'
import { openLedger, type Ledger, type Owner } from './ledger.js'
import { PUT_BATCH_BLOCKS, PUT_BATCH_BYTES } from './limits.js'
import { createPins } from './pins.js'
import { requireOperator, requireWriter, type Principal } from './principal.js'
import { openRegistry, type Pin, type Registry } from './registry.js'
import { createSoundBlocks } from './sound-blocks.js'

export interface PinnerComponents {
  readonly blocks: BlockStore
  /** Flushed with `durable` writes; keys begin with `pinner/`. */
  readonly records: RecordStore
  readonly clock: Clock
  readonly random: Random
  /** The node's key: signs receipts, and is its peer id. */
  readonly signer: Signer
  /** NODE-3, in all. Bytes; null (default) for none. */
  readonly quotaBytes?: number | null
}
export interface PinnerOptions {
  /** NODE-3, for one vault. Bytes; null (default) for none. */
  readonly vaultQuotaBytes?: number | null
  /** How long blocks that nothing pinned reaches are kept. Milliseconds, default one day. */
  readonly uploadGraceMs?: number
  /** How long a head is kept after another one contains it. Milliseconds, default seven days. */
  readonly headGraceMs?: number
  readonly version?: string
  /** Multiaddrs that devices can dial. */
  readonly addresses?: () => string[]
}

/** A node without its sockets, timers and disk: what it accepts, keeps, promises and lets go. */
export interface Pinner {
  readonly peerId: string
  describe (): NodeDescription
  newPairingToken (): Promise<string>
  /** Who a proven key is, now. `peerId` form: InvalidArgumentError for other kinds of key. */
  principalOf (key: Uint8Array | string): Principal
  /** NODE-2: whether this peer is served at all: a paired device that was not revoked. */
  allowsPeer (peerId: string): boolean
  pair (key: Uint8Array, request: { token?: string, certificate: DeviceCertificate }): Promise<NodeDescription>
  revoke (principal: Principal, revocation: Revocation): Promise<void>
  registerEnvelope (principal: Principal, name: HeadName): Promise<void>
  registerVault (principal: Principal, registration: VaultRegistration): Promise<void>
  heads (principal: Principal, vault: VaultId): RegisteredHead[]
  /** Topics to relay (ANN-1). */
  topics (): ReadonlySet<string>
  /** Every accepted record, for re-broadcast (HEAD-1). */
  records (): { name: HeadName, record: Uint8Array }[]
  /** HEAD-2. True when the record was new. */
  acceptRecord (name: HeadName, record: Uint8Array, options?: CallOptions & AcceptOptions): Promise<boolean>
  /** As `acceptRecord`, by someone who may write. */
  putRecord (principal: Principal, name: HeadName, record: Uint8Array, options?: CallOptions): Promise<void>
  getRecord (principal: Principal, name: HeadName): Uint8Array | null
  /** Checks, counts and stores, a batch at a time; resolves when all are stored (not yet flushed). Progress in bytes. */
  putBlocks (principal: Principal, blocks: AsyncIterable<Block> | Iterable<Block>, options?: ProgressOptions): Promise<void>
  /** Its bytes are what the CID says; a damaged block is not here. Throws BlockNotFoundError, UnauthorisedError. */
  getBlock (principal: Principal, cid: CID, options?: CallOptions): Promise<Uint8Array>
  hasBlock (principal: Principal, cid: CID, options?: CallOptions): Promise<boolean>
  /** What is here of these, in order. Throws LimitExceededError over MAX_BLOCKS_PER_REQUEST. */
  getBlocks (principal: Principal, cids: readonly CID[], options?: CallOptions): AsyncIterable<Block>
  receipt (principal: Principal, vault: VaultId, root: CID, options?: CallOptions): Promise<ReceiptAnswer>
  usage (principal: Principal): NodeUsage
  /** The operator's own pins, as in Kubo. A recursive pin needs all it reaches here: BlockNotFoundError otherwise. */
  addPin (principal: Principal, cid: CID, recursive: boolean, options?: CallOptions): Promise<void>
  removePin (principal: Principal, cid: CID): Promise<void>
  /** The operator's own pins. */
  pins (principal: Principal): Pin[]
  /** The roots that are kept for heads and wholly here. */
  pinnedRoots (principal: Principal): { name: HeadName, root: CID }[]
  /** Settles heads, releases dominated ones, sweeps. One run at a time; a second caller shares the first's. */
  collectGarbage (options?: CallOptions & { principal?: Principal, onSwept?: (cid: CID) => void }): Promise<Collected>
  /** Finds blocks that the disk lost or spoiled; devices are then asked for them. `thorough` reads all that is kept, otherwise they are looked up, and some read. */
  audit (options?: CallOptions & { thorough?: boolean }): Promise<void>
  on (listener: Listener): () => void
}

const DAY_MS = 24 * 60 * 60 * 1000

/** Opens the node's state; nothing runs by itself. */
export async function createPinner (components: PinnerComponents, options: PinnerOptions = {}): Promise<Pinner> {
  const { blocks: disk, records, clock, random, signer, quotaBytes = null } = components
  const { vaultQuotaBytes = null, uploadGraceMs = DAY_MS, headGraceMs = 7 * DAY_MS, version = '0.1.0', addresses = () => [] } = options
  const peerId = peerIdOfKey(signer.publicKey)
  const quotas = { where: `node ${peerId}`, total: quotaBytes, vault: vaultQuotaBytes }
  const listeners = new Set<Listener>()
  const emit = (event: PinnerEvent): void => { for (const listener of listeners) listener(event) }

  const registry = await openRegistry(records)
  const parts: { damage?: Damage } = {}
  const blocks = createSoundBlocks(disk, async cids => parts.damage?.report(cids))
  const ledger = await openLedger({ records, blocks: disk, clock, quotas })
  const completeness = createCompleteness({ blocks, records, ledger, clock, quotas })
  const damage = parts.damage = createDamage({ blocks: disk, records, ledger, completeness, clock, emit })
  const audit = createAudit({ blocks: disk, ledger, damage, clock, random })
  const accounts = createAccounts({ registry, clock, random, onChange: () => { emit({ type: 'members' }) } })
  const heads = createHeads({ registry, blocks, ledger, clock, emit })
  const pins = createPins({ registry, heads, blocks, completeness, audit, clock, signer, headGraceMs, emit })
  const describe = (): NodeDescription => ({ peerId, version, addresses: addresses() })
  const principalOf = (key: Uint8Array | string): Principal => accounts.principalOf(typeof key === 'string' ? keyOfPeerId(key) : key)
  let collecting: Promise<Collected> | null = null

  const collect = async ({ onSwept, signal }: CallOptions & { onSwept?: (cid: CID) => void }): Promise<Collected> => {
    const call = signal === undefined ? {} : { signal }
    await pins.settleAll(call)
    await pins.releaseDominated(call)
    return collectGarbage({ registry, blocks, records, ledger, completeness, clock, uploadGraceMs }, { ...call, ...(onSwept === undefined ? {} : { onSwept }) })
  }
  return {
    peerId, describe, principalOf,
    newPairingToken: async () => accounts.newPairingToken(),
    allowsPeer: peer => allowsPeer(peer, accounts),
    async pair (key, request) {
      await accounts.pair(key, request)
      return describe()
    },
    revoke: async (principal, revocation) => accounts.revoke(principal, revocation),
    registerEnvelope: async (principal, name) => accounts.registerEnvelope(principal, name),
    registerVault: async (principal, registration) => heads.registerVault(principal, registration),
    heads: (principal, vault) => heads.list(principal, vault),
    topics: () => new Set([...registry.head.values()].map(head => head.topic)),
    records: () => [...registry.head.values(), ...registry.envelope.values()].flatMap(({ name, record }) => record === null ? [] : [{ name, record }]),
    acceptRecord: async (name, record, call) => heads.accept(name, record, call),
    async putRecord (principal, name, record, call) {
      requireWriter(principal)
      await heads.accept(name, record, call)
    },
    getRecord: (principal, name) => heads.record(principal, name),
    ...createBlockAccess({ registry, ledger, blocks, quotas, vaultQuotaBytes }),
    receipt: async (principal, vault, root, call) => pins.receipt(principal, vault, root, call),
    usage: principal => usage(principal, registry, ledger, quotaBytes),
    addPin: async (principal, cid, recursive, call) => pins.add(principal, cid, recursive, call),
    removePin: async (principal, cid) => pins.remove(principal, cid),
    pins: principal => pins.list(principal),
    pinnedRoots: principal => pins.roots(principal),
    async collectGarbage ({ principal, ...call } = {}) {
      if (principal !== undefined) requireOperator(principal)
      collecting ??= collect(call).finally(() => { collecting = null })
      return collecting
    },
    audit: async ({ thorough = false, ...call } = {}) => { await (thorough ? audit.thorough(call) : audit.recent(call)) },
    on (listener) {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    }
  }
}

function allowsPeer (peerId: string, accounts: Accounts): boolean {
  try { return accounts.principalOf(keyOfPeerId(peerId)).kind === 'device' } catch { return false /* not an Ed25519 peer id: nobody paired it */ }
}

function createBlockAccess ({ registry, ledger, blocks, quotas, vaultQuotaBytes }: { registry: Registry, ledger: Ledger, blocks: BlockStore, quotas: { where: string }, vaultQuotaBytes: number | null }): Pick<Pinner, 'putBlocks' | 'getBlock' | 'hasBlock' | 'getBlocks'> {
  const mayRead = (principal: Principal, cid: CID): void => {
    if (principal.kind === 'envelope') {
      if (registry.envelope.get(principal.name)?.target?.equals(cid) !== true) throw new UnauthorisedError('the key of an unlock envelope may only read that envelope', 'Restore the account first; its device key may do more.', { cid: cid.toString() })
    } else requireWriter(principal)
  }
  /** Uploads wait for a root before they count for its vault, so an account may not hoard more of them than its vaults may hold. */
  const checkAccountQuota = (principal: Principal, batch: readonly Block[]): void => {
    if (vaultQuotaBytes === null || principal.kind !== 'device') return
    const vaults = [...registry.vault.values()].filter(vault => vault.account === principal.account)
    const held = vaults.reduce((sum, vault) => sum + ledger.usedBy(`vault:${vault.id}`), ledger.usedBy(`account:${principal.account}`))
    const size = batch.reduce((sum, block) => sum + block.bytes.length, 0)
    if (held + size > vaultQuotaBytes * Math.max(1, vaults.length)) throw new QuotaExceededError(quotas.where, vaultQuotaBytes)
  }
  return {
    async putBlocks (principal, source, options = {}) {
      requireWriter(principal)
      const owner: Owner = principal.kind === 'device' ? `account:${principal.account}` : 'operator'
      let done = 0
      for await (const batch of batches(source, { count: PUT_BATCH_BLOCKS, weight: PUT_BATCH_BYTES, weigh: block => block.bytes.length })) {
        options.signal?.throwIfAborted()
        const checked = await Promise.all(batch.map(async ({ cid, bytes }) => checkBlock(cid, bytes)))
        checkAccountQuota(principal, checked)
        await ledger.add(checked, owner, options.signal === undefined ? {} : { signal: options.signal })
        done += batch.reduce((sum, block) => sum + block.bytes.length, 0)
        options.onProgress?.({ done })
      }
    },
    async getBlock (principal, cid, options) {
      mayRead(principal, cid)
      return blocks.get(cid, options)
    },
    async hasBlock (principal, cid, options) {
      mayRead(principal, cid)
      return blocks.has(cid, options)
    },
    async * getBlocks (principal, cids, options) {
      if (cids.length > MAX_BLOCKS_PER_REQUEST) throw new LimitExceededError('blocks in one request', cids.length, MAX_BLOCKS_PER_REQUEST)
      const distinct = [...new Map(cids.map(cid => [blockId(cid), cid])).values()]
      for (const cid of distinct) mayRead(principal, cid)
      yield * readAhead(distinct, async cid => readPresent(blocks, cid, options))
    }
  }
}

const READS_AHEAD = 8

/** Keeps a few reads in flight and yields in order, so that memory stays bounded by that few. */
async function * readAhead (cids: readonly CID[], read: (cid: CID) => Promise<Block | undefined>): AsyncGenerator<Block> {
  const reads: Promise<{ block: Block | undefined } | { error: unknown }>[] = []
  const settle = async (cid: CID): Promise<{ block: Block | undefined } | { error: unknown }> => {
    try { return { block: await read(cid) } } catch (error) { return { error } }
  }
  for (let next = 0; next < cids.length || reads.length > 0;) {
    while (next < cids.length && reads.length < READS_AHEAD) reads.push(settle(cids[next++]!))
    const outcome = await reads.shift()!
    if ('error' in outcome) throw outcome.error
    if (outcome.block !== undefined) yield outcome.block
  }
}

async function readPresent (blocks: BlockStore, cid: CID, options?: CallOptions): Promise<Block | undefined> {
  try { return { cid, bytes: await blocks.get(cid, options) } } catch (error) {
    if (error instanceof BlockNotFoundError) return undefined
    throw error
  }
}

function usage (principal: Principal, registry: Registry, ledger: Ledger, quotaBytes: number | null): NodeUsage {
  requireWriter(principal)
  const vaults = [...registry.vault.values()].filter(vault => principal.kind === 'operator' || vault.account === principal.account)
  return {
    usedBytes: ledger.used(), quotaBytes, blocks: ledger.count(),
    vaults: vaults.map(vault => ({ vault: vault.id, usedBytes: ledger.usedBy(`vault:${vault.id}`) }))
  }
}

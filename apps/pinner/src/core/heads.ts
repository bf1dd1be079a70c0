import {
  blockId, checkBlock, equalBytes, InvalidArgumentError, isHoldfastError, LimitExceededError, UnauthorisedError,
  type AccountId, type Block, type BlockStore, type CallOptions, type Clock, type DeviceId, type HeadName, type RegisteredHead, type VaultId, type VaultRegistration
} from '@holdfast/protocol'
import { headNameOf, readHeadRecord, readRoot, type HeadRecord } from '@holdfast/roots'
import { countWhere, isRevoked } from './accounts.js'
import type { PinnerEvent } from './events.js'
import type { Ledger } from './ledger.js'
import { MAX_HEADS_PER_VAULT, MAX_TOPIC_LENGTH, MAX_VAULTS_PER_ACCOUNT } from './limits.js'
import { createMutex, type Mutex } from './mutex.js'
import { requireDevice, requireWriter, type Principal } from './principal.js'
import type { Envelope, Head, Registry } from './registry.js'

export interface AcceptOptions {
  /** ANN-1: came along with the record. */
  readonly blocks?: readonly Block[]
  /** It came by an announcement, which others got too. */
  readonly announced?: boolean
}

/** HEAD-2: which roots this node accepts, and from whom. */
export interface Heads {
  /** Held by whatever rewrites a head. */
  readonly lock: Mutex
  registerVault (principal: Principal, registration: VaultRegistration): Promise<void>
  list (principal: Principal, vault: VaultId): RegisteredHead[]
  /**
   * Accepts a newer record of a registered head or envelope. `blocks` came along with it (ANN-1) and are stored only
   * when it is accepted. True when it was new. Throws UnauthorisedError, BlockNotFoundError when the root's own
   * block is not here, CorruptBlockError, QuotaExceededError.
   */
  accept (name: HeadName, record: Uint8Array, options?: CallOptions & AcceptOptions): Promise<boolean>
  record (principal: Principal, name: HeadName): Uint8Array | null
  /** Throws UnauthorisedError unless the vault is registered and the principal may act for it. */
  requireVault (principal: Principal, vault: VaultId): void
}

export function createHeads ({ registry, blocks, ledger, clock, emit }: { registry: Registry, blocks: BlockStore, ledger: Ledger, clock: Clock, emit: (event: PinnerEvent) => void }): Heads {
  const lock = createMutex()

  const acceptHead = async (head: Head, found: HeadRecord, record: Uint8Array, { blocks: inline = [], announced = false, ...options }: CallOptions & AcceptOptions): Promise<boolean> => {
    const event = { type: 'record', name: head.name, record, topic: head.topic, announced } as const
    const sequence = Number(found.sequence)
    if (sequence < head.sequence) throw refusedRecord('its sequence is lower than that of the record this node holds', head.name, { evidence: 'rollback', held: head.sequence, offered: sequence })
    if (sequence === head.sequence && head.root !== null) {
      const [held, offered] = [blockId(head.root), blockId(found.root)]
      if (held !== offered) throw refusedRecord('the device published another root with the same counter before', head.name, { evidence: 'fork', held, offered })
      if (head.record !== null && equalBytes(head.record, record)) return false
      // The same root signed again: it lives longer.
      await registry.write([{ kind: 'head', id: head.name, value: { ...head, record } }], { durable: false })
      emit(event)
      return true
    }
    const account = registry.vault.get(head.vault)!.account
    const along = await Promise.all(inline.map(async ({ cid, bytes }) => checkBlock(cid, bytes)))
    await checkRoot(head, found, await rootBlock(found, along, blocks, options))
    if (along.length > 0) await ledger.add(along, `account:${account}`, options)
    await registry.write([{ kind: 'head', id: head.name, value: { ...head, record, sequence, root: found.root, dominatedAt: null, released: false } }], { durable: false })
    emit(event)
    return true
  }
  const acceptEnvelope = async (envelope: Envelope, found: HeadRecord, record: Uint8Array, options: CallOptions): Promise<boolean> => {
    const sequence = Number(found.sequence)
    if (sequence < envelope.sequence) throw refusedRecord('its sequence is lower than that of the record this node holds', envelope.name, { evidence: 'rollback', held: envelope.sequence, offered: sequence })
    if (envelope.record !== null && equalBytes(envelope.record, record)) return false
    await blocks.get(found.root, options)
    // An envelope is how everything is found again: it is on the disk before its record is.
    await blocks.flush(options)
    await registry.write([{ kind: 'envelope', id: envelope.name, value: { ...envelope, record, sequence, target: found.root } }], { durable: true })
    emit({ type: 'record', name: envelope.name, record, topic: null, announced: false })
    return true
  }
  return {
    lock,
    registerVault: async (principal, registration) => {
      requireDevice(principal)
      if (await lock.run(async () => register(registry, clock, principal, registration))) emit({ type: 'members' })
    },
    list (principal, vault) {
      requireVault(registry, principal, vault)
      return registry.headsOf(vault).map(head => ({ head: head.name, device: head.device, record: head.record }))
    },
    accept: async (name, record, options = {}) => lock.run(async () => {
      const envelope = registry.envelope.get(name)
      if (envelope !== undefined) return acceptEnvelope(envelope, await readHeadRecord(name, record), record, options)
      const head = registry.head.get(name)
      if (head === undefined) throw refusedRecord('no vault registered this name', name, {})
      const vault = registry.vault.get(head.vault)
      if (vault === undefined || isRevoked(registry, head.device, vault.account)) throw refusedRecord('the device that registered this name was revoked', name, { device: head.device })
      return acceptHead(head, await readHeadRecord(name, record), record, options)
    }),
    record (principal, name) {
      if (principal.kind === 'envelope' && principal.name === name) return registry.envelope.get(name)?.record ?? null
      requireWriter(principal)
      return registry.head.get(name)?.record ?? registry.envelope.get(name)?.record ?? null
    },
    requireVault: (principal, vault) => { requireVault(registry, principal, vault) }
  }
}

const refusedRecord = (why: string, name: HeadName, data: Record<string, unknown>): UnauthorisedError =>
  new UnauthorisedError(`this node refuses a record of ${name}: ${why}`, 'Nothing was changed. Register the vault from the device that owns this head, or publish a newer root.', { name, ...data })

/** The root block came along, or was uploaded before its record. */
async function rootBlock (found: HeadRecord, inline: readonly Block[], blocks: BlockStore, options: CallOptions): Promise<Block> {
  return inline.find(block => block.cid.equals(found.root)) ?? { cid: found.root, bytes: await blocks.get(found.root, options) }
}

async function checkRoot (head: Head, found: HeadRecord, block: Block): Promise<void> {
  const root = await readRoot(block).catch((error: unknown) => {
    // Bytes that are no root at all are as little a head's as someone else's root is.
    if (isHoldfastError(error) && error.name !== 'UnauthorisedError') throw refusedRecord(`it names a block that is not a root (${error.message})`, head.name, { root: blockId(block.cid) })
    throw error
  })
  const wrong = root.device !== head.device
    ? 'its root is signed by another device than the one that registered it'
    : root.vault !== head.vault
      ? 'its root is of another vault'
      : BigInt(root.counter) !== found.sequence ? 'its sequence is not the counter of its root' : null
  if (wrong !== null) throw refusedRecord(wrong, head.name, { root: blockId(block.cid) })
}

function requireVault (registry: Registry, principal: Principal, vault: VaultId): void {
  if (principal.kind !== 'operator') requireDevice(principal)
  const known = registry.vault.get(vault)
  if (known === undefined) throw new UnauthorisedError('this vault is not registered with this node', 'Register it from a paired device first.', { vault, registered: false })
  if (principal.kind === 'device' && known.account !== principal.account) throw new UnauthorisedError('this vault belongs to another account on this node', 'Ask with a device of the account that registered it.', { vault })
}

/** True when something changed. */
async function register (registry: Registry, clock: Clock, by: { device: DeviceId, account: AccountId }, { vault, topic, head, headKey }: VaultRegistration): Promise<boolean> {
  if (!/^[0-9a-f]{32}$/.test(vault)) throw new InvalidArgumentError('a vault id has 32 hexadecimal digits')
  if (topic.length === 0 || topic.length > MAX_TOPIC_LENGTH) throw new LimitExceededError('length of a topic', topic.length, MAX_TOPIC_LENGTH)
  if (headNameOf(headKey) !== head) throw new InvalidArgumentError('the head key does not belong to the head name', undefined, { head })
  const known = registry.vault.get(vault)
  if (known !== undefined && known.account !== by.account) throw new UnauthorisedError('this vault belongs to another account on this node', 'Ask with a device of the account that registered it.', { vault })
  const earlier = registry.head.get(head)
  if (registry.envelope.has(head) || (earlier !== undefined && (earlier.device !== by.device || earlier.vault !== vault))) throw new UnauthorisedError('this head belongs to another device or vault on this node', 'Each device has a head key of its own for each vault.', { head })
  if (earlier !== undefined && earlier.topic === topic) return false
  if (earlier === undefined) checkCounts(registry, by.account, vault)
  await registry.write([
    ...(known === undefined ? [{ kind: 'vault' as const, id: vault, value: { id: vault, account: by.account, registeredAt: clock.now() } }] : []),
    { kind: 'head', id: head, value: earlier !== undefined ? { ...earlier, topic } : { name: head, vault, device: by.device, topic, record: null, sequence: -1, root: null, pinned: null, pinnedSequence: -1, dominatedAt: null, released: false } }
  ], { durable: true })
  return true
}

function checkCounts (registry: Registry, account: AccountId, vault: VaultId): void {
  const vaults = countWhere(registry.vault.values(), known => known.account === account && known.id !== vault) + 1
  if (vaults > MAX_VAULTS_PER_ACCOUNT) throw new LimitExceededError('vaults of an account', vaults, MAX_VAULTS_PER_ACCOUNT)
  const heads = countWhere(registry.head.values(), known => known.vault === vault) + 1
  if (heads > MAX_HEADS_PER_VAULT) throw new LimitExceededError('heads of a vault', heads, MAX_HEADS_PER_VAULT)
}

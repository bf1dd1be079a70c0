import { emptyTrie, encodeBody, updateTrie, walkTrie, type Body, type BlockReader } from '@holdfast/roots'
import { createTreeIndex, type Registers, type TreeChange, type TreeIndex } from '@holdfast/manifest'
import { readMembership, type Membership, type VaultSecret } from '@holdfast/membership'
import { deriveKey, deriveVaultKeys, type Primitives, type VaultKeys } from '@holdfast/crypto'
import { counterOf, toHex, type AccountId, type Block, type BlockStore, type CallOptions, type Clock, type DeviceId, type EntryId, type Random, type RecordChange, type RecordStore, type Signer, type VaultId } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { loadFreshBlocks, type FreshBlocks } from './fresh-blocks.js'
import { loadLogInventory, type LogEntry, type LogInventory } from './log-inventory.js'
import { createPageSet, type PageSet } from './page-set.js'
import { createRecentBlocks, type RecentBlocks } from './recent-blocks.js'
import { decodeState, encodeState, vaultKeys, type VaultRecordKeys, type VaultState } from './state-records.js'

export interface VaultComponents {
  vault: VaultId
  secret: Uint8Array
  owner: AccountId
  blocks: BlockStore
  records: RecordStore
  clock: Clock
  random: Random
  primitives: Primitives
  device: { id: DeviceId, seed: Uint8Array, signer: Signer }
}

/** What one commit, merge or publication writes. Everything in it becomes visible and durable together. */
export interface VaultUpdate {
  blocks?: Block[]
  /** Blocks that are stored already and worth announcing with the next root. */
  announce?: Block[]
  /** Some of what is new is too large to announce. */
  tooLarge?: boolean
  logAdded?: LogEntry[]
  logRemoved?: CID[]
  filesAdded?: CID[]
  filesRemoved?: CID[]
  membersAdded?: CID[]
  state?: Partial<VaultState>
  /** A root to take as this state's own, when the result is exactly its body. */
  adopt?: { root: CID, body: CID }
  records?: RecordChange[]
  /** Entries whose registers a page now says something else of. */
  registers?: Iterable<[EntryId, Registers]>
  /** The caller keeps the index itself (a transaction shows its effect as it goes). */
  indexed?: boolean
}

/**
 * One vault's state on this device: tries, pages, index, membership and counters, in memory and at rest.
 * `write` is the only way to change it. Callers hold the vault's Exclusive.
 */
export interface VaultStore {
  readonly components: VaultComponents
  readonly keys: VaultRecordKeys
  readonly vaultKeys: VaultKeys
  readonly vaultSecret: VaultSecret
  readonly state: Readonly<VaultState>
  readonly index: TreeIndex
  readonly pages: PageSet
  readonly membership: Membership
  /** Blocks made here since the last publication, for the announcement. */
  readonly recent: RecentBlocks
  readonly fresh: FreshBlocks
  readonly log: LogInventory
  readBlock: BlockReader
  /** Next hybrid logical time: later than everything seen. */
  tick (): number
  write (update: VaultUpdate): Promise<TreeChange[]>
  /** Takes in membership blocks that are about to be written; the result is not kept until `write`. */
  membershipWith (blocks: readonly Block[]): Promise<Membership>
  keysOf (epoch: number): VaultKeys | undefined
}

/** Opens the state at rest, or begins an empty one with these membership blocks. */
export async function openVaultStore (components: VaultComponents, begin: () => Promise<Block[]>): Promise<VaultStore> {
  const { vault, records } = components
  const stored = await records.get(vaultKeys(vault).state)
  if (stored !== undefined) return loadVaultStore(components, decodeState(stored))
  const empty = await emptyTrie()
  const body: Body = { log: empty.cid, files: empty.cid, members: empty.cid }
  const bodyBlock = await encodeBody(body)
  await components.blocks.put([empty, bodyBlock])
  const store = await loadVaultStore(components, {
    body, bodyCid: bodyBlock.cid, vector: {}, counter: 0, root: null, ownRoot: null, when: 0, openPage: null, commit: 0
  })
  const blocks = await begin()
  await store.write({ blocks, membersAdded: blocks.map(block => block.cid) })
  return store
}

async function loadVaultStore (components: VaultComponents, initial: VaultState): Promise<VaultStore> {
  const { vault, secret, owner, blocks, records, clock, random, device } = components
  const keys = vaultKeys(vault)
  const vaultSecret: VaultSecret = { vault, secret }
  const epochKeys = new Map<number, VaultKeys>([[0, deriveVaultKeys(secret, vault, 0)]])
  const index = createTreeIndex()
  const recent = createRecentBlocks()
  let state = initial
  const readBlock: BlockReader = (cid: CID, options?: CallOptions) => blocks.get(cid, options)

  // Automerge forbids two writers with one actor id. A device whose disk is put back from an older copy would be one,
  // and cannot know that it is: so every start of an engine writes as an actor of its own.
  const session = toHex(random.bytes(16))
  const pages = createPageSet({ vault, records, random, device: device.id, actorOf: page => deriveKey(device.seed, `actor/${page}/${session}`, 16), openPage: state.openPage })
  const fresh = await loadFreshBlocks(records, keys)
  const log = await loadLogInventory(records, keys)
  const registers = await pages.load()
  index.update(registers)

  const memberBlocks: Block[] = []
  for await (const cid of walkTrie(state.body.members, readBlock)) memberBlocks.push({ cid, bytes: await readBlock(cid) })
  const nobody: Membership = { owner, devices: new Map(), epoch: 0, rejected: [] }
  let membership = memberBlocks.length === 0 ? nobody : await readMembership(memberBlocks, vaultSecret, { owner })

  async function nextBody (update: VaultUpdate): Promise<{ body: Body, bodyCid: CID, blocks: Block[] }> {
    const made: Block[] = []
    const trie = async (root: CID, add: CID[] = [], remove: CID[] = []): Promise<CID> => {
      if (add.length === 0 && remove.length === 0) return root
      const updated = await updateTrie(root, { add, remove }, readBlock)
      made.push(...updated.blocks)
      return updated.root
    }
    const body: Body = {
      log: await trie(state.body.log, update.logAdded?.map(entry => entry.cid), update.logRemoved),
      files: await trie(state.body.files, update.filesAdded, update.filesRemoved),
      members: await trie(state.body.members, update.membersAdded)
    }
    const block = await encodeBody(body)
    if (!block.cid.equals(state.bodyCid)) made.push(block)
    return { body, bodyCid: block.cid, blocks: made }
  }

  async function write (update: VaultUpdate): Promise<TreeChange[]> {
    const next = await nextBody(update)
    const written = [...update.blocks ?? [], ...next.blocks]
    const changed = !next.bodyCid.equals(state.bodyCid)
    const { logAdded = [], logRemoved = [] } = update
    const after: VaultState = { ...state, ...(changed ? { root: null } : {}), ...(update.adopt?.body.equals(next.bodyCid) === true ? { root: update.adopt.root } : {}), body: next.body, bodyCid: next.bodyCid, openPage: pages.openPage, ...update.state }
    await blocks.put(written)
    // Blocks first and for good; then, in one batch, the records that make them reachable.
    await blocks.flush()
    await records.write([...pages.records(), ...log.records(logAdded, logRemoved), ...update.records ?? [], { key: keys.state, value: encodeState(after) }], { durable: true })
    pages.written()
    log.note(logAdded, logRemoved)
    state = after
    recent.add([...written, ...update.announce ?? []])
    if (update.tooLarge === true) recent.exceed()
    if (update.membersAdded !== undefined && update.membersAdded.length > 0) {
      for (const cid of update.membersAdded) if (!memberBlocks.some(known => known.cid.equals(cid))) memberBlocks.push({ cid, bytes: await readBlock(cid) })
      membership = await readMembership(memberBlocks, vaultSecret, { owner })
    }
    return update.registers === undefined || update.indexed === true ? [] : index.update(update.registers)
  }

  return {
    components,
    keys,
    vaultSecret,
    index,
    pages,
    recent,
    fresh,
    log,
    readBlock,
    get vaultKeys () { return epochKeys.get(membership.epoch) ?? epochKeys.get(0)! },
    get state () { return state },
    get membership () { return membership },
    keysOf: epoch => epochKeys.get(epoch),
    tick () {
      state = { ...state, when: Math.max(clock.now(), state.when + 1) }
      return state.when
    },
    membershipWith: async added => readMembership([...memberBlocks, ...added], vaultSecret, { owner }),
    write
  }
}

/** The counter that this device's next root will carry: what a register written now is stamped with. */
export const nextCounter = (store: VaultStore): number => counterOf(store.state.vector, store.components.device.id) + 1

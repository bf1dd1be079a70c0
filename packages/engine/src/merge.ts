import { decodeBody, diffTrie, headNameOf, type Root } from '@holdfast/roots'
import type { Registers, TreeChange } from '@holdfast/manifest'
import { authoriseRoot, openLogBlock, type Accepted, type Membership, type OpenedChange, type OpenedFragment } from '@holdfast/membership'
import { blockId, CorruptBlockError, decode, dominates, fieldReader, mergeVectors, parseCid, toHex, UnauthorisedError, type Block, type BlockId, type CallOptions, type DeviceId, type EntryId, type HeadName, type PageId, type RecordChange } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { coverageOf, neededBlocks, storedCoverage } from './compaction.js'
import type { Fetcher } from './fetcher.js'
import type { LogEntry } from './log-inventory.js'
import type { VaultStore } from './vault-store.js'

export interface MergeResult {
  changes: TreeChange[]
  /** Entries that the merge touched; some may now have two versions. */
  touched: EntryId[]
  /** File nodes whose content is still to be fetched. */
  wanted: CID[]
}

const NOTHING: MergeResult = { changes: [], touched: [], wanted: [] }

/**
 * Merges another device's root into the vault: fetches what differs, verifies every piece, applies it, and
 * writes the result in one batch. Refuses the root as a whole (UnauthorisedError, CorruptBlockError, …) when
 * any piece does not verify; then nothing has changed. The caller holds the vault's Exclusive.
 */
export async function mergeRoot (store: VaultStore, fetcher: Fetcher, head: { cid: CID, root: Root, name: HeadName }, options?: CallOptions): Promise<MergeResult> {
  const { root } = head
  const own = store.state
  const sameBody = root.body.equals(own.bodyCid)
  if (!sameBody && dominates(own.vector, root.vector)) return NOTHING
  const readMany = (cids: readonly CID[]): Promise<Map<BlockId, Uint8Array>> => fetcher.getMany(cids, options)
  const theirs = sameBody ? own.body : decodeBody(await fetcher.get(root.body, options))

  const members = await diff(own.body.members, theirs.members, readMany)
  const memberBlocks = await blocksOf(members.added, readMany)
  const membership = memberBlocks.length === 0 ? store.membership : await store.membershipWith(memberBlocks)
  requireMember(store, membership, head)
  const vector = mergeVectors(own.vector, root.vector)
  if (sameBody) {
    if (own.root === null || !dominates(own.vector, root.vector)) await store.write({ state: { vector, root: own.root ?? head.cid } })
    return NOTHING
  }

  const log = await diff(own.body.log, theirs.log, readMany)
  const files = await diff(own.body.files, theirs.files, readMany)
  const opened = await openAll(store, membership, root.device, await blocksOf(log.added, readMany))
  try {
    const registers = await applyToPages(store, opened)
    const changes = await store.write({
      blocks: memberBlocks,
      ...await logChanges(store, opened),
      filesAdded: files.added,
      membersAdded: members.added,
      registers,
      records: files.added.map((cid): RecordChange => ({ key: store.keys.wantedFile(blockId(cid)), value: WANTED })),
      state: { vector, when: Math.max(own.when, latest(registers)) },
      adopt: { root: head.cid, body: root.body }
    })
    return { changes, touched: registers.map(([entry]) => entry), wanted: files.added }
  } catch (error) {
    store.pages.discard()
    throw error
  }
}

const WANTED = Uint8Array.of(1)

type OpenedLogBlock = (OpenedChange | OpenedFragment) & { cid: CID }
interface Difference { added: CID[], removed: CID[] }
type ReadMany = (cids: readonly CID[]) => Promise<Map<BlockId, Uint8Array>>

async function diff (from: CID, to: CID, readMany: ReadMany): Promise<Difference> {
  return from.equals(to) ? { added: [], removed: [] } : diffTrie(from, to, { readMany })
}

async function blocksOf (cids: readonly CID[], readMany: ReadMany): Promise<Block[]> {
  if (cids.length === 0) return []
  return [...await readMany(cids)].map(([id, bytes]) => ({ cid: parseCid(id), bytes }))
}

/** The root is by a device that may publish here, and came under the name that this device announced in the membership. */
function requireMember (store: VaultStore, membership: Membership, head: { cid: CID, root: Root, name: HeadName }): void {
  const { vault, device } = head.root
  authoriseRoot({ vault, device, cid: head.cid }, { vault: store.components.vault, membership })
  const headKey = membership.devices.get(device)?.headKey
  if (headKey === undefined || headNameOf(headKey) !== head.name) throw new UnauthorisedError('a root was published under a name that is not its device\'s', 'It was refused and nothing was changed.', { name: head.name, device })
}

/** LOG-1: signature, role, epoch and limits, before Automerge sees a byte. */
async function openAll (store: VaultStore, membership: Membership, author: DeviceId, blocks: readonly Block[]): Promise<OpenedLogBlock[]> {
  const accepted = acceptedBy(membership, author, blocks)
  const context = { membership, accepted, vault: store.components.vault, keysOf: (epoch: number) => store.keysOf(epoch) }
  const opened: OpenedLogBlock[] = []
  for (const block of blocks) opened.push({ ...await openLogBlock(block, context), cid: block.cid })
  return opened
}

/** What others wrote and a device that is still trusted took in stays right, although its author was revoked since. */
function acceptedBy (membership: Membership, author: DeviceId, blocks: readonly Block[]): Accepted {
  if ([...membership.devices.values()].every(member => member.revokedAt === null)) return () => false
  const byOthers = new Set<BlockId>()
  for (const block of blocks) {
    const envelope = fieldReader('log block', decode(block.bytes, 'log block'))
    if (toHex(envelope.bytes('device', 32)) !== author) byOthers.add(blockId(block.cid))
  }
  return cid => byOthers.has(blockId(cid))
}

/** LOG-2: where fragments are about, on either side, only the blocks that are still needed are kept. */
async function logChanges (store: VaultStore, opened: readonly OpenedLogBlock[]): Promise<{ logAdded: LogEntry[], logRemoved: CID[] }> {
  const logAdded: LogEntry[] = []
  const logRemoved: CID[] = []
  for (const [page, items] of byPage(opened)) {
    const entries = items.map(({ cid, kind }): LogEntry => ({ cid, page, kind }))
    if (!store.log.hasFragments(page) && items.every(item => item.kind === 'change')) { logAdded.push(...entries); continue }
    const stored = await storedCoverage(store, page)
    const needed = neededBlocks([...stored, ...items.map(item => coverageOf(item.cid, item))])
    logAdded.push(...entries.filter(({ cid }) => needed.has(blockId(cid))))
    logRemoved.push(...stored.map(({ cid }) => cid).filter(cid => !needed.has(blockId(cid))))
  }
  return { logAdded, logRemoved }
}

function byPage (opened: readonly OpenedLogBlock[]): Map<PageId, OpenedLogBlock[]> {
  const pages = new Map<PageId, OpenedLogBlock[]>()
  for (const item of opened) {
    const items = pages.get(item.page)
    if (items === undefined) pages.set(item.page, [item])
    else items.push(item)
  }
  return pages
}

async function applyToPages (store: VaultStore, opened: readonly OpenedLogBlock[]): Promise<[EntryId, Registers][]> {
  const registers: [EntryId, Registers][] = []
  for (const [id, items] of byPage(opened)) {
    const page = await store.pages.get(id)
    const changes = items.flatMap(item => item.kind === 'change' ? item.changes : [])
    // Noted before it is applied, so that `discard` drops the loaded document if anything goes wrong.
    store.pages.noteTail(id, changes, [])
    const touched = new Set(page.apply(changes))
    for (const item of items) {
      if (item.kind !== 'fragment') continue
      store.pages.noteFold(id)
      for (const entry of page.log.apply(item)) touched.add(entry)
    }
    if (page.pendingDependencies()) throw new CorruptBlockError('a root lacks changes that its own changes build on', { page: id })
    store.pages.noteTail(id, [], touched)
    registers.push(...store.pages.registers(page, touched))
  }
  return registers
}

/** The hybrid logical clock moves past everything seen. */
function latest (registers: readonly [EntryId, Registers][]): number {
  let when = 0
  for (const [, { places, contents }] of registers) {
    for (const { stamp } of places) when = Math.max(when, stamp.when)
    for (const { stamp } of contents) when = Math.max(when, stamp.when)
  }
  return when
}

import { decodeBody, diffTrie, headNameOf, type Root } from '@holdfast/roots'
import type { Registers, TreeChange } from '@holdfast/manifest'
import { authoriseRoot, openLogBlock, type Accepted, type Membership, type OpenedChange, type OpenedFragment } from '@holdfast/membership'
import { blockId, CorruptBlockError, decode, dominates, fieldReader, MAX_CLOCK_SKEW_MS, mergeVectors, parseCid, toHex, UnauthorisedError, type Block, type BlockId, type CallOptions, type DeviceId, type EntryId, type HeadName, type PageId, type RecordChange } from '@holdfast/protocol'
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

interface Head { cid: CID, root: Root, name: HeadName }

/** What a root has and this device has not; null when there is nothing. */
interface News { members: readonly Block[], membership: Membership, log: readonly CID[], files: readonly CID[] }

/**
 * Finds what is new in a root by a device that may publish here. Refuses any other with UnauthorisedError. Every
 * root of this device itself is compared, even where the vector says that it is known: after a roll-back of the
 * disk two histories have the same counters.
 */
async function findNews (store: VaultStore, fetcher: Fetcher, head: Head, options?: CallOptions): Promise<News | null> {
  const { root } = head
  const own = store.state
  const isOwn = root.device === store.components.device.id
  const sameBody = root.body.equals(own.bodyCid)
  if (!sameBody && !isOwn && dominates(own.vector, root.vector)) return null
  const readMany = (cids: readonly CID[]): Promise<Map<BlockId, Uint8Array>> => fetcher.getMany(cids, options)
  const theirs = sameBody ? own.body : decodeBody(await fetcher.get(root.body, options))
  const members = await blocksOf(await missing(own.body.members, theirs.members, readMany), readMany)
  const membership = members.length === 0 ? store.membership : await store.membershipWith(members)
  requireMember(store, membership, head)
  return { members, membership, log: await missing(own.body.log, theirs.log, readMany), files: await missing(own.body.files, theirs.files, readMany) }
}

/** Fetches what merging this root will read. Throws as `mergeRoot`; nothing has changed in any case. */
export async function collectRoot (store: VaultStore, fetcher: Fetcher, head: Head, options?: CallOptions): Promise<void> {
  const news = await findNews(store, fetcher, head, options)
  if (news !== null) await fetcher.getMany(news.log, options)
}

/**
 * Merges another device's root into the vault: fetches what differs, verifies every piece, applies it, and
 * writes the result in one batch. Refuses the root as a whole (UnauthorisedError, CorruptBlockError, …) when
 * any piece does not verify; then nothing has changed. The caller holds the vault's Exclusive.
 */
export async function mergeRoot (store: VaultStore, fetcher: Fetcher, head: Head, options?: CallOptions): Promise<MergeResult> {
  const { root } = head
  const own = store.state
  const news = await findNews(store, fetcher, head, options)
  if (news === null) return NOTHING
  const isSame = root.body.equals(own.bodyCid)
  const vector = mergeVectors(own.vector, root.vector)
  if (isSame || news.members.length + news.log.length + news.files.length === 0) {
    const sameRoot = isSame && own.root === null ? { root: head.cid } : {}
    if ('root' in sameRoot || !dominates(own.vector, root.vector)) await store.write({ state: { vector, ...sameRoot } })
    return NOTHING
  }
  const opened = await openAll(store, news.membership, root.device, await blocksOf(news.log, cids => fetcher.getMany(cids, options)))
  try {
    const registers = await applyToPages(store, opened)
    const changes = await store.write({
      blocks: [...news.members],
      ...await logChanges(store, opened),
      filesAdded: [...news.files],
      membersAdded: news.members.map(block => block.cid),
      registers,
      records: news.files.map((cid): RecordChange => ({ key: store.keys.wantedFile(blockId(cid)), value: WANTED })),
      state: { vector, when: Math.max(own.when, latest(registers, store.components.clock.now())) },
      adopt: { root: head.cid, body: root.body }
    })
    return { changes, touched: registers.map(([entry]) => entry), wanted: [...news.files] }
  } catch (error) {
    store.pages.discard()
    throw error
  }
}

const WANTED = Uint8Array.of(1)

type OpenedLogBlock = (OpenedChange | OpenedFragment) & { cid: CID }
type ReadMany = (cids: readonly CID[]) => Promise<Map<BlockId, Uint8Array>>

async function missing (from: CID, to: CID, readMany: ReadMany): Promise<CID[]> {
  return from.equals(to) ? [] : (await diffTrie(from, to, { readMany })).added
}

async function blocksOf (cids: readonly CID[], readMany: ReadMany): Promise<Block[]> {
  if (cids.length === 0) return []
  return [...await readMany(cids)].map(([id, bytes]) => ({ cid: parseCid(id), bytes }))
}

/** The root is by a device that may publish here, and came under the name that this device announced in the membership. */
function requireMember (store: VaultStore, membership: Membership, head: Head): void {
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

/** The hybrid logical clock moves past everything seen, but not past what a clock that is badly wrong says: it could not go on from there. */
function latest (registers: readonly [EntryId, Registers][], now: number): number {
  let when = 0
  for (const [, { places, contents }] of registers) {
    for (const { stamp } of places) when = Math.max(when, stamp.when)
    for (const { stamp } of contents) when = Math.max(when, stamp.when)
  }
  return Math.min(when, now + MAX_CLOCK_SKEW_MS)
}

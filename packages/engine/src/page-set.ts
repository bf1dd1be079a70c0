import { checkVersion, CorruptBlockError, decode, encode, entryId, fieldReader, fromHex, MAX_PAGE_ENTRIES, pageId, type DeviceId, type EntryId, type PageId, type Random, type RecordChange, type RecordStore, type VaultId } from '@holdfast/protocol'
import { createPage, encodeSnapshot, loadPage, pageSnapshot, readSnapshot, type Page, type Registers } from '@holdfast/manifest'
import { vaultKeys } from './state-records.js'

/**
 * The manifest's pages on this device. A page's Automerge document is loaded only when it is written to or
 * merged into; reads go to the index, which starts from the pages' snapshots (MAN-2).
 *
 * At rest a page is a saved document with a snapshot of its registers, and a tail of what came since. A commit
 * adds one tail record; now and then the tail is folded in.
 */
export interface PageSet {
  /** Registers of every entry of every page, from snapshots and tails. */
  load (): Promise<Map<EntryId, Registers>>
  /** The page that an entry lives in. */
  pageOf (entry: EntryId): PageId | undefined
  /** The page for a new entry of this device, opened when there is none with room. `planned` counts entries that this commit already gave each page. */
  pageForNew (planned: Map<PageId, number>): PageId
  readonly openPage: PageId | null
  get (page: PageId): Promise<Page>
  /** Notes what a commit or merge did to a page; the records to write come from `records`. */
  noteTail (page: PageId, changes: Uint8Array[], touched: Iterable<EntryId>): void
  /** Folds a page at its next write, because what came cannot be kept as a tail of changes. */
  noteFold (page: PageId): void
  /** Records for all that was noted, to be written in the commit's batch. */
  records (): RecordChange[]
  /** The batch was written. */
  written (): void
  /** The batch was not written: forgets what was noted, and the loaded documents that hold it. */
  discard (): void
  /** What a page's document says of an entry now. */
  registers (page: Page, entries: Iterable<EntryId>): [EntryId, Registers][]
  readonly pages: ReadonlySet<PageId>
}

interface Noted { changes: Uint8Array[], touched: Set<EntryId>, fold: boolean, added: EntryId[] }

const TAIL_VERSION = 1
const MAX_TAILS = 48
/** Loaded documents; the least recently used one is let go (each is on disk too). */
const MAX_LOADED = 24

export interface PageSetComponents { vault: VaultId, records: RecordStore, random: Random, device: DeviceId, actorOf: (page: PageId) => Uint8Array, openPage: PageId | null }

export function createPageSet ({ vault, records, random, actorOf, openPage }: PageSetComponents): PageSet {
  const keys = vaultKeys(vault)
  const pageOfEntry = new Map<EntryId, PageId>()
  const sizes = new Map<PageId, number>()
  const tails = new Map<PageId, number[]>()
  const saved = new Set<PageId>()
  const loaded = new Map<PageId, Page>()
  const noted = new Map<PageId, Noted>()
  const pages = new Set<PageId>()
  let open = openPage
  let pendingRecords: { page: PageId, folded: boolean, tail: number | null }[] = []

  function register (page: PageId, entries: Iterable<EntryId>): EntryId[] {
    const added: EntryId[] = []
    for (const entry of entries) {
      const known = pageOfEntry.get(entry)
      if (known !== undefined && known !== page) throw new CorruptBlockError('an entry appears in two pages', { entry, page })
      if (known !== undefined) continue
      pageOfEntry.set(entry, page)
      added.push(entry)
    }
    pages.add(page)
    sizes.set(page, (sizes.get(page) ?? 0) + added.length)
    return added
  }

  async function loadTail (page: PageId, n: number): Promise<{ changes: Uint8Array[], registers: Uint8Array }> {
    const bytes = await records.get(keys.pageTail(page, n))
    if (bytes === undefined) throw new CorruptBlockError('a page lost a part of its tail', { page, n })
    return decodeTail(bytes)
  }

  const set: PageSet = {
    pages,
    get openPage () { return open },
    pageOf: entry => pageOfEntry.get(entry),
    async load () {
      const all = new Map<EntryId, Registers>()
      const take = (page: PageId, snapshot: Uint8Array): void => {
        const seen: EntryId[] = []
        for (const [entry, registers] of readSnapshot(snapshot)) { all.set(entry, registers); seen.push(entry) }
        register(page, seen)
      }
      // Keys sort as page/<id>/saved, page/<id>/snapshot, page/<id>/tail/…: a tail comes after what it amends.
      for await (const [key, value] of records.range({ prefix: keys.pages })) {
        const [page, part, n] = key.slice(keys.pages.length).split('/') as [PageId, string, string | undefined]
        if (part === 'saved') saved.add(page)
        else if (part === 'snapshot') take(page, value)
        else {
          take(page, decodeTail(value).registers)
          tails.set(page, [...tails.get(page) ?? [], Number(n)])
        }
      }
      return all
    },
    pageForNew (planned) {
      if (open === null || (sizes.get(open) ?? 0) + (planned.get(open) ?? 0) >= MAX_PAGE_ENTRIES) {
        open = pageId(random.bytes(16))
        pages.add(open)
      }
      planned.set(open, (planned.get(open) ?? 0) + 1)
      return open
    },
    async get (page) {
      const known = loaded.get(page)
      if (known !== undefined) { loaded.delete(page); loaded.set(page, known); return known }
      const bytes = saved.has(page) ? await records.get(keys.pageSaved(page)) : undefined
      const numbers = tails.get(page) ?? []
      const changes = (await Promise.all(numbers.map(async n => (await loadTail(page, n)).changes))).flat()
      const document = bytes === undefined ? createPage(page, actorOf(page)) : loadPage(page, actorOf(page), bytes, changes)
      if (bytes === undefined && changes.length > 0) document.apply(changes)
      loaded.set(page, document)
      for (const old of loaded.keys()) {
        if (loaded.size <= MAX_LOADED) break
        if (!noted.has(old)) loaded.delete(old)
      }
      return document
    },
    noteTail (page, changes, touched) {
      const note = noted.get(page) ?? { changes: [], touched: new Set(), fold: false, added: [] }
      noted.set(page, note)
      note.changes.push(...changes)
      const entries = [...touched]
      for (const entry of entries) note.touched.add(entry)
      note.added.push(...register(page, entries))
    },
    noteFold (page) {
      set.noteTail(page, [], [])
      noted.get(page)!.fold = true
    },
    records () {
      const changes: RecordChange[] = []
      pendingRecords = []
      for (const [page, note] of noted) {
        const numbers = tails.get(page) ?? []
        const document = loaded.get(page)
        if (document === undefined) throw new Error('a noted page must be loaded')
        if (note.fold || numbers.length >= MAX_TAILS) {
          changes.push({ key: keys.pageSaved(page), value: document.save() }, { key: keys.pageSnapshot(page), value: pageSnapshot(document) })
          for (const n of numbers) changes.push({ key: keys.pageTail(page, n), value: undefined })
          pendingRecords.push({ page, folded: true, tail: null })
        } else {
          const n = (numbers.at(-1) ?? 0) + 1
          changes.push({ key: keys.pageTail(page, n), value: encodeTail(note.changes, encodeSnapshot(set.registers(document, note.touched))) })
          pendingRecords.push({ page, folded: false, tail: n })
        }
      }
      return changes
    },
    written () {
      for (const { page, folded, tail } of pendingRecords) {
        if (folded) { saved.add(page); tails.delete(page) }
        if (tail !== null) tails.set(page, [...tails.get(page) ?? [], tail])
      }
      pendingRecords = []
      noted.clear()
    },
    discard () {
      for (const [page, note] of noted) {
        loaded.delete(page)
        for (const entry of note.added) pageOfEntry.delete(entry)
        sizes.set(page, (sizes.get(page) ?? 0) - note.added.length)
      }
      pendingRecords = []
      noted.clear()
    },
    registers: (page, entries) => [...entries].map(entry => [entry, page.registers(entry)] as [EntryId, Registers])
  }
  return set
}

const encodeTail = (changes: Uint8Array[], registers: Uint8Array): Uint8Array => encode({ v: TAIL_VERSION, changes, registers })

function decodeTail (bytes: Uint8Array): { changes: Uint8Array[], registers: Uint8Array } {
  const value = decode(bytes, 'page tail')
  checkVersion('page tail', value, TAIL_VERSION)
  const f = fieldReader('page tail', value)
  return { changes: f.array('changes', Number.MAX_SAFE_INTEGER) as Uint8Array[], registers: f.bytes('registers') }
}

export const newEntryId = (random: Random): EntryId => entryId(random.bytes(16))
/** Sixteen bytes of a page id, for binding. */
export const pageBytes = (page: PageId): Uint8Array => fromHex(page)

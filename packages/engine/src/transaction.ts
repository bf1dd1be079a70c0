import { sealChange } from '@holdfast/membership'
import type { EntryContent, Place, Registers, Stamp, TreeChange, TreeIndex } from '@holdfast/manifest'
import { blockId, InvalidArgumentError, MAX_NAME_BYTES, ROOT_ENTRY, TRASH_ENTRY, type Block, type EntryId, type PageId } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { LogEntry } from './log-inventory.js'
import { newEntryId } from './page-set.js'
import { nextCounter, type VaultStore } from './vault-store.js'
import { encodeFresh } from './fresh-blocks.js'

/** Writes registers; each method takes effect in the index at once, so that later ones see it. */
export interface Transaction {
  readonly index: TreeIndex
  stamp (): Stamp
  create (parent: EntryId, name: string, content: EntryContent): EntryId
  /** Moves or renames. Throws InvalidArgumentError when a directory would come to lie inside itself. */
  place (entry: EntryId, parent: EntryId, name: string): void
  /** MAN-4: a move to the trash, with what this device has seen. */
  trash (entry: EntryId): void
  /** Takes something deleted out of the trash for good. An edit that this device has not seen brings it back, as with any deletion. */
  purge (entry: EntryId): void
  content (entry: EntryId, content: EntryContent): void
  /** Blocks that this commit makes reachable and that no node has; `inline` ones are small enough to announce. */
  bring (files: { node: CID, fresh: readonly CID[], inline: readonly Block[] }): void
}

export interface TransactionResult<T> { result: T, changes: TreeChange[] }

interface Write { place?: Place, content?: EntryContent }

/** Runs `body` and makes its writes one durable commit; nothing at all happens when either fails. The caller holds the vault's Exclusive. */
export async function transact<T> (store: VaultStore, body: (transaction: Transaction) => T): Promise<TransactionResult<T>> {
  const draft = createDraft(store)
  let result: T
  try { result = body(draft.transaction) } catch (error) { draft.undo(); throw error }
  if (draft.writes.size === 0) return { result, changes: [] }
  try {
    await commit(store, draft)
    return { result, changes: draft.changes }
  } catch (error) {
    store.pages.discard()
    draft.undo()
    throw error
  }
}

type Draft = ReturnType<typeof createDraft>

function createDraft (store: VaultStore) {
  const { index } = store
  const { device, random } = store.components
  const writes = new Map<EntryId, Write>()
  const before = new Map<EntryId, Registers>()
  const changes: TreeChange[] = []
  const files: CID[] = []
  const fresh: CID[] = []
  const inline: Block[] = []
  const seq = nextCounter(store)

  function write (entry: EntryId, part: Write): void {
    const old = index.registers(entry) ?? { places: [], contents: [] }
    if (!before.has(entry)) before.set(entry, old)
    writes.set(entry, { ...writes.get(entry), ...part })
    changes.push(...index.update([[entry, {
      places: part.place === undefined ? old.places : [part.place],
      contents: part.content === undefined ? old.contents : [part.content]
    }]]))
  }

  const stamp = (): Stamp => ({ when: store.tick(), by: device.id, seq })
  const shownAt = (entry: EntryId): Place['before'] => {
    const shown = index.get(entry)
    return shown === undefined || shown.trashed ? null : { parent: shown.parent, name: shown.wish }
  }

  /** An entry with those that the tree unites with it: whoever moves or deletes what is shown does it to all of them. */
  const shownAsOne = (entry: EntryId): EntryId[] => [entry, ...index.get(entry)?.united ?? []]

  function trashOne (entry: EntryId): void {
    const before = shownAt(entry)
    if (before === null) throw new InvalidArgumentError('there is no such entry')
    write(entry, { place: { parent: TRASH_ENTRY, name: before.name, stamp: stamp(), before, seen: { ...store.state.vector, [device.id]: seq } } })
  }

  const transaction: Transaction = {
    index,
    stamp,
    create (parent, name, content) {
      checkName(name)
      const entry = newEntryId(random)
      write(entry, { place: { parent, name, stamp: stamp(), before: null, seen: null }, content })
      return entry
    },
    place (entry, parent, name) {
      checkName(name)
      checkNoCycle(index, entry, parent)
      for (const one of shownAsOne(entry)) write(one, { place: { parent, name, stamp: stamp(), before: shownAt(one), seen: null } })
    },
    trash (entry) { for (const one of shownAsOne(entry)) trashOne(one) },
    purge (entry) {
      const shown = index.get(entry)
      if (shown === undefined || !shown.trashed) throw new InvalidArgumentError('only what is in the trash can be taken out of it for good')
      // A deleted entry without a place before is one that nobody wants back.
      write(entry, { place: { parent: TRASH_ENTRY, name: shown.wish, stamp: stamp(), before: null, seen: { ...store.state.vector, [device.id]: seq } } })
    },
    content (entry, content) {
      // Equal files of one name are shown as one; the others must not come back beside it with what it said before.
      const others = content.kind === 'file' ? shownAsOne(entry).filter(one => one !== entry) : []
      write(entry, { content })
      for (const one of others) trashOne(one)
    },
    bring (added) {
      files.push(added.node)
      fresh.push(...added.fresh)
      inline.push(...added.inline)
    }
  }
  const undo = (): void => { index.update([...before].reverse()) }
  return { transaction, writes, changes, files, fresh, inline, seq, undo }
}

/** One change for each page that was written, sealed, in one batch with the pages' records. */
async function commit (store: VaultStore, draft: Draft): Promise<void> {
  const byPage = new Map<PageId, { entry: EntryId, place?: Place, content?: EntryContent }[]>()
  // Entries that are new get a page now. One commit may fill a page and go on in the next.
  const planned = new Map<PageId, number>()
  for (const [entry, write] of draft.writes) {
    const page = store.pages.pageOf(entry) ?? store.pages.pageForNew(planned)
    const list = byPage.get(page)
    if (list === undefined) byPage.set(page, [{ entry, ...write }])
    else list.push({ entry, ...write })
  }
  const logBlocks: Block[] = []
  const logAdded: LogEntry[] = []
  for (const [id, writes] of byPage) {
    const page = await store.pages.get(id)
    const change = page.change(writes)
    store.pages.noteTail(id, [change], writes.map(write => write.entry))
    const block = await sealChange({ keys: store.vaultKeys, signer: store.components.device.signer, random: store.components.random }, { seq: draft.seq, page: id, changes: [change] })
    logBlocks.push(block)
    logAdded.push({ cid: block.cid, page: id, kind: 'change' })
  }
  const commitNumber = store.state.commit + 1
  const seen = new Set<string>()
  const fresh = draft.fresh.filter(cid => !seen.has(blockId(cid)) && seen.add(blockId(cid)))
  await store.write({
    blocks: logBlocks,
    announce: draft.inline,
    tooLarge: fresh.length > draft.inline.length,
    logAdded,
    filesAdded: draft.files,
    state: { commit: commitNumber },
    records: fresh.length === 0 ? [] : [{ key: store.keys.freshCommit(commitNumber), value: encodeFresh(fresh) }],
    indexed: true
  })
  store.fresh.note(commitNumber, fresh)
}

const encoder = new TextEncoder()

export function checkName (name: string): void {
  if (name.length === 0 || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    throw new InvalidArgumentError(`"${name}" cannot be a name`, 'Names are not empty, not "." or "..", and have no "/" in them.')
  }
  const bytes = encoder.encode(name).length
  if (bytes > MAX_NAME_BYTES) throw new InvalidArgumentError(`the name "${name.slice(0, 40)}…" has ${bytes} bytes; ${MAX_NAME_BYTES} is the most`, 'Choose a shorter name.')
}

function checkNoCycle (index: TreeIndex, entry: EntryId, parent: EntryId): void {
  for (let at: EntryId | undefined = parent; at !== undefined && at !== ROOT_ENTRY; at = index.get(at)?.parent) {
    if (at === entry) throw new InvalidArgumentError('a directory cannot be moved into itself', 'Choose a destination outside of it.')
  }
}

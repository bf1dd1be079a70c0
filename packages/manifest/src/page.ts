import { decodeChange } from '@automerge/automerge'
import { CorruptBlockError, InvalidArgumentError, UnknownVersionError, isHoldfastError, toHex, type EntryId, type PageId } from '@holdfast/protocol'
import { decodeContent, decodePlace, encodeContent, encodePlace, isReserved } from './codec.js'
import { packRegisters } from './packed-registers.js'
import { addFragment, compactable, createHandle, type AutomergeHandle } from './page-log.js'
import type { Page, PageFragment, PageLog, PageWrite, StoredLog } from './page-types.js'
import type { Registers } from './registers.js'

/**
 * MAN-2. Both registers of an entry are bytes in the root map of the document, under `<entry>p` and `<entry>c`. The
 * root map is there from the start, so two devices never create "the same" map concurrently.
 */
const ROOT_MAP = '/'
const KEY = /^[0-9a-f]{32}[pc]$/

/** `actor`: 16 bytes, unique to this device, page and history: two writers must never share one. */
export function createPage (id: PageId, actor: Uint8Array): Page {
  return new AutomergePage(id, createHandle(toHex(actor)))
}

/**
 * `saved` is what `save` gave; `tail` are changes since. Throws CorruptBlockError.
 */
export function loadPage (id: PageId, actor: Uint8Array, saved: Uint8Array, tail: readonly Uint8Array[] = []): Page {
  const handle = createHandle(toHex(actor))
  try {
    handle.loadIncremental(saved)
  } catch (cause) {
    throw new CorruptBlockError('a saved page cannot be read', { page: id }, { cause })
  }
  const page = new AutomergePage(id, handle)
  if (tail.length > 0) page.apply(tail)
  return page
}

/** The hash by which Automerge names a change (hexadecimal). Throws CorruptBlockError. */
export function changeHash (change: Uint8Array): string {
  try {
    return decodeChange(change).hash
  } catch (cause) {
    throw new CorruptBlockError('a change cannot be read', {}, { cause })
  }
}

class AutomergePage implements Page {
  /** Automerge reports no patch for a key that is in conflict and stays so: those are looked at after every merge. */
  private readonly conflicted = new Set<string>()
  private readonly ids = new Set<EntryId>()
  /** Values that the last merge brought, until they are read: asking Automerge for each takes longer than merging. */
  private arrived = new Map<string, Uint8Array>()
  readonly log: PageLog

  constructor (readonly id: PageId, private readonly handle: AutomergeHandle) {
    this.log = {
      compactable: (stored: StoredLog) => compactable(handle, stored),
      apply: (fragment: PageFragment) => this.merge(() => addFragment(handle, fragment))
    }
    this.note(handle.diff([], handle.getHeads()))
    handle.updateDiffCursor()
  }

  get size (): number { return this.ids.size }
  entries (): Iterable<EntryId> { return this.ids.values() }
  heads (): string[] { return this.handle.getHeads() }
  pendingDependencies (): boolean { return this.handle.getMissingDeps([]).length > 0 }
  save (): Uint8Array { return this.handle.save() }
  close (): void { this.handle.free() }

  registers (entry: EntryId): Registers {
    if (!this.ids.has(entry)) return packRegisters([], [])
    return packRegisters(this.values(`${entry}p`, decodePlace), this.values(`${entry}c`, decodeContent))
  }

  private values (key: string, check: (bytes: Uint8Array) => unknown): Uint8Array[] {
    if (!this.conflicted.has(key)) {
      const value = this.arrived.get(key) ?? this.handle.get(ROOT_MAP, key)
      this.arrived.delete(key)
      return value instanceof Uint8Array && isReadable(value, check) ? [value] : []
    }
    return this.handle.getAll(ROOT_MAP, key).map(([, value]) => value).filter((value): value is Uint8Array => value instanceof Uint8Array && isReadable(value, check))
  }

  change (writes: Iterable<PageWrite>): Uint8Array {
    const values = encodeWrites(writes)
    if (values.size === 0) throw new InvalidArgumentError('there is nothing to write', undefined, { page: this.id })
    // Setting the whole root at once is several times faster, and possible only while the page is empty.
    if (this.handle.getHeads().length === 0 && values.size > 1) this.handle.initRootFromHydrate(Object.fromEntries(values))
    else for (const [key, value] of values) this.handle.put(ROOT_MAP, key, value, 'bytes')
    this.arrived.clear()
    if (this.handle.commit(null, 0) === null) throw new InvalidArgumentError('every value to write is there already', undefined, { page: this.id })
    for (const key of values.keys()) {
      this.conflicted.delete(key)
      this.ids.add(key.slice(0, 32) as EntryId)
    }
    this.handle.updateDiffCursor()
    return this.handle.getLastLocalChange()!
  }

  apply (changes: readonly Uint8Array[]): EntryId[] {
    return this.merge(() => {
      try {
        this.handle.applyChanges([...changes])
      } catch (cause) {
        throw new CorruptBlockError('a change cannot be applied', { page: this.id }, { cause })
      }
    })
  }

  private merge (action: () => void): EntryId[] {
    const touched = new Set<EntryId>([...this.conflicted].map(key => key.slice(0, 32) as EntryId))
    action()
    for (const id of this.note(this.handle.diffIncremental())) touched.add(id)
    return [...touched]
  }

  /** Keeps the lists of entries and of keys in conflict up to date; answers with the entries that patches name. */
  private note (patches: ReturnType<AutomergeHandle['diff']>): Set<EntryId> {
    const touched = new Set<EntryId>()
    this.arrived = new Map()
    for (const patch of patches) {
      const key = patch.path[0]
      // A member's program could put anything into a document; what is no register is left alone.
      if (patch.path.length !== 1 || typeof key !== 'string' || !KEY.test(key)) continue
      const id = key.slice(0, 32) as EntryId
      if (isReserved(id)) continue
      if (patch.action === 'put' && patch.value instanceof Uint8Array) this.arrived.set(key, patch.value)
      if (patch.action === 'conflict' || (patch.action === 'put' && patch.conflict === true)) this.conflicted.add(key)
      else if (patch.action === 'put' || patch.action === 'del') this.conflicted.delete(key)
      this.ids.add(id)
      touched.add(id)
    }
    return touched
  }
}

/** Later writes to the same register of an entry replace earlier ones. */
function encodeWrites (writes: Iterable<PageWrite>): Map<string, Uint8Array> {
  const values = new Map<string, Uint8Array>()
  for (const { entry, place, content } of writes) {
    if (!KEY.test(`${entry}p`) || isReserved(entry)) throw new InvalidArgumentError('an entry id is 32 hexadecimal digits, and none of the reserved ones', undefined, { entry })
    if (place !== undefined) values.set(`${entry}p`, encodePlace(place))
    if (content !== undefined) values.set(`${entry}c`, encodeContent(content))
  }
  return values
}

/**
 * Values that a faulty or hostile member wrote, and those of a later version, are left out of what this device
 * shows. They stay in the page, where a program that can read them finds them.
 */
function isReadable (value: Uint8Array, check: (bytes: Uint8Array) => unknown): boolean {
  try {
    check(value)
    return true
  } catch (error) {
    if (isHoldfastError(error) && (error.family === 'corrupt' || error instanceof UnknownVersionError || error.name === 'LimitExceededError')) return false
    throw error
  }
}

import type { EntryId, PageId } from '@holdfast/protocol'
import type { EntryContent, Place, Registers } from './registers.js'

/** What to write to one entry; a register that is left out keeps its values. */
export interface PageWrite { readonly entry: EntryId, readonly place?: Place, readonly content?: EntryContent }

/** LOG-2: several changes of a page as one piece, in place of which they need not be kept one by one. */
export interface PageFragment {
  /** The hash of its newest change. Equal, with `members`, on every device; `bytes` depend on the order of arrival. */
  readonly id: string
  /** Hashes of all changes in it. */
  readonly members: readonly string[]
  readonly bytes: Uint8Array
}

/** Which pieces of a page's history are stored. */
export interface StoredLog {
  /** Hashes of changes stored one by one. */
  readonly changes: Iterable<string>
  /** Ids of stored fragments. */
  readonly fragments: Iterable<string>
}

export interface PageLog {
  /** Fragments that are not stored yet, and whose members then need not be stored one by one; oldest first. */
  compactable (stored: StoredLog): PageFragment[]
  /** Adds what a fragment contains. Entries whose registers changed. Throws CorruptBlockError. */
  apply (fragment: PageFragment): EntryId[]
}

/** MAN-2: one Automerge document that holds the registers of up to about 2,000 entries. */
export interface Page {
  readonly id: PageId
  /** Entries in it. */
  readonly size: number
  entries (): Iterable<EntryId>
  /** Empty lists for an entry that is not in this page. */
  registers (entry: EntryId): Registers
  /** One Automerge change, time 0. Throws InvalidArgumentError for values that cannot be, and when there is nothing to write. */
  change (writes: Iterable<PageWrite>): Uint8Array
  /**
   * Changes in any order: those whose dependencies are missing wait for them. Repeated ones do nothing.
   * Answers with the entries whose registers may have changed. Throws CorruptBlockError; then nothing was changed.
   */
  apply (changes: readonly Uint8Array[]): EntryId[]
  /** Everything, changes that wait included. */
  save (): Uint8Array
  /** Hashes of the newest changes. */
  heads (): string[]
  /** True while changes wait for others that they depend on. */
  pendingDependencies (): boolean
  /** Gives the memory back at once; the page cannot be used afterwards. */
  close (): void
  readonly log: PageLog
}

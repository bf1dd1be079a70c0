import type { EntryId } from '@holdfast/protocol'
import type { EntryContent, EntryKind, FileVersion, Location, Registers } from '../registers.js'

/** An entry as the tree shows it. Immutable: it keeps telling how the entry was when it was asked for. */
export interface TreeEntry {
  readonly id: EntryId
  readonly kind: EntryKind
  /** The name shown: the wish, or the wish with a suffix where others keep the name (MAN-3). */
  readonly name: string
  /** The directory it is shown in; ROOT_ENTRY for the root directory itself; TRASH_ENTRY for the tops of what was deleted. */
  readonly parent: EntryId
  /** The winning content. */
  readonly content: EntryContent
  /**
   * MAN-5: concurrent versions of a file, distinct by digest, the winner first. For a directory or link: files that
   * others concurrently made of the same entry, which hardly ever happens; usually empty.
   */
  readonly versions: readonly FileVersion[]
  /** The name that the register wishes for. */
  readonly wish: string
  readonly trashed: boolean
  /** Where the top of something deleted was; null for everything else. */
  readonly before: Location | null
  /**
   * Other entries shown as one with this one: directories of one name, files of one name and content. Whoever moves,
   * renames or deletes what is shown has to do the same to these, or they stay behind under the old name.
   */
  readonly united: readonly EntryId[]
}

/**
 * One difference between the tree before an update and after it. `before.path` is a path of the old tree,
 * `after.path` one of the new; without `before` the entry appears, without `after` it is gone (deleted, united with
 * another or waiting for its parent).
 *
 * A directory that moves or goes is one change: what is below goes with it, unless it has a change of its own.
 * Everything that appears has a change. To replay on a map of paths: first take every `before.path` with what is
 * still below it out of the map, deepest first; then put each of them back at its `after.path`, shallowest first.
 */
export interface TreeChange {
  readonly id: EntryId
  readonly before?: { readonly path: string, readonly entry: TreeEntry }
  readonly after?: { readonly path: string, readonly entry: TreeEntry }
}

/**
 * MAN-3: the directory tree, a pure function of the registers given so far, whatever their order and grouping.
 * In memory; ids that are not known, or wait for a parent that has not arrived, are `undefined`.
 */
export interface TreeIndex {
  /** Sets the registers of these entries (each replaces what was known of that entry) and tells what that changes in the tree. */
  update (changes: Iterable<readonly [EntryId, Registers]>): TreeChange[]
  /** Trashed entries too. For an entry that is united with another: the one it is shown as (its `id` differs). */
  get (id: EntryId): TreeEntry | undefined
  /** `/` is the root directory. Paths are absolute, `/`-separated; names are exact. */
  lookup (path: string): TreeEntry | undefined
  /** What a directory shows, sorted by the bytes of the names (UTF-8); also of directories in the trash. */
  children (id: EntryId): TreeEntry[]
  /** Of what is in the tree; undefined in the trash. */
  path (id: EntryId): string | undefined
  registers (id: EntryId): Registers | undefined
  /** The tops of what was deleted, in the order of their ids; `before` says where they were. */
  trash (): TreeEntry[]
  /** What is in the tree with more than one version (MAN-5). */
  conflicts (): Iterable<TreeEntry>
  /** Everything below a directory (by default the root directory), itself left out: depth first, parents first. */
  walk (id?: EntryId): Iterable<TreeEntry>
  /** Entries in the tree: without the root directory, the trash, and what is united with another. */
  readonly size: number
  /** Sum of the file sizes of these. */
  readonly bytes: number
}

import type { PreparedFile } from '@holdfast/engine'
import type { CallOptions, EntryId, ProgressOptions } from '@holdfast/protocol'

export type Kind = 'file' | 'directory' | 'link'

/** What stat and readdir tell. `id` is stable through renames and moves; as a UUID see `entryUuid`. */
export interface FileEntry {
  path: string
  id: EntryId
  kind: Kind
  /** Bytes; 0 for directories. */
  size: number
  /** Milliseconds since the Unix epoch; may carry a fraction. */
  modified: number
  /** Permission bits, as in POSIX. */
  mode: number
  /** Where a link points. */
  target?: string
  /** Hex. Equal contents have equal digests. Files only. */
  digest?: string
  /** Versions in the tree now: 1, or more while concurrent ones wait to be merged. */
  versions: number
  /** Concurrent versions beside the one that is shown. */
  conflicts: number
}

/** A file's content, chunked, sealed and stored, that no path shows yet. */
export interface PreparedContent { readonly digest: string, readonly size: number, readonly modified: number, readonly mode: number, readonly file: PreparedFile }

/**
 * What a path was seen to lead to. When it leads elsewhere by now, since others moved something meanwhile, the whole
 * commit is refused with ChangedError: who decided on the operation has to look again.
 */
export interface Expected {
  /** Id of the entry at the path (of a move: at `from`). */
  entry?: string
  /** Id of the directory that the path (of a move: `to`) is in; any other text for one that this very commit makes. */
  parent?: string
  /** All that there is at the path and below it, so that nothing is removed that nobody looked at. */
  all?: readonly { id: string, digest?: string, conflicts: number }[]
}

export type Operation = { expected?: Expected } & (
  /** Versions that the content does not follow (see `prepare`) stay beside it as versions of the same file. */
  | { type: 'write', path: string, content: PreparedContent }
  /** An existing directory only takes the attributes. */
  | { type: 'mkdir', path: string, mode?: number, modified?: number }
  | { type: 'link', path: string, target: string, modified?: number }
  /** Keeps the entry's id. Throws ExistsError when the destination is taken. */
  | { type: 'move', from: string, to: string }
  /** To the trash, with all below. */
  | { type: 'remove', path: string }
  | { type: 'attributes', path: string, mode?: number, modified?: number })

/** A moved directory is one change; what lies in it moved along. */
export interface FilesystemChange { before?: FileEntry, after?: FileEntry }

export interface FileVersionInfo {
  /** Names the version: the CID of its file node. */
  version: string
  size: number
  modified: number
  mode: number
  digest: string
  /** When it was saved, milliseconds since the Unix epoch. */
  at: number
  /** The device that saved it; null for a version that merging made. */
  device: string | null
  /** Shown now (several are while concurrent versions wait). */
  current: boolean
}

export interface TrashEntry { id: EntryId, kind: Kind, name: string, /** where it was */ path: string, size: number, deletedAt: number, deletedBy: string | null }

export interface Range { offset?: number, length?: number }

/** The vault by paths. Every operation completes on this device; nothing waits for a network, but reads of contents that are not here. */
export interface Filesystem {
  /** Throws NotFoundError. */
  stat (path: string): Promise<FileEntry>
  /** Sorted by name. Throws NotFoundError, WrongKindError. */
  readdir (path: string): Promise<FileEntry[]>
  /** Everything below, parents first. */
  walk (path?: string): AsyncIterable<FileEntry>
  entry (id: EntryId): Promise<FileEntry | undefined>
  read (path: string, range?: Range, options?: CallOptions): AsyncIterable<Uint8Array>
  /**
   * `replaces`: the path whose versions this one follows. `base`: the digest that was edited, when it may not be the
   * shown one any more; null when the writer believed there was no file. Without either it follows nothing.
   */
  prepare (source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, facts: { size?: number, modified: number, mode: number, replaces?: string, base?: string | null }, options?: ProgressOptions): Promise<PreparedContent>
  /** One change, atomic, durable when it resolves. Later operations see the effect of earlier ones. Missing parents are made. */
  commit (operations: readonly Operation[], options?: CallOptions): Promise<FileEntry[]>
  watch (listener: (changes: FilesystemChange[]) => void): () => void
  /** Newest first. */
  history (path: string, options?: CallOptions): Promise<FileVersionInfo[]>
  readVersion (path: string, version: string, range?: Range, options?: CallOptions): AsyncIterable<Uint8Array>
  /** Makes an old version the newest one, or, with `to`, a file of its own. */
  restoreVersion (path: string, version: string, to?: string, options?: CallOptions): Promise<FileEntry>
  trash (): Promise<TrashEntry[]>
  /** Brings a deleted entry back to where it was, under a free name. */
  restoreTrash (id: EntryId, options?: CallOptions): Promise<FileEntry>
  /** Takes everything out of the trash for good; tells how much it was. */
  emptyTrash (options?: CallOptions): Promise<{ entries: number, bytes: number }>
}

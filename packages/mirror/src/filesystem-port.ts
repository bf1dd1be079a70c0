import type { CallOptions, EntryId } from '@holdfast/protocol'

/**
 * What the mirror needs of a vault's path view. `@holdfast/filesystem` satisfies it structurally; tests bring a
 * simulated vault. Paths start with `/`; digests are hex, equal for equal contents within a vault.
 */
export type Kind = 'file' | 'directory' | 'link'

export interface FileEntry {
  readonly path: string
  readonly id: EntryId
  readonly kind: Kind
  readonly size: number
  /** Milliseconds since the Unix epoch; may carry a fraction. */
  readonly modified: number
  /** Permission bits. */
  readonly mode: number
  readonly target?: string
  readonly digest?: string
  /** Other concurrent versions that could not be merged (MAN-5). */
  readonly conflicts: number
}

/** Chunked, sealed and stored, but not visible in the tree yet. */
export interface PreparedContent {
  readonly size: number
  readonly digest: string
  readonly modified: number
  readonly mode: number
}

export type Operation = {
  /**
   * What the path was seen to lead to: the ids of its entry and of the directory it is in (of a move: of `to`), and all
   * that there is below it. When others have changed that, ChangedError, and nothing is done. A directory that the same
   * commit makes may have any other text for an id.
   */
  expected?: { entry?: string, parent?: string, all?: readonly { id: string, digest?: string, conflicts: number }[] }
} & (
  | { type: 'write', path: string, content: PreparedContent }
  | { type: 'mkdir', path: string, mode?: number, modified?: number }
  | { type: 'link', path: string, target: string, modified?: number }
  | { type: 'move', from: string, to: string }
  | { type: 'remove', path: string }
  | { type: 'attributes', path: string, mode?: number, modified?: number })

/** One moved or deleted directory is one change. */
export interface FilesystemChange { readonly before?: FileEntry, readonly after?: FileEntry }

/** Methods, not properties, so that a filesystem whose prepared content holds more than these fields fits too. */
export interface MirroredFilesystem {
  /** Throws when there is nothing at the path. */
  stat (path: string): Promise<FileEntry>
  entry (id: EntryId): Promise<FileEntry | undefined>
  /** Everything below the path, parents first. */
  walk (path?: string): AsyncIterable<FileEntry>
  read (path: string, range?: { offset?: number, length?: number }, options?: CallOptions): AsyncIterable<Uint8Array>
  /** `replaces`: path of the file that is followed; `base`: digest of the version that was edited, null when the writer believed there was none. What is not followed stays beside it (MAN-5). */
  prepare (source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, facts: { size?: number, modified: number, mode: number, replaces?: string, base?: string | null }, options?: CallOptions): Promise<PreparedContent>
  /** One atomic change, durable when it resolves; operations see the effect of earlier ones. One result per operation. */
  commit (operations: readonly Operation[], options?: CallOptions): Promise<FileEntry[]>
  watch (listener: (changes: FilesystemChange[]) => void): () => void
}

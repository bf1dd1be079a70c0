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

/** `base` of a write: digest of what the writer edited; null when the writer believed there was no file. */
export type Operation =
  | { type: 'write', path: string, content: PreparedContent, base?: string | null }
  | { type: 'mkdir', path: string, mode?: number, modified?: number }
  | { type: 'link', path: string, target: string, modified?: number }
  | { type: 'move', from: string, to: string }
  | { type: 'remove', path: string }
  | { type: 'attributes', path: string, mode?: number, modified?: number }

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
  prepare (source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, facts: { size?: number, modified: number, mode: number, replaces?: string, base?: string | null }, options?: CallOptions): Promise<PreparedContent>
  /** One atomic change, durable when it resolves; operations see the effect of earlier ones. One result per operation. */
  commit (operations: readonly Operation[], options?: CallOptions): Promise<FileEntry[]>
  watch (listener: (changes: FilesystemChange[]) => void): () => void
}

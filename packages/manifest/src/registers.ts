import type { DeviceId, EntryId, VersionVector } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'

/** When and by whom a register was written. Greater stamps win; see `compareStamps`. */
export interface Stamp {
  /** Hybrid logical clock, whole milliseconds since the Unix epoch, below 2^48. */
  readonly when: number
  /** The writing device; null for what no device of the vault wrote (an import, a repair): every deleter has seen it. */
  readonly by: DeviceId | null
  /** The counter of the root in which the writer publishes it (ROOT-1), below 2^32. */
  readonly seq: number
}

/** A directory and a name in it. */
export interface Location { readonly parent: EntryId, readonly name: string }

/** MAN-1: where an entry is. */
export interface Place {
  /** ROOT_ENTRY, TRASH_ENTRY or a directory's id. */
  readonly parent: EntryId
  readonly name: string
  readonly stamp: Stamp
  /** Where the entry was before, and goes back to when this move loses (MAN-3) or this deletion does (MAN-4). */
  readonly before: Location | null
  /** Set exactly when `parent` is TRASH_ENTRY: what the deleter had seen, its own pending counter included (MAN-4). */
  readonly seen: VersionVector | null
}

/** What tells one version of a file from another, and opens it. */
export interface FileVersion {
  /** Bytes. */
  readonly size: number
  /** 32 bytes, keyed identity of the plaintext: equal contents of a vault have equal digests. */
  readonly digest: Uint8Array
  /** The file node: CIDv1, sha2-256. */
  readonly node: CID
  /** 32 bytes. */
  readonly key: Uint8Array
  /** Milliseconds since the Unix epoch; may be negative and may carry a fraction. */
  readonly modified: number
  /** Permission bits, at most 0o7777. */
  readonly mode: number
  readonly stamp: Stamp
}

export interface DirectoryContent { readonly kind: 'directory', readonly stamp: Stamp, readonly modified: number, readonly mode: number }
export interface LinkContent { readonly kind: 'link', readonly target: string, readonly stamp: Stamp, readonly modified: number, readonly mode: number }
export interface FileContent extends FileVersion {
  readonly kind: 'file'
  /** Other versions that the writer knew to be in conflict with this one and kept (MAN-5). Usually none. */
  readonly alternates: readonly FileVersion[]
}

/** MAN-1: what an entry is. */
export type EntryContent = DirectoryContent | LinkContent | FileContent
export type EntryKind = EntryContent['kind']

/** All concurrent values of an entry's two registers, without repetitions, in the order of their encoded bytes. */
export interface Registers { readonly places: readonly Place[], readonly contents: readonly EntryContent[] }

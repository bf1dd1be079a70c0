import type { VaultKeys } from '@holdfast/crypto'
import type { Block, CallOptions, DeviceId, ProgressOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'

/** What opens one version of a file: its file node and the 32-byte key of that. */
export interface FileRef { readonly node: CID, readonly key: Uint8Array }

/** What a file node says beside the contents. The same facts and contents give the same CID on every device. */
export interface FileFacts {
  /** When the contents last changed, whole milliseconds since the Unix epoch; may be negative. */
  readonly modified: number
  /** POSIX permission bits, 0 to 0o7777. */
  readonly mode: number
  /** MAN-6: the versions that this one replaces; usually one, none for a new file, several after a merge. */
  readonly previous: readonly FileRef[]
  /** The device that wrote this version; null when several arrive at it alone (a merge). */
  readonly by: DeviceId | null
  /** When it was written, whole milliseconds since the Unix epoch. */
  readonly at: number
}

export interface FileDescription extends FileFacts {
  /** Bytes. */
  readonly size: number
  /** 32 bytes, keyed: equal contents in a vault (under one epoch) have equal digests; outside it says nothing. */
  readonly digest: Uint8Array
}

export interface SealedFile { readonly ref: FileRef, readonly size: number, readonly digest: Uint8Array }

export type Source = AsyncIterable<Uint8Array> | Iterable<Uint8Array>
/** Takes blocks to store. Called with one batch at a time, what a block links to never after it. */
export type BlockSink = (blocks: Block[]) => Promise<void>
/** Gives a block's bytes, checked against the CID or not. Throws BlockNotFoundError. */
export type BlockFetch = (cid: CID, options?: CallOptions) => Promise<Uint8Array>

/** Bytes; from the start and to the end unless told. What lies past the end of the file is left out. */
export interface ByteRange { offset?: number, length?: number }

export interface OpenFile {
  readonly description: FileDescription
  readonly size: number
  /** In order, in pieces of at most 1 MiB, fetching a few chunks ahead. Throws CorruptBlockError, BlockNotFoundError. */
  read (range?: ByteRange, options?: CallOptions): AsyncIterable<Uint8Array>
}

export interface Content {
  /**
   * CHK-1..4: seals contents of any length in bounded memory. Pieces of the source are copied before the next is asked for, so it may
   * reuse its buffer. `size` is needed for progress alone. Rejects with what the source or the sink threw;
   * the blocks that the sink took until then are of no use, and harmless. Throws InvalidArgumentError for impossible facts.
   */
  seal (source: Source, facts: FileFacts & { size?: number }, sink: BlockSink, options?: ProgressOptions): Promise<SealedFile>
  /** Fetches and checks the file node. Throws CorruptBlockError, UnknownVersionError, BlockNotFoundError. */
  open (ref: FileRef, fetch: BlockFetch, options?: CallOptions): Promise<OpenFile>
}

/** The keys under which the parts of a file are made; see `fileKeys`. */
export interface FileKeys {
  readonly chunk: VaultKeys['content']
  readonly node: Uint8Array
  readonly index: Uint8Array
  readonly inlineDigest: Uint8Array
  readonly listDigest: Uint8Array
}

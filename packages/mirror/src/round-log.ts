import type { Clock, HoldfastError, Random } from '@holdfast/protocol'
import type { AgreedTree } from './agreed-tree.js'
import type { Disk } from './disk-port.js'
import { EntryFailedError } from './errors.js'
import type { MirroredFilesystem } from './filesystem-port.js'
import type { IgnoreRules } from './ignore-rules.js'
import type { Id } from './model.js'

export type MirrorEvent =
  /** Watching, and the two sides were the same once. */
  | { readonly type: 'ready' }
  /** The vault keeps other versions of this file, one step away in its history. */
  | { readonly type: 'conflict', readonly path: string, readonly versions: number }
  /** One entry could not be mirrored, or is skipped; the rest goes on. */
  | { readonly type: 'error', readonly path?: string, readonly error: HoldfastError }
  /** Nothing is left to do for now. */
  | { readonly type: 'idle' }
  /** Nothing more happens until what the error says is done. */
  | { readonly type: 'guarded', readonly error: HoldfastError }

export interface MirrorCounts { uploaded: number, downloaded: number, moved: number, removedFromVault: number, removedFromDisk: number, attributes: number, bytes: number }

/** What the executors work with. */
export interface Workplace {
  readonly disk: Disk
  readonly filesystem: MirroredFilesystem
  readonly agreed: AgreedTree
  readonly rules: IgnoreRules
  readonly clock: Clock
  readonly random: Random
  readonly signal?: AbortSignal
  readonly log: RoundLog
  /** Writes the agreed tree down. */
  save (): Promise<void>
}

/** What one round did, and what it leaves for the next. */
export class RoundLog {
  readonly counts: MirrorCounts = { uploaded: 0, downloaded: 0, moved: 0, removedFromVault: 0, removedFromDisk: 0, attributes: 0, bytes: 0 }
  readonly failures = new Map<string, HoldfastError>()
  readonly conflicts = new Map<string, number>()
  /** Disk paths to look at again: they changed while this round worked. */
  readonly look = new Set<string>()
  /** Of those, directories to look at with all below. */
  readonly lookBelow = new Set<string>()
  /** Entries to look at again in the vault. */
  readonly entries = new Set<Id>()
  /** Entries of what failed: to be tried again after a while. */
  readonly retry = new Set<Id>()
  /** Directories whose time changed alone: it travels when the next look finds it unchanged. */
  readonly unsteady = new Set<string>()
  /** Entry ids of what was new. */
  readonly #ids = new Map<Id, Id>()
  done = 0

  fail (path: string, action: string, cause: unknown): void {
    this.failures.set(path, new EntryFailedError(path, action, cause))
  }

  leave (path: string): void { this.look.add(path) }
  became (id: Id, entry: Id): void { if (id !== entry) this.#ids.set(id, entry) }
  /** The entry's id, for what had none when the round was planned. */
  idOf (id: Id): Id { return this.#ids.get(id) ?? id }
}

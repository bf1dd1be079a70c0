import { ROOT_ENTRY } from '@holdfast/protocol'
import type { Kind } from './filesystem-port.js'

/** An entry's id, or `new:<disk path>` for what is on the disk and has no entry yet. */
export type Id = string
export const ROOT: Id = ROOT_ENTRY
export const newId = (diskPath: string): Id => `new:${diskPath}`
export const isNewId = (id: Id): boolean => id.startsWith('new:')

/** Where an entry is: the id of its directory and its name there, in the vault's spelling. */
export interface Place { readonly parent: Id, readonly name: string }

/** What the disk tells of one file, without reading it (lstat). Times in nanoseconds since the Unix epoch. */
export interface DiskFacts {
  readonly kind: Kind
  readonly size: number
  readonly mtime: bigint
  readonly ctime: bigint
  readonly inode: bigint
  /** Time of creation, 0n where the disk does not say. */
  readonly born: bigint
  /** Permission bits (0o777). */
  readonly mode: number
  /** Read so soon after its last change that another change in the same clock tick would look the same. */
  readonly racy?: boolean
}

export interface VaultNode extends Place {
  readonly id: Id
  readonly kind: Kind
  readonly size: number
  readonly modified: number
  readonly mode: number
  readonly target?: string
  readonly digest?: string
  readonly conflicts: number
}

export interface DiskNode extends Place {
  readonly id: Id
  /** Its name on this disk; another than `name` only where the disk folds case or Unicode forms. */
  readonly diskName: string
  /** Where it was when the disk was scanned. */
  readonly path: string
  readonly facts: DiskFacts
  readonly target?: string
}

/** What vault and disk last agreed on about one entry. `modified` and `mode` as the vault had them, `facts` as the disk. */
export interface AgreedEntry extends Place {
  readonly id: Id
  readonly kind: Kind
  readonly diskName: string
  readonly digest?: string
  readonly target?: string
  readonly modified: number
  readonly mode: number
  readonly facts: DiskFacts
}

/** What differs from the agreed tree on one side; null is gone. What is not listed is as agreed. */
export type Delta<Node> = ReadonlyMap<Id, Node | null>

/** Milliseconds with a fraction, as the vault keeps them (doubles resolve about a quarter of a microsecond today). */
export const toModified = (mtime: bigint): number => Number(mtime / 1_000_000n) + Number(mtime % 1_000_000n) / 1e6

/** Whether a disk's time and a vault's time are the same, given what a double can carry. */
export const sameTime = (mtime: bigint, modified: number): boolean => Math.abs(toModified(mtime) - modified) < 0.001

/**
 * Facts read after a time was set, as far as they are that: when the time is another, somebody changed the thing at
 * that very moment, and that has to stay a difference. Disks may round times (FAT: to two seconds).
 */
export function factsWithTime (facts: DiskFacts, set: number): DiskFacts {
  const rounded = facts.mtime % 1_000_000_000n === 0n && Math.abs(toModified(facts.mtime) - set) < 2001
  return rounded || sameTime(facts.mtime, set) ? facts : { ...facts, mtime: BigInt(Math.round(set * 1000)) * 1000n }
}

/** Whether these are the bytes that were scanned, as far as the disk tells without reading. */
export const sameBytes = (a: DiskFacts, b: DiskFacts): boolean =>
  a.kind === b.kind && a.size === b.size && a.mtime === b.mtime && a.inode === b.inode

/** Whether nothing that matters changed: contents, permissions, times. A directory's size and ctime say nothing. */
export function sameFacts (a: DiskFacts, b: DiskFacts): boolean {
  if (a.kind !== b.kind || a.mode !== b.mode || a.mtime !== b.mtime || a.inode !== b.inode) return false
  return a.kind === 'directory' || (a.size === b.size && a.ctime === b.ctime)
}

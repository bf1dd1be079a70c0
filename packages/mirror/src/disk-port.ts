import type { DiskFacts } from './model.js'

/** One name in a directory. */
export type Listed =
  | { readonly name: string, readonly facts: DiskFacts }
  | { readonly name: string, readonly skipped: 'special' | 'name' | 'unreadable', readonly cause?: unknown }

export interface OpenedFile {
  facts (): Promise<DiskFacts>
  /** The whole file from the start, in pieces of about a mebibyte. */
  read (): AsyncIterable<Uint8Array>
  close (): Promise<void>
}

/**
 * The disk under a mirror, as primitive operations, so that tests can simulate one and fail or interleave any of
 * them. Paths are the mirror's (`/a/b`). No operation follows a symbolic link at the end of a path. Errors carry
 * the operating system's `code`.
 */
export interface Disk {
  /** Undefined when nothing is there; `special` for what is neither file, directory nor link. */
  facts (path: string): Promise<DiskFacts | 'special' | undefined>
  /** The directory's own entries with their facts, sorted by name. */
  list (path: string): Promise<Listed[]>
  open (path: string): Promise<OpenedFile>
  readLink (path: string): Promise<string>
  /** Makes a file that was not there, with these bytes, attributes and times, and forces it to the platter. */
  writeFile (path: string, source: AsyncIterable<Uint8Array>, attributes: { mode: number, modified: number }): Promise<void>
  makeLink (path: string, target: string, modified: number): Promise<void>
  makeDirectory (path: string): Promise<void>
  /** Replaces what is there, as rename(2) does. */
  rename (from: string, to: string): Promise<void>
  /** A second name for a file; fails with EEXIST rather than replace. */
  hardLink (from: string, to: string): Promise<void>
  removeFile (path: string): Promise<void>
  /** Fails with ENOTEMPTY when anything is in it. */
  removeDirectory (path: string): Promise<void>
  setMode (path: string, mode: number): Promise<void>
  /** Milliseconds with a fraction. */
  setModified (path: string, modified: number): Promise<void>
  /** Makes renames and new names in a directory survive a power cut. */
  syncDirectory (path: string): Promise<void>
}

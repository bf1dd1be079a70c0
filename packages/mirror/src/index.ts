/** Keeps a directory on a disk and a vault the same (design, section 6). */
export { createMirror, type Mirror, type MirrorComponents, type MirrorOptions, type MirrorReport } from './mirror.js'
export type { MirrorCounts, MirrorEvent } from './round-log.js'
export type { FileEntry, FilesystemChange, Kind, MirroredFilesystem, Operation, PreparedContent } from './filesystem-port.js'
export type { Disk, Listed, OpenedFile } from './disk-port.js'
export type { DiskHint, DiskWatcher, WatchDisk } from './watch-disk.js'
export { EntryFailedError, ForeignMirrorError, GuardError, MirrorMissingError, SkippedError } from './errors.js'

import { HoldfastError } from '@holdfast/protocol'

/** The directory lacks its marker although a mirror was there: an unmounted disk, or a deleted directory. */
export class MirrorMissingError extends HoldfastError {
  override readonly name = 'MirrorMissingError'
  readonly family = 'invalid'
  constructor (directory: string) {
    super(`${directory} is not the mirror that was here: its marker .holdfast/mirror is missing`,
      'Mount the disk again, or put the directory back. To start over in an empty directory, mirror into a new one.', { directory })
  }
}

/** The directory is the mirror of another home. */
export class ForeignMirrorError extends HoldfastError {
  override readonly name = 'ForeignMirrorError'
  readonly family = 'invalid'
  constructor (directory: string, marker: string) {
    super(`${directory} is a mirror of another vault or home`, 'Use the home that it belongs to, or choose another directory.', { directory, marker })
  }
}

/** So much is gone from the disk that it looks like an accident. Nothing was deleted in the vault. */
export class GuardError extends HoldfastError {
  override readonly name = 'GuardError'
  readonly family = 'invalid'
  constructor (readonly gone: number, readonly agreed: number) {
    super(`${gone} of ${agreed} entries are gone from the mirror; nothing was deleted in the vault`,
      'Put the files back, or confirm the deletion by allowing a mass delete.', { gone, agreed })
  }
}

/** One entry that could not be mirrored now; the rest goes on. */
export class EntryFailedError extends HoldfastError {
  override readonly name = 'EntryFailedError'
  readonly family = 'retryable'
  constructor (readonly path: string, action: string, cause: unknown) {
    super(`${path} could not be ${action}: ${describe(cause)}`, remedyFor(cause), { path, action, code: codeOf(cause) }, { cause })
  }
}

/** Something on the disk that is not mirrored: a socket, a device, a name that is no UTF-8, an unreadable directory. */
export class SkippedError extends HoldfastError {
  override readonly name = 'SkippedError'
  readonly family = 'invalid'
  constructor (readonly path: string, readonly reason: 'special' | 'name' | 'unreadable', cause?: unknown) {
    super(`${path} is skipped: ${SKIPPED[reason][0]}`, SKIPPED[reason][1], { path, reason }, { cause })
  }
}

const SKIPPED = {
  special: ['it is a socket, a pipe or a device', 'Only files, directories and links are mirrored. Name it in .holdfastignore to hide this message.'],
  name: ['its name is not valid UTF-8', 'Rename it. Its contents stay where they are until then.'],
  unreadable: ['it cannot be read', 'Give this user permission to read it. Until then nothing in it is uploaded or counted as deleted.']
} as const

/** The operating system's code (`ENOSPC`), or undefined. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

const describe = (cause: unknown): string => {
  const known: Record<string, string> = { ENOSPC: 'the disk is full', EDQUOT: 'the disk quota is used up', EACCES: 'permission denied', EPERM: 'permission denied', EROFS: 'the disk is read-only', ENAMETOOLONG: 'the name is too long for this disk' }
  return known[codeOf(cause) ?? ''] ?? (cause instanceof Error ? cause.message : String(cause))
}

const remedyFor = (cause: unknown): string => {
  const code = codeOf(cause) ?? ''
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'Free some space; it is tried again by itself.'
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'Give this user permission; it is tried again by itself.'
  return cause instanceof HoldfastError ? cause.remedy : 'It is tried again by itself; nothing was lost.'
}

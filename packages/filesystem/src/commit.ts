import type { Transaction } from '@holdfast/engine'
import type { EntryContent, FileVersion, TreeEntry } from '@holdfast/manifest'
import { ROOT_ENTRY, toHex, type EntryId } from '@holdfast/protocol'
import { ChangedError, ExistsError, NotFoundError, WrongKindError } from './errors.js'
import type { Expected, Operation, PreparedContent } from './filesystem-types.js'
import { normalisePath, splitPath } from './paths.js'

export const DIRECTORY_MODE = 0o755
export const LINK_MODE = 0o777

type Of<Type extends Operation['type']> = Extract<Operation, { type: Type }>

/** Carries out one operation inside a transaction; resolves paths against what earlier operations left. `now` in milliseconds. */
export function applyOperation (transaction: Transaction, operation: Operation, now: number): EntryId {
  switch (operation.type) {
    case 'write': return write(transaction, operation, now)
    case 'mkdir': return mkdir(transaction, operation, now)
    case 'link': return link(transaction, operation, now)
    case 'move': return move(transaction, operation, now)
    case 'remove': return remove(transaction, operation)
    case 'attributes': return attributes(transaction, operation)
  }
}

/** Throws ChangedError unless the operation's paths lead to what was expected. `made`: what earlier operations gave. */
export function checkExpected ({ index }: Pick<Transaction, 'index'>, operation: Operation, made: ReadonlySet<EntryId>): void {
  const { expected } = operation
  if (expected === undefined) return
  const [path, destination] = operation.type === 'move' ? [operation.from, operation.to] : [operation.path, operation.path]
  const shown = (id: string): EntryId | undefined => index.get(id as EntryId)?.id
  if (expected.entry !== undefined) {
    const there = index.lookup(normalisePath(path))?.id
    if (there === undefined || (there !== expected.entry && there !== shown(expected.entry))) throw new ChangedError(path)
  }
  if (expected.parent !== undefined) {
    const there = index.lookup(splitPath(destination).parent)?.id
    const known = shown(expected.parent)
    if (there === undefined || (there !== expected.parent && (known === undefined ? !made.has(there) : there !== known))) throw new ChangedError(destination)
  }
  if (expected.all !== undefined) checkAll(index, normalisePath(path), expected.all)
}

function checkAll (index: Transaction['index'], path: string, all: NonNullable<Expected['all']>): void {
  const top = index.lookup(path)
  if (top === undefined) throw new ChangedError(path)
  const seen = new Map<string, (typeof all)[number]>(all.map(entry => [entry.id, entry]))
  for (const { id, content, versions } of [top, ...index.walk(top.id)]) {
    const known = seen.get(id)
    const digest = content.kind === 'file' ? toHex(content.digest) : undefined
    if (known === undefined || known.digest !== digest || known.conflicts !== Math.max(0, versions.length - 1)) throw new ChangedError(index.path(id) ?? path)
  }
}

export function mustFind (transaction: Pick<Transaction, 'index'>, path: string): TreeEntry {
  const found = transaction.index.lookup(normalisePath(path))
  if (found === undefined) throw new NotFoundError(path)
  return found
}

/** The directory at a path, made with its parents where it is missing. */
export function makeDirectories (transaction: Transaction, path: string, now: number): EntryId {
  const found = transaction.index.lookup(path)
  if (found !== undefined) {
    if (found.kind !== 'directory') throw new WrongKindError(path, found.kind, 'directory')
    return found.id
  }
  const { parent, name } = splitPath(path)
  return transaction.create(makeDirectories(transaction, parent, now), name, { kind: 'directory', stamp: transaction.stamp(), modified: now, mode: DIRECTORY_MODE })
}

function write (transaction: Transaction, operation: Of<'write'>, now: number): EntryId {
  const { parent, name } = splitPath(operation.path)
  const existing = transaction.index.lookup(normalisePath(operation.path))
  if (existing?.kind === 'directory') throw new WrongKindError(operation.path, 'directory', 'file')
  const { content } = operation
  const fresh = fileContent(transaction, content)
  transaction.bring({ node: fresh.node, fresh: content.file.fresh, inline: content.file.inline })
  // A link has no versions: it goes to the trash, and the file is an entry of its own.
  if (existing?.kind === 'link') transaction.trash(existing.id)
  if (existing === undefined || existing.content.kind !== 'file') return transaction.create(makeDirectories(transaction, parent, now), name, fresh)
  transaction.content(existing.id, overwrite(transaction, existing, existing.content, content, fresh))
  return existing.id
}

type FileContent = Extract<EntryContent, { kind: 'file' }>

function fileContent (transaction: Transaction, { file, modified, mode }: PreparedContent): FileContent {
  return { kind: 'file', stamp: transaction.stamp(), modified, mode, size: file.sealed.size, digest: file.sealed.digest, node: file.sealed.ref.node, key: file.sealed.ref.key, alternates: [] }
}

/**
 * What the register says after a write: the new version, and beside it every version that it does not follow, because
 * the writer had not seen it (MAN-5). Where the bytes are the same, only the attributes change.
 */
function overwrite (transaction: Transaction, existing: TreeEntry, shown: FileContent, content: PreparedContent, fresh: FileContent): FileContent {
  if (toHex(shown.digest) === content.digest && existing.versions.length < 2) {
    return { ...shown, stamp: transaction.stamp(), modified: fresh.modified, mode: fresh.mode }
  }
  const follows = new Set(content.file.facts.previous.map(({ node }) => node.toString()))
  const now = existing.versions.length > 0 ? existing.versions : [versionOf(shown)]
  return { ...fresh, alternates: now.filter(version => !follows.has(version.node.toString()) && toHex(version.digest) !== content.digest) }
}

const versionOf = ({ stamp, modified, mode, size, digest, node, key }: FileContent): FileVersion => ({ stamp, modified, mode, size, digest, node, key })

function mkdir (transaction: Transaction, operation: Of<'mkdir'>, now: number): EntryId {
  const path = normalisePath(operation.path)
  if (path === '/') return ROOT_ENTRY
  const existing = transaction.index.lookup(path)
  if (existing === undefined) {
    const { parent, name } = splitPath(path)
    return transaction.create(makeDirectories(transaction, parent, now), name, { kind: 'directory', stamp: transaction.stamp(), modified: operation.modified ?? now, mode: operation.mode ?? DIRECTORY_MODE })
  }
  if (existing.kind !== 'directory') throw new WrongKindError(path, existing.kind, 'directory')
  if (operation.mode === undefined && operation.modified === undefined) return existing.id
  return attributes(transaction, { ...operation, type: 'attributes' })
}

function link (transaction: Transaction, operation: Of<'link'>, now: number): EntryId {
  const { parent, name } = splitPath(operation.path)
  const content: EntryContent = { kind: 'link', stamp: transaction.stamp(), modified: operation.modified ?? now, mode: LINK_MODE, target: operation.target }
  const existing = transaction.index.lookup(normalisePath(operation.path))
  if (existing === undefined) return transaction.create(makeDirectories(transaction, parent, now), name, content)
  if (existing.kind === 'directory') throw new WrongKindError(operation.path, 'directory', 'link')
  if (existing.kind === 'file') {
    // A file has versions, a link none: the file goes to the trash with all of them.
    transaction.trash(existing.id)
    return transaction.create(makeDirectories(transaction, parent, now), name, content)
  }
  transaction.content(existing.id, content)
  return existing.id
}

function move (transaction: Transaction, operation: Of<'move'>, now: number): EntryId {
  const from = mustFind(transaction, operation.from)
  const { parent, name } = splitPath(operation.to)
  const taken = transaction.index.lookup(normalisePath(operation.to))
  if (taken !== undefined && taken.id !== from.id) throw new ExistsError(operation.to)
  if (taken !== undefined) return from.id
  transaction.place(from.id, makeDirectories(transaction, parent, now), name)
  return from.id
}

function remove (transaction: Transaction, operation: Of<'remove'>): EntryId {
  const found = mustFind(transaction, operation.path)
  transaction.trash(found.id)
  return found.id
}

function attributes (transaction: Transaction, operation: Of<'attributes'>): EntryId {
  const { id, content } = mustFind(transaction, operation.path)
  const mode = operation.mode ?? content.mode
  const modified = operation.modified ?? content.modified
  if (mode === content.mode && modified === content.modified) return id
  transaction.content(id, { ...content, stamp: transaction.stamp(), mode, modified })
  return id
}


import { createHash } from 'node:crypto'
import { HoldfastError, ROOT_ENTRY, type EntryId } from '@holdfast/protocol'
import type { FileEntry, FilesystemChange, Kind, MirroredFilesystem, Operation, PreparedContent } from '../src/filesystem-port.js'
import { joinPath } from '../src/paths.js'

class VaultError extends HoldfastError {
  override readonly name = 'VaultError'
  readonly family = 'invalid'
  constructor (message: string) { super(message, 'Look again.') }
}

class ChangedError extends HoldfastError {
  override readonly name = 'ChangedError'
  readonly family = 'invalid'
  constructor (path: string) { super(`${path} was moved meanwhile`, 'Look again.') }
}

interface Entry { id: EntryId, parent: EntryId | null, name: string, kind: Kind, digest: string | undefined, target: string | undefined, modified: number, mode: number, conflicts: number }
/** `follows`: digest of the version that was edited; undefined for whatever is there. */
interface Prepared extends PreparedContent { readonly follows: string | null | undefined }
type State = Map<EntryId, Entry>

/** A vault in memory: atomic commits, ids that stay, a trash, and every version ever written. */
export class MemoryVault implements MirroredFilesystem {
  #entries: State = new Map()
  readonly contents = new Map<string, Uint8Array>()
  /** Digests of every version that was ever in the tree: what history and trash can bring back. */
  readonly written = new Set<string>()
  readonly #listeners = new Set<(changes: FilesystemChange[]) => void>()
  #next = 1
  commits = 0
  operations = 0
  reads = 0
  prepares = 0
  before: ((operation: string, path: string) => void) | undefined

  async stat (path: string): Promise<FileEntry> {
    if (path === '/') return { path, id: ROOT_ENTRY, kind: 'directory', size: 0, modified: 0, mode: 0o755, conflicts: 0 }
    return this.#show(this.#at(this.#entries, path))
  }

  async entry (id: EntryId): Promise<FileEntry | undefined> {
    const found = this.#entries.get(id)
    return found === undefined || this.#path(found) === undefined ? undefined : this.#show(found)
  }

  async * walk (path = '/'): AsyncIterable<FileEntry> {
    const id = path === '/' ? ROOT_ENTRY : this.#at(this.#entries, path).id
    yield await this.stat(path)
    yield * this.#below(id)
  }

  * #below (id: EntryId): Iterable<FileEntry> {
    for (const entry of this.#children(this.#entries, id)) {
      yield this.#show(entry)
      yield * this.#below(entry.id)
    }
  }

  #byParent: Map<EntryId, Entry[]> | undefined
  #children (state: State, id: EntryId): Entry[] {
    if (state !== this.#entries) return [...state.values()].filter(entry => entry.parent === id)
    if (this.#byParent === undefined) {
      this.#byParent = new Map()
      for (const entry of [...state.values()].sort((a, b) => a.name < b.name ? -1 : 1)) {
        if (entry.parent === null) continue
        const siblings = this.#byParent.get(entry.parent)
        if (siblings === undefined) this.#byParent.set(entry.parent, [entry])
        else siblings.push(entry)
      }
    }
    return this.#byParent.get(id) ?? []
  }

  async * read (path: string): AsyncIterable<Uint8Array> {
    this.before?.('read', path)
    this.reads++
    const entry = this.#at(this.#entries, path)
    if (entry.digest === undefined) throw new VaultError(`${path} is no file`)
    yield this.contents.get(entry.digest)!
  }

  async prepare (source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, facts: { modified: number, mode: number, replaces?: string, base?: string | null }): Promise<PreparedContent> {
    this.before?.('prepare', '')
    this.prepares++
    const pieces: Uint8Array[] = []
    for await (const piece of source) pieces.push(piece)
    const bytes = new Uint8Array(Buffer.concat(pieces))
    return this.put(bytes, facts)
  }

  put (bytes: Uint8Array, { modified, mode, replaces, base }: { modified: number, mode: number, replaces?: string, base?: string | null }): Prepared {
    const digest = createHash('sha256').update(bytes).digest('hex')
    this.contents.set(digest, bytes)
    return { size: bytes.length, digest, modified, mode, follows: replaces === undefined ? null : base }
  }

  async commit (operations: readonly Operation[]): Promise<FileEntry[]> {
    await Promise.resolve()
    this.before?.('commit', '')
    return this.edit(operations)
  }

  /** What others do, all at once. */
  edit (operations: readonly Operation[]): FileEntry[] {
    const before = this.#entries
    const state: State = new Map([...before].map(([id, entry]) => [id, { ...entry }]))
    const touched: EntryId[] = []
    for (const operation of operations) {
      this.#check(state, operation, new Set(touched))
      touched.push(this.#apply(state, operation))
      if (operation.type === 'write') this.written.add(operation.content.digest)
    }
    this.#entries = state
    this.#byParent = undefined
    this.commits++
    this.operations += operations.length
    const made = [...state.keys()].filter(id => !before.has(id))
    const changes = [...new Set([...made, ...touched])].map((id): FilesystemChange => {
      const [was, is] = [before.get(id), state.get(id)]
      return { ...(was && shownIn(before, was) && { before: this.#show(was, before) }), ...(is && shownIn(state, is) && { after: this.#show(is, state) }) }
    })
    for (const listener of this.#listeners) listener(changes)
    return touched.map(id => this.#show(state.get(id)!, state))
  }

  watch (listener: (changes: FilesystemChange[]) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  write (path: string, text: string, modified = 1_000_000): void {
    this.edit([{ type: 'write', path, content: this.put(new TextEncoder().encode(text), { modified, mode: 0o644, replaces: path }) }])
  }

  async text (path: string): Promise<string> {
    return new TextDecoder().decode(this.contents.get((await this.stat(path)).digest!))
  }

  /** Shows the same thing under another id, as when two directories are shown as one. */
  reid (path: string): void {
    const entry = this.#at(this.#entries, path)
    const id = this.#newId()
    const state: State = new Map([...this.#entries].map(([key, value]) => [key === entry.id ? id : key, { ...value, id: key === entry.id ? id : value.id, parent: value.parent === entry.id ? id : value.parent }]))
    this.#entries = state
    this.#byParent = undefined
    for (const listener of this.#listeners) listener([{ before: { ...this.#show(state.get(id)!), id: entry.id } }, { after: this.#show(state.get(id)!) }])
  }

  get size (): number { return [...this.#entries.values()].filter(entry => shownIn(this.#entries, entry)).length }

  #newId (): EntryId { return (this.#next++).toString(16).padStart(32, 'e') as EntryId }

  #path (entry: Entry, state = this.#entries): string | undefined {
    if (entry.parent === null) return undefined
    if (entry.parent === ROOT_ENTRY) return `/${entry.name}`
    const parent = this.#path(state.get(entry.parent)!, state)
    return parent === undefined ? undefined : joinPath(parent, entry.name)
  }

  #show (entry: Entry, state = this.#entries): FileEntry {
    return {
      path: this.#path(entry, state) ?? `/trash/${entry.name}`, id: entry.id, kind: entry.kind, size: entry.digest === undefined ? 0 : this.contents.get(entry.digest)!.length,
      modified: entry.modified, mode: entry.mode, conflicts: entry.conflicts,
      ...(entry.target !== undefined && { target: entry.target }), ...(entry.digest !== undefined && { digest: entry.digest })
    }
  }

  #lookup (state: State, path: string): Entry | undefined {
    let found: Entry | undefined
    for (const name of path.split('/').slice(1)) {
      const parent: EntryId = found?.id ?? ROOT_ENTRY
      found = this.#children(state, parent).find(entry => entry.name === name)
      if (found === undefined) return undefined
    }
    return found
  }

  #at (state: State, path: string): Entry {
    const found = this.#lookup(state, path)
    if (found === undefined) throw new VaultError(`nothing at ${path}`)
    return found
  }

  #directories (state: State, path: string): EntryId {
    if (path === '' || path === '/') return ROOT_ENTRY
    const found = this.#lookup(state, path)
    if (found !== undefined) {
      if (found.kind !== 'directory') throw new VaultError(`${path} is no directory`)
      return found.id
    }
    return this.#create(state, path, { kind: 'directory', modified: 5, mode: 0o755 })
  }

  #create (state: State, path: string, facts: { kind: Kind, modified: number, mode: number, digest?: string, target?: string }): EntryId {
    const id = this.#newId()
    const parent = this.#directories(state, path.slice(0, path.lastIndexOf('/')))
    state.set(id, { id, parent, name: path.slice(path.lastIndexOf('/') + 1), digest: undefined, target: undefined, conflicts: 0, ...facts })
    return id
  }

  #check (state: State, operation: Operation, made: ReadonlySet<EntryId>): void {
    const { expected } = operation
    if (expected === undefined) return
    const [path, to] = operation.type === 'move' ? [operation.from, operation.to] : [operation.path, operation.path]
    if (expected.entry !== undefined && this.#lookup(state, path)?.id !== expected.entry) throw new ChangedError(path)
    if (expected.parent === undefined) return
    const above = to.slice(0, to.lastIndexOf('/'))
    const parent = above === '' ? ROOT_ENTRY : this.#lookup(state, above)?.id
    if (parent === undefined || (parent !== expected.parent && (state.has(expected.parent as EntryId) || !made.has(parent)))) throw new ChangedError(to)
  }

  #apply (state: State, operation: Operation): EntryId {
    switch (operation.type) {
      case 'write': return this.#write(state, operation)
      case 'mkdir': {
        const found = this.#lookup(state, operation.path)
        if (found === undefined) return this.#create(state, operation.path, { kind: 'directory', modified: operation.modified ?? 5, mode: operation.mode ?? 0o755 })
        if (found.kind !== 'directory') throw new VaultError('taken')
        Object.assign(found, operation.mode !== undefined && { mode: operation.mode }, operation.modified !== undefined && { modified: operation.modified })
        return found.id
      }
      case 'link': {
        const found = this.#lookup(state, operation.path)
        if (found === undefined) return this.#create(state, operation.path, { kind: 'link', target: operation.target, modified: operation.modified ?? 5, mode: 0o777 })
        if (found.kind !== 'link') throw new VaultError('taken')
        Object.assign(found, { target: operation.target, modified: operation.modified ?? 5 })
        return found.id
      }
      case 'move': {
        const found = this.#at(state, operation.from)
        if (operation.to.startsWith(`${operation.from}/`)) throw new VaultError('into itself')
        if (this.#lookup(state, operation.to) !== undefined) throw new VaultError(`taken: ${operation.to}`)
        found.parent = this.#directories(state, operation.to.slice(0, operation.to.lastIndexOf('/')))
        found.name = operation.to.slice(operation.to.lastIndexOf('/') + 1)
        return found.id
      }
      case 'remove': {
        const found = this.#at(state, operation.path)
        found.parent = null
        return found.id
      }
      case 'attributes': {
        const found = this.#at(state, operation.path)
        Object.assign(found, operation.mode !== undefined && { mode: operation.mode }, operation.modified !== undefined && { modified: operation.modified })
        return found.id
      }
    }
  }

  #write (state: State, { path, content }: Extract<Operation, { type: 'write' }>): EntryId {
    const base = (content as Prepared).follows
    const found = this.#lookup(state, path)
    const facts = { digest: content.digest, modified: content.modified, mode: content.mode }
    if (found === undefined) return this.#create(state, path, { kind: 'file', ...facts })
    if (found.kind !== 'file') throw new VaultError(`taken: ${path}`)
    if (base !== undefined && base !== found.digest && content.digest !== found.digest) {
      // Text merges, here by putting one after the other in a fixed order; other contents are both kept.
      const [one, two] = [found.digest!, content.digest].sort().map(digest => new TextDecoder().decode(this.contents.get(digest)))
      if (one!.startsWith('text ') && two!.startsWith('text ')) {
        const merged = new TextEncoder().encode(`${one}+${two}`)
        const digest = createHash('sha256').update(merged).digest('hex')
        this.contents.set(digest, merged)
        this.written.add(digest)
        Object.assign(found, facts, { digest })
        return found.id
      }
      found.conflicts++
    }
    Object.assign(found, facts)
    return found.id
  }
}

const shownIn = (state: State, entry: Entry): boolean => {
  for (let at: Entry | undefined = entry; at !== undefined; at = state.get(at.parent!)) {
    if (at.parent === null) return false
    if (at.parent === ROOT_ENTRY) return true
  }
  return false
}

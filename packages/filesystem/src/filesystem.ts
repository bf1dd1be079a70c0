import type { Engine, HistoryVersion, VaultSession } from '@holdfast/engine'
import type { Location, TreeChange, TreeEntry } from '@holdfast/manifest'
import { InvalidArgumentError, peerIdOfDevice, ROOT_ENTRY, toHex, type CallOptions, type Clock, type EntryId } from '@holdfast/protocol'
import { applyOperation, checkExpected, makeDirectories, mustFind } from './commit.js'
import { NotFoundError, WrongKindError } from './errors.js'
import type { FileEntry, FilesystemChange, FileVersionInfo, Filesystem, Operation, PreparedContent, TrashEntry } from './filesystem-types.js'
import { normalisePath } from './paths.js'

/** The vault of an engine by paths. */
export function createFilesystem ({ engine, clock }: { engine: Engine, clock: Clock }): Filesystem {
  const { vault } = engine
  const { index } = vault

  const find = (path: string): TreeEntry => mustFind(vault, path)
  const findFile = (path: string): TreeEntry => {
    const found = find(path)
    if (found.kind !== 'file') throw new WrongKindError(path, found.kind, 'file')
    return found
  }

  async function commit (operations: readonly Operation[], options?: CallOptions): Promise<FileEntry[]> {
    const now = clock.now()
    return vault.transact(transaction => {
      const ids = new Set<EntryId>()
      const results = operations.map(operation => {
        checkExpected(transaction, operation, ids)
        const id = applyOperation(transaction, operation, now)
        ids.add(id)
        return id
      })
      return results.map(id => describeEntry(vault, id))
    }, options)
  }

  return {
    stat: async path => toFileEntry(normalisePath(path), find(path)),
    async readdir (path) {
      const directory = find(path)
      if (directory.kind !== 'directory') throw new WrongKindError(path, directory.kind, 'directory')
      const base = normalisePath(path)
      return index.children(directory.id).map(child => toFileEntry(joinPath(base, child.name), child))
    },
    async * walk (path = '/') { yield * walk(vault, normalisePath(path), find(path)) },
    async entry (id) {
      const path = index.path(id)
      const found = index.get(id)
      return path === undefined || found === undefined ? undefined : toFileEntry(path, found)
    },
    async * read (path, range, options) {
      const { content } = findFile(path)
      if (content.kind === 'file') yield * (await vault.open(content, options)).read(range, options)
    },
    prepare: async (source, facts, options) => prepare(engine, clock, source, facts, options),
    commit,
    watch (listener) {
      return engine.on(event => { if (event.type === 'changed') listener(event.changes.map(change => toFilesystemChange(change))) })
    },
    history: async (path, options) => (await vault.history(findFile(path).id, options)).map(toVersionInfo),
    async * readVersion (path, version, range, options) {
      yield * (await vault.open(await versionOf(vault, findFile(path), version, options), options)).read(range, options)
    },
    async restoreVersion (path, version, to, options) {
      const chosen = await versionOf(vault, findFile(path), version, options)
      const file = await vault.open(chosen, options)
      const target = to ?? path
      const content = await prepare(engine, clock, file.read(undefined, options), { size: file.size, modified: chosen.modified, mode: chosen.mode, replaces: target }, options)
      return (await commit([{ type: 'write', path: target, content }], options))[0]!
    },
    trash: async () => trashed(vault).map(entry => toTrashEntry(vault, entry)),
    async emptyTrash (options) {
      return vault.transact(transaction => {
        const entries = trashed(vault)
        const all = entries.flatMap(entry => [entry, ...vault.index.walk(entry.id)])
        for (const { id } of entries) transaction.purge(id)
        return { entries: all.length, bytes: all.reduce((sum, { content }) => sum + (content.kind === 'file' ? content.size : 0), 0) }
      }, options)
    },
    async restoreTrash (id, options) {
      const restored = await vault.transact(transaction => {
        const entry = trashed(vault).find(one => one.id === id)
        if (entry === undefined) throw new NotFoundError(`the trash (${id})`)
        const { parent, name } = entry.before
        const shown = transaction.index.get(parent)
        const directory = parent === ROOT_ENTRY || (shown !== undefined && !shown.trashed) ? parent : makeDirectories(transaction, '/', clock.now())
        transaction.place(id, directory, freeName(vault, directory, name))
        return id
      }, options)
      return describeEntry(vault, restored)
    }
  }
}

async function prepare (engine: Engine, clock: Clock, source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, facts: Parameters<Filesystem['prepare']>[1], options: Parameters<Filesystem['prepare']>[2]): Promise<PreparedContent> {
  const { vault } = engine
  const replaced = facts.replaces === undefined ? undefined : vault.index.lookup(normalisePath(facts.replaces))
  const previous = replaced === undefined || replaced.kind !== 'file' ? [] : await followed(vault, replaced, facts.base, options)
  const { modified, mode, size } = facts
  const file = await vault.prepare(source, { modified, mode, previous, by: engine.status().device, at: clock.now(), ...(size === undefined ? {} : { size }) }, options)
  return { digest: toHex(file.sealed.digest), size: file.sealed.size, modified, mode, file }
}

/** The versions that a new one comes after: all that are shown, or the older one that the writer really edited. */
async function followed (vault: VaultSession, entry: TreeEntry, base: string | null | undefined, options?: CallOptions): Promise<{ node: HistoryVersion['node'], key: Uint8Array }[]> {
  if (entry.content.kind !== 'file' || base === null) return []
  const shown = entry.versions.length > 0 ? entry.versions : [entry.content]
  if (base === undefined || base === toHex(entry.content.digest)) return shown.map(({ node, key }) => ({ node, key }))
  const edited = (await vault.history(entry.id, options)).find(version => toHex(version.digest) === base)
  return edited === undefined ? [] : [{ node: edited.node, key: edited.key }]
}

async function versionOf (vault: VaultSession, entry: TreeEntry, version: string, options?: CallOptions): Promise<HistoryVersion> {
  const matches = (await vault.history(entry.id, options)).filter(one => one.node.toString().startsWith(version) || one.node.toString().endsWith(version))
  if (matches.length === 1) return matches[0]!
  throw new InvalidArgumentError(matches.length === 0 ? `there is no version ${version}` : `several versions are called ${version}`, 'Take a version from `holdfast log`.', { version })
}

const joinPath = (base: string, name: string): string => base === '/' ? `/${name}` : `${base}/${name}`

function * walk (vault: VaultSession, path: string, entry: TreeEntry): Generator<FileEntry> {
  yield toFileEntry(path, entry)
  if (entry.kind !== 'directory') return
  for (const child of vault.index.children(entry.id)) yield * walk(vault, joinPath(path, child.name), child)
}

function describeEntry (vault: VaultSession, id: EntryId): FileEntry {
  const entry = vault.index.get(id)
  if (entry === undefined) throw new NotFoundError(id)
  return toFileEntry(vault.index.path(id) ?? '', entry)
}

export function toFileEntry (path: string, entry: TreeEntry): FileEntry {
  const { content } = entry
  const common = { path, id: entry.id, kind: entry.kind, modified: content.modified, mode: content.mode }
  if (content.kind === 'file') {
    const versions = Math.max(1, entry.versions.length)
    return { ...common, size: content.size, digest: toHex(content.digest), versions, conflicts: versions - 1 }
  }
  if (content.kind === 'link') return { ...common, size: content.target.length, target: content.target, versions: 1, conflicts: 0 }
  return { ...common, size: 0, versions: 1, conflicts: 0 }
}

function toFilesystemChange ({ before, after }: TreeChange): FilesystemChange {
  return {
    ...(before === undefined ? {} : { before: toFileEntry(before.path, before.entry) }),
    ...(after === undefined ? {} : { after: toFileEntry(after.path, after.entry) })
  }
}

const toVersionInfo = (version: HistoryVersion): FileVersionInfo => ({
  version: version.node.toString(), size: version.size, modified: version.modified, mode: version.mode, digest: toHex(version.digest),
  at: version.at, device: version.by === null ? null : peerIdOfDevice(version.by), current: version.current
})

/** What was deleted and can be brought back. */
const trashed = (vault: VaultSession): (TreeEntry & { before: Location })[] => vault.index.trash().filter((entry): entry is TreeEntry & { before: Location } => entry.before !== null)

function toTrashEntry (vault: VaultSession, entry: TreeEntry & { before: Location }): TrashEntry {
  const { before } = entry
  const stamp = vault.index.registers(entry.id)?.places.map(place => place.stamp).sort((a, b) => b.when - a.when)[0]
  return {
    id: entry.id, kind: entry.kind, name: before.name, path: joinPath(vault.index.path(before.parent) ?? '/', before.name),
    size: entry.content.kind === 'file' ? entry.content.size : 0, deletedAt: stamp?.when ?? 0, deletedBy: stamp?.by == null ? null : peerIdOfDevice(stamp.by)
  }
}

/** The name, or the first "name (2)", "name (3)" … that nothing in the directory has. */
function freeName (vault: VaultSession, directory: EntryId, name: string): string {
  const taken = new Set(vault.index.children(directory).map(child => child.name))
  if (!taken.has(name)) return name
  const dot = name.lastIndexOf('.')
  const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, '']
  for (let n = 2; ; n++) {
    const candidate = `${stem} (${n})${extension}`
    if (!taken.has(candidate)) return candidate
  }
}


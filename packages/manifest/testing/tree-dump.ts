import { ROOT_ENTRY, toHex, type EntryId } from '@holdfast/protocol'
import { encodeContent } from '../src/codec.js'
import type { TreeChange, TreeEntry, TreeIndex } from '../src/tree/types.js'
import type { ReferenceEntry, ReferenceTree } from './reference-tree.js'

/** What an index shows, in the shape of the reference. */
export function dumpTree (index: TreeIndex): Omit<ReferenceTree, 'held'> {
  return { tree: dumpBelow(index, undefined), trash: new Map(index.trash().map(top => [top.id, { before: top.before, below: new Map([['/', dumpEntry(top)], ...dumpBelow(index, top)]) }])) }
}

function dumpBelow (index: TreeIndex, top: TreeEntry | undefined): Map<string, ReferenceEntry> {
  const paths = new Map<EntryId, string>()
  const found = new Map<string, ReferenceEntry>()
  for (const entry of index.walk(top?.id)) {
    const path = `${paths.get(entry.parent) ?? ''}/${entry.name}`
    paths.set(entry.id, path)
    if (found.has(path)) throw new Error(`two entries are shown as ${path}`)
    found.set(path, dumpEntry(entry))
  }
  return found
}

function dumpEntry (entry: TreeEntry): ReferenceEntry {
  const { id, kind, name, wish, united } = entry
  return { id, kind, name, wish, united: [...united], content: toHex(encodeContent(entry.content)), versions: entry.versions.map(one => toHex(one.digest)) }
}

/** Same order, whatever the order of insertion. */
export const sorted = <V>(map: ReadonlyMap<string, V>): [string, V][] => [...map].sort(([a], [b]) => a < b ? -1 : 1)

/** What a consumer that only knows paths makes of changes; the documentation of TreeChange in code. */
export function replay (paths: Map<string, EntryId>, changes: readonly TreeChange[]): void {
  const depth = (path: string): number => path.split('/').length
  const taken = new Map<EntryId, [string, EntryId][]>()
  const leaving = changes.filter(change => change.before !== undefined).sort((a, b) => depth(b.before!.path) - depth(a.before!.path))
  for (const { id, before } of leaving) {
    const top = before!.path
    if (paths.get(top) !== id) throw new Error(`${top} is not ${id} before the change`)
    const below = [...paths].filter(([path]) => path === top || path.startsWith(`${top}/`))
    for (const [path] of below) paths.delete(path)
    taken.set(id, below.map(([path, inside]) => [path.slice(top.length), inside]))
  }
  const arriving = changes.filter(change => change.after !== undefined).sort((a, b) => depth(a.after!.path) - depth(b.after!.path))
  for (const { id, after } of arriving) {
    for (const [rest, inside] of taken.get(id) ?? [['', id]]) {
      if (paths.has(after!.path + rest)) throw new Error(`${after!.path + rest} is taken`)
      paths.set(after!.path + rest, inside)
    }
  }
}

/** What a consumer that keeps entries by id makes of changes: what is in a directory that goes, goes with it. */
export function replayEntries (known: Map<EntryId, ShownEntry>, changes: readonly TreeChange[]): void {
  for (const { id, before } of changes) {
    if (before === undefined) continue
    if (JSON.stringify(known.get(id)) !== JSON.stringify(shownEntry(before.entry))) throw new Error(`${before.path} was not shown like that before the change`)
  }
  for (const { id, after } of changes) if (after === undefined) known.delete(id)
  for (const { id, after } of changes) if (after !== undefined) known.set(id, shownEntry(after.entry))
  for (let size = -1; size !== known.size;) {
    size = known.size
    for (const [id, { parent }] of known) if (parent !== ROOT_ENTRY && !known.has(parent)) known.delete(id)
  }
}

export interface ShownEntry extends ReferenceEntry { readonly parent: EntryId }
export const shownEntry = (entry: TreeEntry): ShownEntry => ({ ...dumpEntry(entry), parent: entry.parent })

import type { EntryId } from '@holdfast/protocol'
import type { AgreedTree } from './agreed-tree.js'
import type { FileEntry, MirroredFilesystem } from './filesystem-port.js'
import type { IgnoreRules } from './ignore-rules.js'
import { ROOT, type AgreedEntry, type Delta, type Id, type VaultNode } from './model.js'
import { baseName, parentPath } from './paths.js'

type Vault = Pick<MirroredFilesystem, 'entry' | 'stat' | 'walk'>

/** What the vault shows, to be compared with the agreed tree: what was found, parents first, and what is gone. */
export interface VaultLook {
  readonly nodes: Map<Id, VaultNode>
  readonly gone: Set<Id>
  /** Moved while it was looked at: to be looked at again. */
  readonly moving: Set<Id>
}

/** Reads the whole vault. */
export async function lookAtVault (vault: Vault, agreed: AgreedTree, rules: IgnoreRules): Promise<VaultLook> {
  const nodes = new Map<Id, VaultNode>()
  await walkInto(vault, '/', ROOT, rules, nodes)
  const missing: Id[] = []
  for (const entry of agreed.entries()) if (!nodes.has(entry.id)) missing.push(entry.id)
  // Others may have changed the vault during the walk: what it did not meet may only have moved.
  const { nodes: found, gone, moving } = await lookAtEntries(vault, agreed, rules, missing)
  for (const [id, node] of found) nodes.set(id, node)
  return { nodes: found.size > 0 ? parentsFirst([...nodes.values()]) : nodes, gone, moving }
}

/** Reads some entries, and all below those directories that are new or elsewhere. */
export async function lookAtEntries (vault: Vault, agreed: AgreedTree, rules: IgnoreRules, ids: Iterable<Id>): Promise<VaultLook> {
  const found: VaultNode[] = []
  const gone = new Set<Id>()
  const moving = new Set<Id>()
  const seen = new Set<Id>()
  const look = async (id: Id): Promise<void> => {
    if (seen.has(id) || id === ROOT) return
    seen.add(id)
    const entry = await vault.entry(id as EntryId)
    const known = agreed.get(id)
    if (entry === undefined || rules.ignores(entry.path, entry.kind === 'directory')) {
      if (known === undefined) return
      gone.add(id)
      for (const below of agreed.descendants(id)) await look(below.id)
      return
    }
    const parent = parentPath(entry.path)
    const parentId = parent === '/' ? ROOT : await vault.stat(parent).then(({ id }) => id, () => undefined)
    if (parentId === undefined) { moving.add(id); return }
    const node = nodeOf(entry, parentId)
    found.push(node)
    if (node.parent !== ROOT && agreed.get(node.parent) === undefined) await look(node.parent)
    // What stood at this place before may be shown under this id now.
    const before = known === undefined ? agreed.child(node.parent, node.name) : undefined
    if (before !== undefined) await look(before.id)
    if (node.kind !== 'directory' || (known !== undefined && known.parent === node.parent && known.name === node.name)) return
    const below = new Map<Id, VaultNode>()
    await walkInto(vault, entry.path, id, rules, below)
    for (const [childId, child] of below) {
      if (seen.has(childId)) continue
      seen.add(childId)
      found.push(child)
    }
    for (const child of agreed.descendants(id)) await look(child.id)
  }
  for (const id of ids) await look(id)
  return { nodes: parentsFirst(found), gone, moving }
}

async function walkInto (vault: Vault, from: string, id: Id, rules: IgnoreRules, into: Map<Id, VaultNode>): Promise<void> {
  const directories = new Map<string, Id>([[from, id]])
  for await (const entry of vault.walk(from)) {
    if (entry.path === from) continue
    // Below an ignored directory there is no known parent, so its contents are left out with it.
    const parent = directories.get(parentPath(entry.path))
    if (parent === undefined || rules.ignores(entry.path, entry.kind === 'directory')) continue
    if (entry.kind === 'directory') directories.set(entry.path, entry.id)
    into.set(entry.id, nodeOf(entry, parent))
  }
}

export const nodeOf = (entry: FileEntry, parent: Id): VaultNode => ({
  id: entry.id, parent, name: baseName(entry.path), kind: entry.kind, size: entry.size, modified: entry.modified, mode: entry.mode, conflicts: entry.conflicts,
  ...(entry.target === undefined ? {} : { target: entry.target }),
  ...(entry.digest === undefined ? {} : { digest: entry.digest })
})

function parentsFirst (nodes: VaultNode[]): Map<Id, VaultNode> {
  const found = new Map(nodes.map(node => [node.id, node]))
  const ordered = new Map<Id, VaultNode>()
  const add = (node: VaultNode): void => {
    if (ordered.has(node.id)) return
    const parent = found.get(node.parent)
    if (parent !== undefined) add(parent)
    ordered.set(node.id, node)
  }
  for (const node of nodes) add(node)
  return ordered
}

/**
 * What differs from the agreed tree. Where the vault shows another id for the same thing at the same place (two
 * directories or equal files shown as one, MAN-3; a delete and a new file), the agreed entry takes that id.
 */
export function compareVault (agreed: AgreedTree, { nodes, gone }: Pick<VaultLook, 'nodes' | 'gone'>): Delta<VaultNode> {
  const delta = new Map<Id, VaultNode | null>()
  for (const node of nodes.values()) {
    if (agreed.get(node.id) === undefined) {
      const before = agreed.child(node.parent, node.name)
      if (before !== undefined && before.kind === node.kind && gone.has(before.id)) {
        agreed.rebind(before.id, node.id)
        gone.delete(before.id)
      }
    }
    // An id stands for one kind of thing. Should it ever not, what the disk has is looked at as something new.
    if (agreed.get(node.id)?.kind !== node.kind) agreed.delete(node.id)
    const known = agreed.get(node.id)
    if (known === undefined || !sameNode(known, node)) delta.set(node.id, node)
  }
  for (const id of gone) if (agreed.get(id) !== undefined) delta.set(id, null)
  return delta
}

/** Whether the agreed entry is all that the vault says. */
export const sameNode = (a: AgreedEntry, b: VaultNode): boolean =>
  a.parent === b.parent && a.name === b.name && a.kind === b.kind && a.digest === b.digest && a.target === b.target && a.modified === b.modified && a.mode === b.mode

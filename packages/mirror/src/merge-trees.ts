import type { AgreedView } from './agreed-tree.js'
import { isNewId, ROOT, sameBytes, type AgreedEntry, type Delta, type DiskNode, type Id, type Place, type VaultNode } from './model.js'
import { suffixedName, type Naming } from './naming.js'

export interface TreesInput {
  readonly agreed: AgreedView
  readonly vault: Delta<VaultNode>
  readonly disk: Delta<DiskNode>
  /** Digests of contents on the disk that had to be read before planning. */
  readonly digests: ReadonlyMap<Id, string>
  readonly naming: Naming
}

/** One entry in the three trees, and where it shall be in both vault and disk. No target: it shall be in neither. */
export interface Item {
  readonly id: Id
  readonly a?: AgreedEntry
  readonly v?: VaultNode
  readonly d?: DiskNode
  target?: { readonly parent: Id, readonly name: string, diskName: string, readonly from: 'vault' | 'disk' }
}

/** What vault and disk shall both look like, for everything that differs from the agreed tree anywhere. */
export interface MergedTrees {
  readonly items: ReadonlyMap<Id, Item>
  /** How many directories deep an entry shall be. */
  depth (id: Id): number
}

/**
 * The first half of planning: existence, place and name of each entry. Contents and attributes are the planner's.
 *
 * - what only one side changed, the other side follows; where both moved an entry, the vault's place holds
 * - an edit or a move wins over a delete, and brings the directories back that it is in (MAN-4)
 * - a cycle made of moves on both sides is broken by taking the disk's back (MAN-3)
 * - of two different things at one place, the disk's gets a suffix
 */
export function mergeTrees (input: TreesInput): MergedTrees {
  const merger = new Merger(input)
  merger.gather()
  merger.decideExistence()
  merger.keepParents()
  merger.breakCycles()
  merger.settleNames()
  if (!input.naming.exact) merger.settleDiskNames()
  return merger
}

/** Whether the bytes on the disk may be others than agreed. A rename changes the ctime alone. */
export function mayDiffer (a: AgreedEntry, d: DiskNode): boolean {
  if (!sameBytes(a.facts, d.facts) || a.facts.racy === true) return true
  const moved = a.parent !== d.parent || a.diskName !== d.diskName
  return !moved && a.facts.ctime !== d.facts.ctime
}

const key = (parent: Id, name: string): string => `${parent}/${name}`
const elsewhere = (a: Place, b: Place): boolean => a.parent !== b.parent || a.name !== b.name

class Merger implements MergedTrees {
  readonly items = new Map<Id, Item>()
  readonly #alias = new Map<Id, Id>()
  readonly #depths = new Map<Id, number>()

  constructor (readonly input: TreesInput) {}

  /** Joins the sides by entry; what is new on both sides at one place is one entry when it can be. */
  gather (): void {
    const { vault, disk, agreed } = this.input
    const fresh = new Map<string, VaultNode>()
    for (const [id, v] of vault) if (v !== null && agreed.get(id) === undefined) fresh.set(key(v.parent, v.name), v)
    for (const [id, found] of disk) {
      const d = found === null ? undefined : { ...found, parent: this.#alias.get(found.parent) ?? found.parent }
      const same = d !== undefined && isNewId(id) ? fresh.get(key(d.parent, d.name)) : undefined
      if (d !== undefined && same !== undefined && joinable(d, same)) {
        this.#alias.set(id, same.id)
        this.items.set(same.id, { id: same.id, v: same, d: { ...d, id: same.id } })
      } else this.#add(id, d)
    }
    for (const id of vault.keys()) if (!this.items.has(id)) this.#add(id, this.#unchangedOnDisk(id))
  }

  #add (id: Id, d: DiskNode | undefined): Item {
    const { agreed, vault } = this.input
    const a = agreed.get(id)
    const v = vault.has(id) ? vault.get(id) ?? undefined : a === undefined ? undefined : asVaultNode(a)
    const item: Item = { id, ...(a && { a }), ...(v && { v }), ...(d && { d }) }
    this.items.set(id, item)
    return item
  }

  #unchangedOnDisk (id: Id): DiskNode | undefined {
    const a = this.input.agreed.get(id)
    return a === undefined ? undefined : asDiskNode(a, this.input.agreed.diskPath(id) ?? '')
  }

  /** An entry that nothing is known to have happened to is taken in only when something depends on it. */
  #item (id: Id): Item | undefined {
    if (id === ROOT) return undefined
    const found = this.items.get(id)
    if (found !== undefined) return found
    if (this.input.agreed.get(id) === undefined) return undefined
    const item = this.#add(id, this.#unchangedOnDisk(id))
    place(item)
    return item
  }

  decideExistence (): void {
    for (const item of this.items.values()) if (this.#lives(item)) place(item)
  }

  #lives ({ a, v, d, id }: Item): boolean {
    if (v !== undefined && d !== undefined) return true
    if (a === undefined) return v !== undefined || d !== undefined
    if (v !== undefined) return v.digest !== a.digest || v.target !== a.target || elsewhere(v, a) || this.#carried(v.parent, 'v')
    if (d === undefined) return false
    const edited = a.kind === 'link' ? d.target !== undefined && d.target !== a.target : a.kind === 'file' && mayDiffer(a, d) && this.input.digests.get(id) !== a.digest
    return edited || elsewhere(d, a) || this.#carried(d.parent, 'd')
  }

  /** Whether a directory above was moved on this side and deleted on the other: it lives, with all below. */
  #carried (parent: Id, side: 'v' | 'd'): boolean {
    for (let id = parent; id !== ROOT;) {
      const item = this.items.get(id)
      const here = item?.[side]
      if (item?.a === undefined || here === undefined || item[side === 'v' ? 'd' : 'v'] !== undefined) return false
      if (elsewhere(here, item.a)) return true
      id = here.parent
    }
    return false
  }

  /** A directory lives as long as anything in it does. */
  keepParents (): void {
    const kept = new Set<Id>([ROOT])
    for (const item of this.items.values()) {
      for (let target = item.target; target !== undefined && !kept.has(target.parent);) {
        kept.add(target.parent)
        const parent = this.#item(target.parent)
        if (parent !== undefined && parent.target === undefined) place(parent)
        target = parent?.target
      }
    }
  }

  /** Every cycle holds a directory that the disk alone moved, since neither the vault nor the disk has one. */
  breakCycles (): void {
    const moved = (item: Item): boolean => item.v?.kind === 'directory' && item.d !== undefined && item.target?.from === 'disk'
    for (let again = true; again;) {
      again = false
      for (const item of [...this.items.values()].filter(moved).sort((x, y) => x.id < y.id ? -1 : 1)) {
        if (!this.#isOwnAncestor(item)) continue
        item.target = { ...targetOf(item.v!), diskName: this.input.naming.diskName(item.v!.name), from: 'vault' }
        this.keepParents()
        again = true
      }
    }
  }

  #isOwnAncestor (item: Item): boolean {
    const seen = new Set<Id>()
    for (let id = item.target!.parent; id !== ROOT && !seen.has(id);) {
      if (id === item.id) return true
      seen.add(id)
      id = this.items.get(id)?.target?.parent ?? this.input.agreed.get(id)?.parent ?? ROOT
    }
    return false
  }

  settleNames (): void {
    const taken = new Map<string, Id>()
    const occupied = new Set<string>()
    for (const { id, target, v, d } of this.items.values()) {
      if (v !== undefined) occupied.add(key(v.parent, v.name))
      if (d !== undefined) occupied.add(key(d.parent, d.name))
      if (target?.from === 'vault') taken.set(key(target.parent, target.name), id)
    }
    const isTaken = (parent: Id, name: string): boolean => {
      if (taken.has(key(parent, name))) return true
      const unchanged = this.input.agreed.child(parent, name)
      return unchanged !== undefined && !this.items.has(unchanged.id)
    }
    const free = (parent: Id) => (name: string): boolean => !isTaken(parent, name) && !occupied.has(key(parent, name)) && this.input.agreed.child(parent, name) === undefined
    const fromDisk = [...this.items.values()].filter(({ target }) => target?.from === 'disk')
    for (const item of fromDisk.sort((x, y) => x.id < y.id ? -1 : 1)) {
      const target = item.target!
      if (isTaken(target.parent, target.name)) {
        const name = suffixedName(target.name, free(target.parent))
        item.target = { ...target, name, diskName: this.input.naming.diskName(name) }
      }
      taken.set(key(target.parent, item.target!.name), item.id)
    }
  }

  /** Where the disk takes two of the vault's names for one, what is on the disk already keeps its name there. */
  settleDiskNames (): void {
    const { naming, agreed } = this.input
    const taken = new Map<string, Id>()
    const at = (parent: Id, diskName: string): string => key(parent, naming.fold(diskName))
    const open: Item[] = []
    for (const item of this.items.values()) {
      const { target, a, d } = item
      if (target === undefined) continue
      const stays = a !== undefined && !elsewhere(target, a) ? a.diskName : undefined
      const there = d !== undefined && !elsewhere(target, d) ? d.diskName : undefined
      const held = stays ?? there
      if (held === undefined || taken.has(at(target.parent, held))) { open.push(item); continue }
      target.diskName = held
      taken.set(at(target.parent, held), item.id)
    }
    for (const item of open.sort((x, y) => x.target!.name < y.target!.name ? -1 : 1)) {
      const target = item.target!
      const isFree = (name: string): boolean => {
        if (taken.has(at(target.parent, name))) return false
        const unchanged = agreed.diskChild(target.parent, name)
        return unchanged === undefined || this.items.has(unchanged.id)
      }
      const wish = naming.diskName(target.name)
      target.diskName = isFree(wish) ? wish : suffixedName(wish, isFree)
      taken.set(at(target.parent, target.diskName), item.id)
    }
  }

  depth (id: Id): number {
    if (id === ROOT) return 0
    const known = this.#depths.get(id)
    if (known !== undefined) return known
    const parent = this.items.get(id)?.target?.parent ?? this.input.agreed.get(id)?.parent ?? ROOT
    const depth = this.depth(parent) + 1
    this.#depths.set(id, depth)
    return depth
  }
}

const joinable = (d: DiskNode, v: VaultNode): boolean => d.facts.kind === v.kind && (v.kind !== 'link' || d.target === v.target)

/** The vault's place where the vault has one that is new, otherwise the disk's. */
function place (item: Item): void {
  const { a, v, d } = item
  const useVault = v !== undefined && (d === undefined || a === undefined || elsewhere(v, a) || !elsewhere(d, a))
  const chosen = useVault ? v : d!
  item.target = { ...targetOf(chosen), diskName: d !== undefined && !elsewhere(d, chosen) ? d.diskName : chosen.name, from: useVault ? 'vault' : 'disk' }
}

const targetOf = (node: Place): Place => ({ parent: node.parent, name: node.name })

const asVaultNode = (a: AgreedEntry): VaultNode => ({
  id: a.id, parent: a.parent, name: a.name, kind: a.kind, size: a.facts.size, modified: a.modified, mode: a.mode, conflicts: 0,
  ...(a.target === undefined ? {} : { target: a.target }), ...(a.digest === undefined ? {} : { digest: a.digest })
})

const asDiskNode = (a: AgreedEntry, path: string): DiskNode => ({
  id: a.id, parent: a.parent, name: a.name, diskName: a.diskName, path, facts: a.facts, ...(a.target === undefined ? {} : { target: a.target })
})

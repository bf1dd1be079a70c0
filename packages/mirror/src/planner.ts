import { arrange, type Arranged, type Arrangement, type Placement, type Side } from './arrange.js'
import { mayDiffer, mergeTrees, type Item, type MergedTrees, type TreesInput } from './merge-trees.js'
import { sameTime, toModified, type AgreedEntry, type DiskFacts, type DiskNode, type Id, type Place, type VaultNode } from './model.js'
import { joinPath, PARKED_DIRECTORY } from './paths.js'

/** What to do in the vault. Paths are the vault's at the moment of the step. */
export type VaultStep =
  | { readonly do: 'mkdir' | 'link', readonly id: Id, readonly path: string, readonly place: Target, readonly node: DiskNode }
  /** `agreed`: what is agreed on once it is done; undefined while parked. */
  | { readonly do: 'move', readonly id: Id, readonly from: string, readonly to: string, readonly parked: boolean, readonly agreed?: AgreedEntry }
  | { readonly do: 'attributes', readonly id: Id, readonly path: string, readonly mode?: number, readonly modified?: number, readonly agreed: AgreedEntry, readonly node: DiskNode }
  | VaultRemoval

export interface VaultRemoval { readonly do: 'remove', readonly id: Id, readonly path: string, readonly ids: readonly { readonly id: Id, readonly path: string }[] }

/** A place, with the name that the disk has for it. */
export interface Target extends Place { readonly diskName: string }

/** Reads a file of the disk and, unless the vault has these contents already, writes it to the vault. */
export interface UploadStep {
  readonly do: 'upload'
  readonly id: Id
  readonly path: string
  readonly place: Target
  readonly node: DiskNode
  readonly agreed?: AgreedEntry
  /** The vault's file at this path. */
  readonly vault?: VaultNode
  /** Permission bits to write: the disk's, unless the vault alone changed them. */
  readonly mode: number
}

/** What to do on the disk. Paths are the disk's at the moment of the step. */
export type DiskStep =
  | { readonly do: 'mkdir', readonly id: Id, readonly path: string, readonly place: Target, readonly vault: VaultNode }
  /** `agreed`: undefined for what the vault does not have yet. */
  | { readonly do: 'move', readonly id: Id, readonly from: string, readonly to: string, readonly parked: boolean, readonly place: Target, readonly node: DiskNode, readonly agreed?: AgreedEntry }
  | { readonly do: 'attributes', readonly id: Id, readonly path: string, readonly place: Target, readonly mode?: number, readonly modified?: number, readonly node: DiskNode, readonly vault: VaultNode }
  | { readonly do: 'remove', readonly id: Id, readonly path: string, readonly node: DiskNode }

/** Writes a file or link of the vault to the disk. */
export interface WriteStep {
  readonly do: 'write'
  readonly id: Id
  readonly path: string
  readonly place: Target
  readonly vault: VaultNode
  /** What it replaces; all of it is in the vault. */
  readonly replaces?: DiskNode
}

/** Steps of one side in the order in which they have to be done; contents and attributes among themselves in any order. */
export interface SidePlan<Step, Content> {
  /** New directories, moves, and removals that free a name. */
  readonly shape: Step[]
  readonly contents: Content[]
  readonly attributes: Step[]
  readonly removals: Step[]
}

export interface Plan {
  readonly vault: SidePlan<VaultStep, UploadStep>
  readonly disk: SidePlan<DiskStep, WriteStep>
  /** Both sides are the same already: only the agreed tree has to learn it. */
  readonly agree: AgreedEntry[]
  readonly forget: Id[]
  /** How many entries the plan removes from the vault. */
  vaultRemovals: number
}

/** Three trees in, operations out. Pure: reads nothing, changes nothing, and plans the same for the same trees. */
export function plan (input: TreesInput): Plan {
  return new Planner(input, mergeTrees(input)).plan()
}

/** Contents whose digest decides what to do, so that they have to be read before planning. */
export function contentsToRead (input: TreesInput): DiskNode[] {
  const { agreed, vault, disk } = input
  const sizes = new Set<number>()
  for (const [id, node] of disk) {
    const entry = node === null ? agreed.get(id) : undefined
    if (entry?.kind === 'file' && entry.facts.size > 0) sizes.add(entry.facts.size)
  }
  const wanted: DiskNode[] = []
  for (const [id, node] of disk) {
    if (node === null || node.facts.kind !== 'file') continue
    const entry = agreed.get(id)
    // A new file may be one that is gone from elsewhere. Of a file that the vault changed or deleted, it has to be
    // known whether it was edited here too, or only touched.
    if (entry === undefined ? sizes.has(node.facts.size) : vault.has(id) && mayDiffer(entry, node)) wanted.push(node)
  }
  return wanted
}

const emptySide = <Step, Content> (): SidePlan<Step, Content> => ({ shape: [], contents: [], attributes: [], removals: [] })

class Planner {
  readonly #plan: Plan = { vault: emptySide(), disk: emptySide(), agree: [], forget: [], vaultRemovals: 0 }

  constructor (readonly input: TreesInput, readonly trees: MergedTrees) {}

  plan (): Plan {
    const living = [...this.trees.items.values()].filter(item => item.target !== undefined)
      .sort((x, y) => this.trees.depth(x.id) - this.trees.depth(y.id) || (x.id < y.id ? -1 : 1))
    const vault = this.#arrangeVault(living)
    const disk = this.#arrangeDisk(living)
    for (const step of vault.shape) this.#shapeVault(step)
    for (const step of disk.shape) this.#shapeDisk(step)
    for (const item of living) this.#settle(item, vault, disk)
    for (const step of vault.removals) this.#shapeVault(step, this.#plan.vault.removals)
    for (const step of disk.removals) this.#shapeDisk(step, this.#plan.disk.removals)
    for (const { id, a, v, d } of this.trees.items.values()) if (a !== undefined && v === undefined && d === undefined) this.#plan.forget.push(id)
    return this.#plan
  }

  #arrangeVault (living: Item[]): Arrangement {
    const { agreed, vault } = this.input
    const side: Side = {
      agreed, differs: vault, nameOf: entry => entry.name, childOf: (parent, name) => agreed.child(parent, name), fold: name => name,
      parkedPath: id => `/.holdfast-moving-${id}`
    }
    const placements = living.filter(({ v, target }) => v === undefined || v.parent !== target!.parent || v.name !== target!.name)
      .map(({ id, target }): Placement => ({ id, parent: target!.parent, name: target!.name }))
    return arrange(side, placements, this.#doomed('v'))
  }

  #arrangeDisk (living: Item[]): Arrangement {
    const { agreed, naming } = this.input
    const differs: [Id, Placement | null][] = []
    for (const { id, a, d } of this.trees.items.values()) {
      if (d !== undefined) differs.push([id, { id, parent: d.parent, name: d.diskName }])
      else if (a !== undefined) differs.push([id, null])
    }
    const side: Side = {
      agreed, differs, nameOf: entry => entry.diskName, childOf: (parent, name) => agreed.diskChild(parent, name), fold: name => naming.fold(name),
      // The name tells where it came from, should the power go now.
      parkedPath: id => joinPath(PARKED_DIRECTORY, agreed.get(id) === undefined ? `inode-${this.trees.items.get(id)?.d?.facts.inode}` : id)
    }
    const placements = living.filter(({ d, target }) => d === undefined || d.parent !== target!.parent || d.diskName !== target!.diskName)
      .map(({ id, target }): Placement => ({ id, parent: target!.parent, name: target!.diskName }))
    return arrange(side, placements, this.#doomed('d'))
  }

  #doomed (side: 'v' | 'd'): Set<Id> {
    const doomed = new Set<Id>()
    for (const item of this.trees.items.values()) if (item.target === undefined && item[side] !== undefined) doomed.add(item.id)
    return doomed
  }

  #shapeVault (step: Arranged, into = this.#plan.vault.shape): void {
    const item = this.trees.items.get(step.id)
    if (step.do === 'remove') {
      into.push(step)
      this.#plan.vaultRemovals += step.ids.length
    } else if (step.do === 'move') {
      into.push({ ...step, ...(!step.parked && item?.a !== undefined && { agreed: this.#agreedOnceMoved(item, item.a) }) })
    } else if (item?.d !== undefined && item.d.facts.kind !== 'file') {
      into.push({ do: item.d.facts.kind === 'directory' ? 'mkdir' : 'link', id: step.id, path: step.path, place: targetOf(item), node: item.d })
    }
  }

  /** A move in the vault settles the place, and the disk's facts only where nothing else is left to tell the vault. */
  #agreedOnceMoved (item: Item, a: AgreedEntry): AgreedEntry {
    const { d } = item
    const settled = d !== undefined && !this.#mayDiffer(a, d) && a.facts.mode === d.facts.mode && a.facts.mtime === d.facts.mtime
    return { ...a, ...targetOf(item), facts: settled ? d.facts : a.facts }
  }

  #shapeDisk (step: Arranged, into = this.#plan.disk.shape): void {
    const item = this.trees.items.get(step.id)
    if (step.do === 'remove') {
      for (const { id, path } of step.ids) {
        const node = this.trees.items.get(id)?.d
        if (node !== undefined) into.push({ do: 'remove', id, path, node })
      }
    } else if (step.do === 'move') {
      into.push({ ...step, place: targetOf(item!), node: item!.d!, ...(item!.a && { agreed: item!.a }) })
    } else if (item?.v?.kind === 'directory') {
      into.push({ do: 'mkdir', id: step.id, path: step.path, place: targetOf(item), vault: item.v })
    }
  }

  #mayDiffer (a: AgreedEntry, d: DiskNode): boolean {
    return a.kind === 'file' && mayDiffer(a, d) && this.input.digests.get(a.id) !== a.digest
  }

  /** Contents and attributes of one entry whose place is settled. */
  #settle (item: Item, vault: Arrangement, disk: Arrangement): void {
    const { id, v, d } = item
    const place = targetOf(item)
    if (d === undefined) {
      if (v!.kind !== 'directory') this.#plan.disk.contents.push({ do: 'write', id, path: disk.path(id), place, vault: v! })
    } else if (v === undefined) {
      if (d.facts.kind === 'file') this.#plan.vault.contents.push({ do: 'upload', id, path: vault.path(id), place, node: d, mode: d.facts.mode })
    } else {
      const settled = (v.kind === 'file' && this.#settleContent(item, v, d, vault, disk)) || (v.kind === 'link' && this.#settleTarget(item, v, d, vault, disk))
      if (!settled) this.#settleAttributes(item, v, d, vault, disk)
    }
  }

  /** True when the contents differ; attributes then wait for the next round. */
  #settleContent (item: Item, v: VaultNode, d: DiskNode, vault: Arrangement, disk: Arrangement): boolean {
    const { id, a } = item
    const digest = this.input.digests.get(id)
    if (digest === v.digest && digest !== undefined) return false
    if (a === undefined || this.#mayDiffer(a, d)) {
      const mode = a !== undefined && a.facts.mode === d.facts.mode ? v.mode : d.facts.mode
      this.#plan.vault.contents.push({ do: 'upload', id, path: vault.path(id), place: targetOf(item), node: d, vault: v, mode, ...(a && { agreed: a }) })
      return true
    }
    if (v.digest === a.digest) return false
    if (a.facts.mode !== d.facts.mode && v.mode === a.mode) this.#plan.vault.attributes.push({ do: 'attributes', id, path: vault.path(id), agreed: { ...a, ...targetOf(item) }, node: d, mode: d.facts.mode })
    this.#plan.disk.contents.push({ do: 'write', id, path: disk.path(id), place: targetOf(item), vault: v, replaces: d })
    return true
  }

  #settleTarget (item: Item, v: VaultNode, d: DiskNode, vault: Arrangement, disk: Arrangement): boolean {
    const { id, a } = item
    if (a === undefined || v.target === d.target) return false
    if (v.target === a.target) this.#plan.vault.attributes.push({ do: 'link', id, path: vault.path(id), place: targetOf(item), node: d })
    else this.#plan.disk.contents.push({ do: 'write', id, path: disk.path(id), place: targetOf(item), vault: v, replaces: d })
    return true
  }

  #settleAttributes (item: Item, v: VaultNode, d: DiskNode, vault: Arrangement, disk: Arrangement): void {
    const { id } = item
    const place = targetOf(item)
    // What is new on both sides, or was brought together by its contents, is measured by the vault.
    const a: AgreedEntry = item.a ?? { ...agreedOf(v, place, d.facts), modified: toModified(d.facts.mtime), mode: d.facts.mode }
    const hasMode = v.kind !== 'link'
    const vaultMode = hasMode && v.mode !== a.mode
    const vaultTime = v.modified !== a.modified && !sameTime(d.facts.mtime, v.modified)
    const diskMode = hasMode && !vaultMode && d.facts.mode !== a.facts.mode
    const diskTime = v.modified === a.modified && d.facts.mtime !== a.facts.mtime
    if (vaultMode || vaultTime) {
      this.#plan.disk.attributes.push({ do: 'attributes', id, path: disk.path(id), place, node: d, vault: v, ...(vaultMode && { mode: v.mode }), ...(vaultTime && { modified: v.modified }) })
    }
    if (diskMode || diskTime) {
      this.#plan.vault.attributes.push({ do: 'attributes', id, path: vault.path(id), agreed: { ...a, ...place }, node: d, ...(diskMode && { mode: d.facts.mode }), ...(diskTime && { modified: toModified(d.facts.mtime) }) })
    }
    const inPlace = d.parent === place.parent && d.diskName === place.diskName && v.parent === place.parent && v.name === place.name
    if (inPlace && !vaultMode && !vaultTime && !diskMode && !diskTime) this.#plan.agree.push(agreedOf(v, place, d.facts))
  }
}

const targetOf = ({ target }: Item): Target => ({ parent: target!.parent, name: target!.name, diskName: target!.diskName })

/** The agreed entry when the disk shows exactly what the vault says. */
export const agreedOf = (v: VaultNode, place: Target, facts: DiskFacts): AgreedEntry => ({
  id: v.id, kind: v.kind, ...place, modified: v.modified, mode: v.mode, facts,
  ...(v.digest === undefined ? {} : { digest: v.digest }), ...(v.target === undefined ? {} : { target: v.target })
})

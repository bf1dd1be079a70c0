import type { AgreedView } from './agreed-tree.js'
import { ROOT, type AgreedEntry, type Id } from './model.js'
import { joinPath } from './paths.js'

/** One step that changes the shape of a tree. Paths are those at the moment of the step. */
export type Arranged =
  | { readonly do: 'create', readonly id: Id, readonly path: string }
  /** `parked`: to a temporary place outside the tree, because its place is needed before its own is free. */
  | { readonly do: 'move', readonly id: Id, readonly from: string, readonly to: string, readonly parked: boolean }
  /** A thing with all that is still in it: `ids` from the deepest up, itself last. */
  | { readonly do: 'remove', readonly id: Id, readonly path: string, readonly ids: readonly { readonly id: Id, readonly path: string }[] }

export interface Placement { readonly id: Id, readonly parent: Id, readonly name: string }

export interface Side {
  readonly agreed: AgreedView
  /** Its name on this side. */
  nameOf (entry: AgreedEntry): string
  childOf (parent: Id, name: string): AgreedEntry | undefined
  /** Equal for names that cannot both be in one directory on this side. */
  fold (name: string): string
  /** Where the side differs from the agreed tree; null is not there. */
  readonly differs: Iterable<readonly [Id, Placement | null]>
  parkedPath (id: Id): string
}

/** The shape of one side, changing as steps are planned. Kept as what differs from the agreed tree. */
class Shape {
  readonly #placed = new Map<Id, Placement | null>()
  readonly #names = new Map<string, Id>()
  readonly #children = new Map<Id, Set<Id>>()
  readonly #parked = new Set<Id>()

  constructor (readonly side: Side) {
    for (const [id, placement] of side.differs) this.put(id, placement)
  }

  put (id: Id, placement: Placement | null, parked = false): void {
    const before = this.#placed.get(id)
    if (before) {
      if (this.#names.get(this.#key(before)) === id) this.#names.delete(this.#key(before))
      this.#children.get(before.parent)?.delete(id)
    }
    this.#placed.set(id, parked ? null : placement)
    if (parked) this.#parked.add(id)
    else this.#parked.delete(id)
    if (placement === null || parked) return
    this.#names.set(this.#key(placement), id)
    const children = this.#children.get(placement.parent)
    if (children === undefined) this.#children.set(placement.parent, new Set([id]))
    else children.add(id)
  }

  has (id: Id): boolean { return this.#parked.has(id) || this.#place(id) !== undefined }

  at (parent: Id, name: string): Id | undefined {
    const found = this.#names.get(this.#key({ parent, name }))
    if (found !== undefined) return found
    const agreed = this.side.childOf(parent, name)
    return agreed === undefined || this.#placed.has(agreed.id) ? undefined : agreed.id
  }

  children (parent: Id): Id[] {
    const found = [...this.side.agreed.children(parent)].filter(entry => !this.#placed.has(entry.id)).map(entry => entry.id)
    return [...found, ...this.#children.get(parent) ?? []]
  }

  path (id: Id): string {
    if (id === ROOT) return '/'
    if (this.#parked.has(id)) return this.side.parkedPath(id)
    const place = this.#place(id)
    if (place === undefined) throw new RangeError(`entry ${id} has no place to plan with`)
    return joinPath(this.path(place.parent), place.name)
  }

  #place (id: Id): Placement | undefined {
    const placed = this.#placed.get(id)
    if (placed !== undefined) return placed ?? undefined
    const agreed = this.side.agreed.get(id)
    return agreed === undefined ? undefined : { id, parent: agreed.parent, name: this.side.nameOf(agreed) }
  }

  #key ({ parent, name }: { parent: Id, name: string }): string { return `${parent}/${this.side.fold(name)}` }
}

export interface Arrangement { readonly shape: readonly Arranged[], readonly removals: readonly Arranged[], path (id: Id): string }

/**
 * Orders creations, moves and removals on one side so that each is possible when its turn comes: directories
 * before what is in them, names freed before they are taken (chains and swaps by parking), removals last.
 * `placements` have to come with directories before what goes into them, and without two at one place.
 */
export function arrange (side: Side, placements: readonly Placement[], doomed: ReadonlySet<Id>): Arrangement {
  const shape = new Shape(side)
  const steps: Arranged[] = []
  const removed = new Set<Id>()

  const park = (id: Id): void => {
    const from = shape.path(id)
    shape.put(id, null, true)
    steps.push({ do: 'move', id, from, to: shape.path(id), parked: true })
  }
  const remove = (id: Id, into: Arranged[]): void => {
    const ids: { id: Id, path: string }[] = []
    const collect = (at: Id): void => {
      for (const child of shape.children(at)) collect(child)
      ids.push({ id: at, path: shape.path(at) })
    }
    collect(id)
    into.push({ do: 'remove', id, path: shape.path(id), ids })
    for (const gone of ids) { removed.add(gone.id); shape.put(gone.id, null) }
  }
  /** Saves what shall live out of something that shall not. */
  const rescue = (id: Id): void => {
    for (const child of shape.children(id)) {
      if (doomed.has(child)) rescue(child)
      else park(child)
    }
  }
  const clear = (id: Id): void => {
    if (!doomed.has(id)) { park(id); return }
    rescue(id)
    remove(id, steps)
  }

  for (const placement of placements) {
    const occupant = shape.at(placement.parent, placement.name)
    if (occupant !== undefined && occupant !== placement.id) clear(occupant)
    const from = shape.has(placement.id) ? shape.path(placement.id) : undefined
    shape.put(placement.id, placement)
    const to = shape.path(placement.id)
    steps.push(from === undefined ? { do: 'create', id: placement.id, path: to } : { do: 'move', id: placement.id, from, to, parked: false })
  }
  const removals: Arranged[] = []
  const topmost = [...doomed].filter(id => shape.has(id)).map(id => ({ id, path: shape.path(id) })).sort((a, b) => a.path < b.path ? -1 : 1)
  for (const { id } of topmost) if (!removed.has(id)) remove(id, removals)
  return { shape: steps, removals, path: id => shape.path(id) }
}

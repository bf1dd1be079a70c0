import { ROOT_ENTRY, TRASH_ENTRY, compareBytes, toHex, type EntryId, type VersionVector } from '@holdfast/protocol'
import { encodeContent, encodePlace } from '../src/codec.js'
import type { EntryContent, FileContent, FileVersion, Location, Place, Registers, Stamp } from '../src/registers.js'

/**
 * The rules of the tree (MAN-3, MAN-4, MAN-5) as one slow and obvious function from all registers to the tree. The
 * index is compared with it; it shares no code with the index but the register codecs.
 */
export interface ReferenceEntry {
  readonly id: EntryId
  readonly kind: string
  readonly name: string
  readonly wish: string
  readonly united: readonly EntryId[]
  readonly content: string
  readonly versions: readonly string[]
}
export interface ReferenceTree {
  /** Everything in the tree by its path. */
  readonly tree: ReadonlyMap<string, ReferenceEntry>
  /** The tops of what is deleted by id; what is in them by path, `/` for the top itself. */
  readonly trash: ReadonlyMap<EntryId, { readonly before: Location | null, readonly below: ReadonlyMap<string, ReferenceEntry> }>
  /** Entries that wait for a directory which is not known. */
  readonly held: ReadonlySet<EntryId>
}

interface Spot { parent: EntryId, name: string, when: number }

export function referenceTree (all: ReadonlyMap<EntryId, Registers>): ReferenceTree {
  return new Reference(all).build()
}

function compareStamp (a: Stamp, b: Stamp): number {
  return a.when - b.when || Number(a.by !== null) - Number(b.by !== null) || ((a.by ?? '') < (b.by ?? '') ? -1 : (a.by ?? '') > (b.by ?? '') ? 1 : 0) || a.seq - b.seq
}
const covers = (seen: VersionVector, stamp: Stamp): boolean => stamp.by === null || (seen[stamp.by] ?? 0) >= stamp.seq
const greatestPlace = (places: readonly Place[]): Place => [...places].sort((a, b) => compareStamp(b.stamp, a.stamp) || compareBytes(encodePlace(b), encodePlace(a)))[0]!
const sortContents = <C extends EntryContent>(contents: readonly C[]): C[] => [...contents].sort((a, b) => compareStamp(b.stamp, a.stamp) || compareBytes(encodeContent(b), encodeContent(a)))

class Reference {
  private readonly ids: EntryId[]
  private readonly spots = new Map<EntryId, Spot>()
  private readonly bumps = new Map<EntryId, number>()
  private readonly returned = new Set<EntryId>()

  constructor (private readonly all: ReadonlyMap<EntryId, Registers>) {
    this.ids = [...all.keys()].filter(id => all.get(id)!.places.length > 0 && all.get(id)!.contents.length > 0).sort()
  }

  build (): ReferenceTree {
    for (const id of this.ids) {
      const { location, place } = this.own(id)
      this.put(id, location, place.stamp.when)
    }
    this.breakCycles()
    this.returnDirectories()
    return this.show()
  }

  // An entry's own registers.

  private winner (id: EntryId): EntryContent {
    const contents = this.all.get(id)!.contents
    const directories = contents.filter(content => content.kind === 'directory')
    return sortContents(directories.length > 0 ? directories : contents)[0]!
  }

  private own (id: EntryId): { place: Place, location: Location } {
    const { places, contents } = this.all.get(id)!
    const work = [...contents.filter(content => content.kind !== 'directory'), ...places.filter(place => place.parent !== TRASH_ENTRY)].map(value => value.stamp)
    const standing = places.filter(place => place.parent !== TRASH_ENTRY || work.every(stamp => covers(place.seen!, stamp)))
    if (standing.length > 0) { const place = greatestPlace(standing); return { place, location: place } }
    const place = greatestPlace(places)
    return { place, location: this.formerly(place) }
  }

  private formerly (place: Place): Location {
    if (place.before !== null && place.before.parent !== TRASH_ENTRY) return place.before
    return { parent: ROOT_ENTRY, name: place.before?.name ?? place.name }
  }

  private isDirectory (id: EntryId): boolean { return id === ROOT_ENTRY || (this.ids.includes(id) && this.winner(id).kind === 'directory') }
  private isDeletedDirectory (id: EntryId): boolean { return this.ids.includes(id) && this.isDirectory(id) && this.own(id).location.parent === TRASH_ENTRY }

  private put (id: EntryId, to: Location, when: number): void {
    const isNoDirectory = this.ids.includes(to.parent) && !this.isDirectory(to.parent)
    this.spots.set(id, { parent: isNoDirectory ? ROOT_ENTRY : to.parent, name: to.name, when })
  }

  // Cycles.

  /** The parents of an entry, nearest first; ends at the root, the trash, an unknown entry or when it closes a circle. */
  private chain (id: EntryId): EntryId[] {
    const chain: EntryId[] = []
    for (let at = this.spots.get(id)?.parent; at !== undefined; at = this.spots.get(at)?.parent) {
      chain.push(at)
      if (at === id || chain.length > this.ids.length + 2) break
    }
    return chain
  }

  private cycles (): EntryId[][] {
    const inCycle = this.ids.filter(id => this.chain(id).at(-1) === id)
    const cycles = new Map<string, EntryId[]>()
    for (const id of inCycle) { const members = [...this.chain(id)].sort(); cycles.set(members.join(), members) }
    return [...cycles.values()]
  }

  private latest (ids: readonly EntryId[]): EntryId {
    return [...ids].sort((a, b) => compareStamp(this.own(b).place.stamp, this.own(a).place.stamp) || (a < b ? 1 : -1))[0]!
  }

  private breakCycles (): void {
    for (let cycles = this.cycles(); cycles.length > 0; cycles = this.cycles()) {
      for (const cycle of cycles) {
        const loser = this.latest(cycle)
        const { place } = this.own(loser)
        const times = this.bumps.get(loser) ?? 0
        this.bumps.set(loser, times + 1)
        const usable = times === 0 && place.before !== null && place.before.parent !== TRASH_ENTRY && place.before.parent !== loser
        this.put(loser, usable ? place.before : { parent: ROOT_ENTRY, name: place.name }, place.stamp.when)
      }
    }
  }

  // Deletions.

  /** Whether an entry outlives the deletion of a directory above it. */
  private outlives (id: EntryId, deleted: EntryId): boolean {
    const { seen } = this.own(deleted).place
    const between = [id, ...this.chain(id)].slice(0, this.chain(id).indexOf(deleted) + 1)
    const moved = between.some(step => this.bumped(step) || this.all.get(step)!.places.some(place => place.parent !== TRASH_ENTRY && !covers(seen!, place.stamp)))
    return moved || this.all.get(id)!.contents.some(content => content.kind !== 'directory' && !covers(seen!, content.stamp))
  }

  /** Bumped, unless the place it was bumped to is no directory and it went to the root directory. */
  private bumped (id: EntryId): boolean { return this.bumps.has(id) }

  /** Whether an entry outlives every deletion on its way up, as far as that of `upTo` (by default all). */
  private alive (id: EntryId, upTo?: EntryId): boolean {
    const chain = this.chain(id)
    const part = upTo === undefined ? chain : chain.slice(0, chain.indexOf(upTo) + 1)
    return part.filter(step => this.isDeletedDirectory(step)).every(step => this.outlives(id, step))
  }

  private returnDirectories (): void {
    for (;;) {
      const returning = this.ids.filter(id => this.isDeletedDirectory(id) && !this.returned.has(id) &&
        this.ids.some(other => this.chain(other).includes(id) && this.alive(other, id)))
      if (returning.length === 0) return
      for (const id of returning) {
        this.returned.add(id)
        this.put(id, this.formerly(this.own(id).place), this.own(id).place.stamp.when)
      }
      for (let cycles = this.cycles(); cycles.length > 0; cycles = this.cycles()) {
        for (const cycle of cycles) {
          const loser = this.latest(cycle.filter(id => returning.includes(id)))
          this.put(loser, { parent: ROOT_ENTRY, name: this.spots.get(loser)!.name }, this.own(loser).place.stamp.when)
        }
      }
    }
  }

  // What is shown.

  private show (): ReferenceTree {
    const end = (id: EntryId): EntryId => this.chain(id).at(-1)!
    const isBack = (id: EntryId): boolean => end(id) !== TRASH_ENTRY && (this.alive(id) || this.ids.some(other => this.chain(other).includes(id) && this.alive(other)))
    const back = new Set(this.ids.filter(isBack))
    const tops = this.ids.filter(id => !back.has(id) && (this.spots.get(id)!.parent === TRASH_ENTRY || back.has(this.spots.get(id)!.parent)))
    const held = new Set(this.ids.filter(id => back.has(id) && end(id) !== ROOT_ENTRY))
    const inside = (parents: readonly EntryId[]): EntryId[] => this.ids.filter(id => parents.includes(this.spots.get(id)!.parent) && !tops.includes(id))
    const tree = new Map<string, ReferenceEntry>()
    this.showDirectory([ROOT_ENTRY], '', inside, tree)
    const trash = new Map(tops.map(id => {
      const below = new Map<string, ReferenceEntry>([['/', this.entry(id, [], this.spots.get(id)!.name)]])
      this.showDirectory([id], '', inside, below)
      const { place, location } = this.own(id)
      return [id, { before: location.parent === TRASH_ENTRY ? place.before : { parent: location.parent, name: location.name }, below }] as const
    }))
    return { tree, trash, held }
  }

  private showDirectory (ids: readonly EntryId[], path: string, inside: (parents: readonly EntryId[]) => EntryId[], into: Map<string, ReferenceEntry>): void {
    const children = inside(ids)
    const wishes = [...new Set(children.map(id => this.spots.get(id)!.name))].sort((a, b) => compareBytes(new TextEncoder().encode(a), new TextEncoder().encode(b)))
    const taken = new Set(wishes)
    for (const wish of wishes) {
      const group = children.filter(id => this.spots.get(id)!.name === wish).sort((a, b) => this.spots.get(a)!.when - this.spots.get(b)!.when || (a < b ? -1 : 1))
      const directories = group.filter(id => this.isDirectory(id))
      const shown: EntryId[][] = directories.length > 0 ? [directories] : []
      for (const id of group.filter(one => !directories.includes(one))) {
        const twin = shown.find(([first]) => this.sameFile(first!, id))
        if (twin === undefined) shown.push([id])
        else twin.push(id)
      }
      let number = 2
      for (const members of shown) {
        let name = wish
        if (members !== shown[0]) {
          do name = withNumber(wish, number++); while (taken.has(name))
          taken.add(name)
        }
        into.set(`${path}/${name}`, this.entry(members[0]!, members.slice(1), name))
        if (this.isDirectory(members[0]!)) this.showDirectory(members, `${path}/${name}`, inside, into)
      }
    }
  }

  private sameFile (a: EntryId, b: EntryId): boolean {
    const [x, y] = [this.winner(a), this.winner(b)]
    return x.kind === 'file' && y.kind === 'file' && toHex(x.digest) === toHex(y.digest)
  }

  private entry (id: EntryId, united: readonly EntryId[], name: string): ReferenceEntry {
    const winner = this.winner(id)
    const files = [id, ...united].flatMap(one => this.all.get(one)!.contents).filter((content): content is FileContent => content.kind === 'file')
    const found: FileVersion[] = [...files, ...files.flatMap(file => file.alternates)]
    found.sort((a, b) => compareStamp(b.stamp, a.stamp) || compareBytes(a.digest, b.digest))
    const digests = [...winner.kind === 'file' ? [winner.digest] : [], ...found.map(version => version.digest)].map(toHex)
    return { id, kind: winner.kind, name, wish: this.spots.get(id)!.name, united, content: toHex(encodeContent(winner)), versions: [...new Set(digests)] }
  }
}

/** Only for short names. */
function withNumber (name: string, number: number): string {
  const dot = name.lastIndexOf('.')
  return dot > 0 ? `${name.slice(0, dot)} (${number})${name.slice(dot)}` : `${name} (${number})`
}

import { ROOT_ENTRY, TRASH_ENTRY, compareBytes, type EntryId } from '@holdfast/protocol'
import { decodeContent, readContentHead, readContentStamp, readPlaceHead, readPlaceStamp } from '../codec.js'
import type { PackedRegisters } from '../packed-registers.js'
import type { EntryContent, EntryKind, Location, Place, Stamp } from '../registers.js'
import { compareStamps, isCovered } from '../stamp.js'

/** What an entry's own registers say, before any other entry is looked at. */
export interface OwnPlace {
  /** TRASH_ENTRY for what is deleted. */
  readonly parent: EntryId
  readonly wish: string
  readonly when: number
  readonly kind: EntryKind
  readonly size: number
  /** Whether there may be more than one version. */
  readonly contested: boolean
}

/** Null while one of the two registers has no value that can be read. */
export function ownPlace (registers: PackedRegisters): OwnPlace | null {
  const places = registers.rawPlaces()
  const contents = registers.rawContents()
  if (places.length === 0 || contents.length === 0) return null
  const winner = readContentHead(contents[winningContentIndex(contents)]!)
  const contested = contents.length > 1 || winner.alternates > 0
  const about = { kind: winner.kind, size: winner.size, contested }
  if (places.length === 1) {
    const head = readPlaceHead(places[0]!)
    if (head.parent !== TRASH_ENTRY) return { parent: head.parent, wish: head.name, when: head.when, ...about }
  }
  const { place, location } = winningPlace(registers)
  return { parent: location.parent, wish: location.name, when: place.stamp.when, ...about }
}

export interface WinningPlace {
  /** The register value that decides. */
  readonly place: Place
  /** Where it puts the entry: for a deletion that lost, the place before. */
  readonly location: Location
}

/**
 * The greatest place by stamp, then by bytes; but a deletion loses to whatever its writer had not seen: another
 * place of the entry, or a version of the file (MAN-4). When all that is left are deletions that lost, the entry is
 * where the last of them found it.
 */
export function winningPlace (registers: PackedRegisters): WinningPlace {
  const places = registers.places
  const edits = workStamps(registers.rawContents())
  const moves = places.filter(place => place.seen === null).map(place => place.stamp)
  const holds = ({ seen }: Place): boolean => seen === null || [...edits, ...moves].every(stamp => isCovered(stamp, seen))
  const standing = places.filter(holds)
  // Values are sorted by their bytes: of equal stamps the last is the greatest.
  const place = (standing.length > 0 ? standing : places).reduce((best, next) => compareStamps(next.stamp, best.stamp) >= 0 ? next : best)
  return { place, location: standing.length > 0 ? place : returnLocation(place) }
}

/** Where something goes back to when its deletion loses. */
export function returnLocation (place: Place): Location {
  const { before } = place
  return before === null || before.parent === TRASH_ENTRY ? { parent: ROOT_ENTRY, name: before?.name ?? place.name } : before
}

/** MAN-4: work that a deletion must not undo. Attributes of a directory are not. */
function workStamps (contents: readonly Uint8Array[]): Stamp[] {
  return contents.map(readContentStamp).filter(({ kind }) => kind !== 'directory').map(({ stamp }) => stamp)
}

export interface Work { readonly places: readonly Stamp[], readonly contents: readonly Stamp[] }

/** The stamps of an entry that may outlive the deletion of a directory above it. */
export function workOf (registers: PackedRegisters): Work {
  return {
    places: registers.rawPlaces().map(readPlaceStamp).filter(({ trashed }) => !trashed).map(({ stamp }) => stamp),
    contents: workStamps(registers.rawContents())
  }
}

/** The winning content. Requires that there is one. */
export function winningContent (registers: PackedRegisters): EntryContent {
  const contents = registers.rawContents()
  return decodeContent(contents[winningContentIndex(contents)]!)
}

/**
 * The greatest by stamp, then by bytes. Should anyone have made a directory of the entry, it is a directory: others
 * may have put entries into it.
 */
function winningContentIndex (contents: readonly Uint8Array[]): number {
  if (contents.length === 1) return 0
  const heads = contents.map(readContentStamp)
  let best = 0
  for (let i = 1; i < heads.length; i++) {
    const [a, b] = [heads[i]!, heads[best]!]
    const rank = Number(a.kind === 'directory') - Number(b.kind === 'directory') || compareStamps(a.stamp, b.stamp) || compareBytes(contents[i]!, contents[best]!)
    if (rank > 0) best = i
  }
  return best
}

import { ROOT_ENTRY, TRASH_ENTRY, equalBytes, type EntryId } from '@holdfast/protocol'
import type { PackedRegisters } from '../packed-registers.js'
import type { EntryContent, EntryKind, FileVersion, Location } from '../registers.js'
import type { TreeNode } from './node.js'
import { winningContent, winningPlace } from './own-place.js'
import type { TreeEntry } from './types.js'
import { versionsOf } from './versions.js'

const NONE: readonly never[] = []
const ROOT_CONTENT: EntryContent = { kind: 'directory', stamp: { when: 0, by: null, seq: 0 }, modified: 0, mode: 0o755 }

/** A TreeEntry that holds encoded registers and decodes what it is asked for. */
export class EntryView implements TreeEntry {
  readonly id: EntryId
  readonly kind: EntryKind
  readonly name: string
  readonly parent: EntryId
  readonly wish: string
  readonly united: readonly EntryId[]
  /** Bytes, as part of what is in the tree. */
  readonly size: number
  /** Its own registers, then those of the entries united with it. */
  private readonly all: readonly PackedRegisters[]

  constructor (node: TreeNode, readonly trashed: boolean) {
    this.id = node.id
    this.kind = node.kind
    this.name = node.name
    this.parent = node.shownIn?.id ?? ROOT_ENTRY
    this.wish = node.wish
    this.size = node.size
    this.united = node.united === null ? NONE : node.united.map(other => other.id)
    this.all = node.registers === null ? NONE : [node, ...node.united ?? NONE].map(one => one.registers!)
  }

  get content (): EntryContent { return this.all.length === 0 ? ROOT_CONTENT : winningContent(this.all[0]!) }
  get versions (): FileVersion[] { return this.all.length === 0 ? [] : versionsOf(this.all) }

  get before (): Location | null {
    if (this.parent !== TRASH_ENTRY) return null
    const { place, location } = winningPlace(this.all[0]!)
    return place.parent === location.parent && place.seen !== null ? place.before : { parent: location.parent, name: location.name }
  }

  /** True when both look the same in the tree. */
  looksLike (other: EntryView): boolean {
    return this.kind === other.kind && this.name === other.name && this.parent === other.parent && this.wish === other.wish &&
      this.united.length === other.united.length && this.united.every((id, i) => id === other.united[i]) &&
      this.all.length === other.all.length && this.all.every((registers, i) => sameContents(registers, other.all[i]!))
  }
}

function sameContents (a: PackedRegisters, b: PackedRegisters): boolean {
  if (a.equals(b)) return true
  const [x, y] = [a.rawContents(), b.rawContents()]
  return x.length === y.length && x.every((value, i) => equalBytes(value, y[i]!))
}

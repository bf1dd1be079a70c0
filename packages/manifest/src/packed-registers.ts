import { CorruptBlockError, compareBytes } from '@holdfast/protocol'
import { distinctSorted } from './byte-cursor.js'
import { decodeContent, decodePlace, encodeContent, encodePlace } from './codec.js'
import type { EntryContent, Place, Registers } from './registers.js'

/**
 * Registers as their encoded bytes, decoded only when asked: an index of 100,000 entries keeps these, which is a
 * fraction of what the same registers take as objects.
 *
 *   count of places u32 | count of contents u32 | (length u32, value)…       big-endian, values sorted, distinct
 */
export class PackedRegisters implements Registers {
  constructor (readonly packed: Uint8Array) {}

  get places (): Place[] { return this.rawPlaces().map(decodePlace) }
  get contents (): EntryContent[] { return this.rawContents().map(decodeContent) }

  rawPlaces (): Uint8Array[] { return this.values('places') }
  rawContents (): Uint8Array[] { return this.values('contents') }

  equals (other: PackedRegisters): boolean { return this.packed === other.packed || compareBytes(this.packed, other.packed) === 0 }

  private values (which: 'places' | 'contents'): Uint8Array[] {
    const { packed } = this
    const places = u32(packed, 0)
    const count = which === 'places' ? places : u32(packed, 4)
    let at = 8
    if (which === 'contents') for (let i = 0; i < places; i++) at += 4 + u32(packed, at)
    const values: Uint8Array[] = []
    for (let i = 0; i < count; i++) {
      const end = at + 4 + u32(packed, at)
      if (end > packed.length) throw new CorruptBlockError('packed registers end too early')
      values.push(packed.subarray(at + 4, end))
      at = end
    }
    return values
  }
}

function u32 (bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) throw new CorruptBlockError('packed registers end too early')
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

export function packRegisters (places: readonly Uint8Array[], contents: readonly Uint8Array[]): PackedRegisters {
  const sortedPlaces = distinctSorted(places)
  const sortedContents = distinctSorted(contents)
  const values = [...sortedPlaces, ...sortedContents]
  const packed = new Uint8Array(8 + values.reduce((sum, value) => sum + 4 + value.length, 0))
  const view = new DataView(packed.buffer)
  view.setUint32(0, sortedPlaces.length)
  view.setUint32(4, sortedContents.length)
  let at = 8
  for (const value of values) {
    view.setUint32(at, value.length)
    packed.set(value, at + 4)
    at += 4 + value.length
  }
  return new PackedRegisters(packed)
}

/** The packed form of any registers. Throws InvalidArgumentError or LimitExceededError for values that cannot be. */
export function asPacked (registers: Registers): PackedRegisters {
  return registers instanceof PackedRegisters ? registers : packRegisters(registers.places.map(encodePlace), registers.contents.map(encodeContent))
}

/**
 * All values of several registers of one entry. An entry is in one page; should a faulty device have written it in
 * two, whoever feeds the index joins what both say, so that every device sees the same.
 */
export function joinRegisters (all: readonly Registers[]): Registers {
  const packed = all.map(asPacked)
  return packed.length === 1 ? packed[0]! : packRegisters(packed.flatMap(one => one.rawPlaces()), packed.flatMap(one => one.rawContents()))
}

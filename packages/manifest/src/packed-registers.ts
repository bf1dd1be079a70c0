import { CorruptBlockError, equalBytes } from '@holdfast/protocol'
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
  /** A stretch of memory that it may share with others: a view of each would be as large as the values. */
  constructor (private readonly memory: Uint8Array, private readonly start: number, readonly length: number) {}

  get places (): Place[] { return this.rawPlaces().map(decodePlace) }
  get contents (): EntryContent[] { return this.rawContents().map(decodeContent) }
  get packed (): Uint8Array { return this.memory.subarray(this.start, this.start + this.length) }

  rawPlaces (): Uint8Array[] { return this.values(this.start + 8, this.u32(this.start)) }

  rawContents (): Uint8Array[] {
    let at = this.start + 8
    for (let left = this.u32(this.start); left > 0; left--) at += 4 + this.u32(at)
    return this.values(at, this.u32(this.start + 4))
  }

  equals (other: PackedRegisters): boolean { return this === other || equalBytes(this.packed, other.packed) }

  /** The same registers in other memory, which gets a copy of them at `start`. */
  copyTo (memory: Uint8Array, start: number): PackedRegisters {
    memory.set(this.packed, start)
    return new PackedRegisters(memory, start, this.length)
  }

  private values (from: number, count: number): Uint8Array[] {
    const values: Uint8Array[] = []
    let at = from
    for (let left = count; left > 0; left--) {
      const end = at + 4 + this.u32(at)
      if (end > this.start + this.length) throw new CorruptBlockError('packed registers end too early')
      values.push(this.memory.subarray(at + 4, end))
      at = end
    }
    return values
  }

  private u32 (at: number): number {
    const { memory } = this
    if (at + 4 > this.start + this.length) throw new CorruptBlockError('packed registers end too early')
    return ((memory[at]! << 24) | (memory[at + 1]! << 16) | (memory[at + 2]! << 8) | memory[at + 3]!) >>> 0
  }
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
  return new PackedRegisters(packed, 0, packed.length)
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

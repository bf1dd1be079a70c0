import { CorruptBlockError, UnknownVersionError, fromHex, type EntryId } from '@holdfast/protocol'
import { hexAt } from './byte-cursor.js'
import { PackedRegisters, asPacked } from './packed-registers.js'
import type { Page } from './page-types.js'
import type { Registers } from './registers.js'

/**
 * The registers of a page, to start the index from without Automerge. A record of this device alone: it can be made
 * again from the page at any time.
 *
 *   1 | count of entries u32 | (entry 16, length u32, packed registers)…     big-endian
 */
const VERSION = 1
const HEADER = 5
const ENTRY_HEADER = 20

export function pageSnapshot (page: Page): Uint8Array {
  return encodeSnapshot([...page.entries()].map(id => [id, page.registers(id)] as const))
}

/** A snapshot of these registers alone: what a commit did to a page. */
export function encodeSnapshot (registers: Iterable<readonly [EntryId, Registers]>): Uint8Array {
  const entries = [...registers].map(([id, values]) => ({ id, packed: asPacked(values).packed }))
  const bytes = new Uint8Array(HEADER + entries.reduce((sum, { packed }) => sum + ENTRY_HEADER + packed.length, 0))
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  view.setUint32(1, entries.length)
  let at = HEADER
  for (const { id, packed } of entries) {
    bytes.set(fromHex(id), at)
    view.setUint32(at + 16, packed.length)
    bytes.set(packed, at + ENTRY_HEADER)
    at += ENTRY_HEADER + packed.length
  }
  return bytes
}

/** The registers are read from `bytes` when they are used: keep those unchanged. Throws CorruptBlockError, UnknownVersionError. */
export function * readSnapshot (bytes: Uint8Array): Generator<[EntryId, Registers]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEADER) throw new CorruptBlockError('a page snapshot ends too early')
  if (view.getUint8(0) !== VERSION) throw new UnknownVersionError('a page snapshot', view.getUint8(0), VERSION)
  let at = HEADER
  for (let left = view.getUint32(1); left > 0; left--) {
    const start = at + ENTRY_HEADER
    const end = start <= bytes.length ? start + view.getUint32(at + 16) : Infinity
    if (end > bytes.length) throw new CorruptBlockError('a page snapshot ends too early')
    yield [hexAt(bytes, at, 16) as EntryId, new PackedRegisters(bytes, start, end - start)]
    at = end
  }
  if (at !== bytes.length) throw new CorruptBlockError('there is more after the end of a page snapshot')
}

import { MAX_NAME_BYTES } from '@holdfast/protocol'
import { utf8 } from '../byte-cursor.js'

/** Longer than this, what follows the last dot is hardly an extension. Bytes. */
const MAX_EXTENSION_BYTES = 32

const byteLength = (text: string): number => utf8(text)?.length ?? Infinity

/** MAN-3: `name` with ` (number)` before its extension, its stem cut where the whole would be too long for a disk. */
export function suffixedName (name: string, number: number): string {
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && byteLength(name.slice(dot)) <= MAX_EXTENSION_BYTES ? name.slice(dot) : ''
  const ending = ` (${number})${extension}`
  let room = MAX_NAME_BYTES - byteLength(ending)
  let stem = ''
  for (const character of name.slice(0, name.length - extension.length)) {
    room -= byteLength(character)
    if (room < 0) break
    stem += character
  }
  return stem + ending
}

/** The order of the UTF-8 bytes of two names, without encoding them: surrogates come after the rest of the plane. */
export function compareNames (a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return utf8Rank(x) - utf8Rank(y)
  }
  return a.length - b.length
}

const utf8Rank = (unit: number): number => unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit

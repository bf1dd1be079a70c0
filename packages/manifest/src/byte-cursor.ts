import { CorruptBlockError, compareBytes } from '@holdfast/protocol'

const utf8Encoder = new TextEncoder()
// A byte order mark is part of a name like any other character; without `ignoreBOM` it would vanish from it.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8. Lone surrogates have no bytes: null. */
export function utf8 (text: string): Uint8Array | null {
  return text.isWellFormed() ? utf8Encoder.encode(text) : null
}

let scratch = new Uint8Array(4_096)
let scratchView = new DataView(scratch.buffer)

/** Writes big-endian fields one after the other, into memory that all writers share: only one is in use at a time. */
export class ByteWriter {
  private length = 0

  private reserve (count: number): number {
    const at = this.length
    this.length += count
    if (this.length > scratch.length) {
      const larger = new Uint8Array(Math.max(this.length, scratch.length * 2))
      larger.set(scratch)
      scratch = larger
      scratchView = new DataView(larger.buffer)
    }
    return at
  }

  u8 (value: number): void { const at = this.reserve(1); scratchView.setUint8(at, value) }
  u16 (value: number): void { const at = this.reserve(2); scratchView.setUint16(at, value) }
  u32 (value: number): void { const at = this.reserve(4); scratchView.setUint32(at, value) }
  u48 (value: number): void { this.u16(Math.floor(value / 0x1_0000_0000)); this.u32(value % 0x1_0000_0000) }
  f64 (value: number): void { const at = this.reserve(8); scratchView.setFloat64(at, value) }
  raw (bytes: Uint8Array): void { const at = this.reserve(bytes.length); scratch.set(bytes, at) }
  /** What was written, as bytes of their own. */
  finish (): Uint8Array { return scratch.slice(0, this.length) }
}

// A DataView of every register costs more than reading it.
const doubleBytes = new Uint8Array(8)
const doubleView = new DataView(doubleBytes.buffer)

/** Reads what ByteWriter wrote. Everything that does not fit is a CorruptBlockError that names `what`. */
export class ByteReader {
  private at = 0

  constructor (readonly bytes: Uint8Array, private readonly what: string) {}

  private take (count: number): number {
    const at = this.at
    if (at + count > this.bytes.length) throw this.corrupt('it ends too early')
    this.at = at + count
    return at
  }

  corrupt (why: string): CorruptBlockError { return new CorruptBlockError(`${this.what} cannot be read: ${why}`, { what: this.what, at: this.at }) }
  u8 (): number { return this.bytes[this.take(1)]! }
  u48 (): number { return this.u16() * 0x1_0000_0000 + this.u32() }

  u16 (): number {
    const at = this.take(2)
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!
  }

  u32 (): number {
    const { bytes } = this
    const at = this.take(4)
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  }

  skip (count: number): void { this.take(count) }
  raw (count: number): Uint8Array { const at = this.take(count); return this.bytes.subarray(at, at + count) }

  /** A safe integer that was written as a double; -0 and fractions have no place in a canonical encoding. */
  integer (min: number): number {
    const value = this.float()
    if (!Number.isSafeInteger(value) || value < min || Object.is(value, -0)) throw this.corrupt('a number is out of range')
    return value
  }

  /** A finite number; -0 has no place in a canonical encoding. */
  number (): number {
    const value = this.float()
    if (!Number.isFinite(value) || Object.is(value, -0)) throw this.corrupt('a number is out of range')
    return value
  }

  private float (): number {
    const at = this.take(8)
    for (let i = 0; i < 8; i++) doubleBytes[i] = this.bytes[at + i]!
    return doubleView.getFloat64(0)
  }

  text (length: number): string {
    const at = this.take(length)
    const ascii = this.shortAscii(at, length)
    if (ascii !== null) return ascii
    try {
      return utf8Decoder.decode(this.bytes.subarray(at, at + length))
    } catch {
      throw this.corrupt('a text is not UTF-8')
    }
  }

  /** Short ASCII, which most names are, is several times faster without TextDecoder. */
  private shortAscii (at: number, length: number): string | null {
    if (length > 24) return null
    let text = ''
    for (let i = at; i < at + length; i++) {
      const byte = this.bytes[i]!
      if (byte > 0x7f) return null
      text += String.fromCharCode(byte)
    }
    return text
  }

  hex (length: number): string { const at = this.take(length); return internHex(this.bytes, at, length) }

  end (): void { if (this.at !== this.bytes.length) throw this.corrupt('there is more after its end') }
}

/**
 * The same few devices and directories occur in thousands of registers: their hexadecimal text is made once and
 * shared, which saves both time and memory. Bounded, and only ever a cache.
 */
const interned = new Map<number, { bytes: Uint8Array, text: string }>()
const MAX_INTERNED = 8_192

function internHex (bytes: Uint8Array, at: number, length: number): string {
  const hash = (((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) ^ Math.imul(bytes[at + length - 1]!, 0x9e3779b1) ^ length)
  const known = interned.get(hash)
  if (known !== undefined && matches(known.bytes, bytes, at, length)) return known.text
  const text = hexAt(bytes, at, length)
  if (interned.size >= MAX_INTERNED) interned.clear()
  interned.set(hash, { bytes: bytes.slice(at, at + length), text })
  return text
}

function matches (known: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (known.length !== length) return false
  for (let i = 0; i < length; i++) if (known[i] !== bytes[at + i]) return false
  return true
}

const HEX_DIGITS = utf8Encoder.encode('0123456789abcdef')

/** Lower-case hexadecimal of `length` bytes: three times as fast as joining digits, and one flat string in memory. */
export function hexAt (bytes: Uint8Array, at: number, length: number): string {
  const digits = new Uint8Array(length * 2)
  for (let i = 0; i < length; i++) {
    const byte = bytes[at + i]!
    digits[i * 2] = HEX_DIGITS[byte >> 4]!
    digits[i * 2 + 1] = HEX_DIGITS[byte & 15]!
  }
  return utf8Decoder.decode(digits)
}

/** Without repetitions, in the order of the bytes: the same list on every device. */
export function distinctSorted (values: readonly Uint8Array[]): Uint8Array[] {
  if (values.length < 2) return [...values]
  const sorted = [...values].sort(compareBytes)
  return sorted.filter((value, i) => i === 0 || compareBytes(sorted[i - 1]!, value) !== 0)
}

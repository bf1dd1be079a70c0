import { CorruptBlockError } from '@holdfast/protocol'

/** Reads untrusted bytes from front to back. Running out, or a number over 2^53, is a CorruptBlockError. */
export class ByteCursor {
  #at = 0
  constructor (readonly what: string, readonly data: Uint8Array) {}

  get left (): number { return this.data.length - this.#at }

  take (length: number): Uint8Array {
    if (length > this.left) throw this.wrong('ends too early')
    return this.data.subarray(this.#at, this.#at += length)
  }

  byte (): number { return this.take(1)[0]! }

  /** Unsigned LEB128. */
  unsigned (): number { return this.#leb().value }

  /** Signed LEB128. */
  signed (): number {
    const { value, span, negative } = this.#leb()
    return negative ? value - span : value
  }

  /** At most eight groups of seven bits: whatever is longer passes 2^53. */
  #leb (): { value: number, span: number, negative: boolean } {
    let value = 0
    let span = 1
    for (let groups = 0; groups < 8; groups++) {
      const byte = this.byte()
      value += (byte & 0x7f) * span
      span *= 128
      if (!Number.isSafeInteger(value)) break
      if ((byte & 0x80) === 0) return { value, span, negative: (byte & 0x40) !== 0 }
    }
    throw this.wrong('has a number beyond all bounds')
  }

  wrong (how: string): CorruptBlockError { return new CorruptBlockError(`${this.what} ${how}`) }
}

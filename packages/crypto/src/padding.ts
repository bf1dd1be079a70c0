import { CorruptBlockError, InvalidArgumentError } from '@holdfast/protocol'

/**
 * How much of a length padding keeps. `file` is Padmé as published: a file's length leaks O(log log n) bits and padding costs
 * at most 12 %, falling with size. `chunk` keeps two bits more, for chunks cut by content, whose single lengths say little about the
 * file: Padmé alone would cost 1.35 % of a large file, this costs 0.35 %.
 */
export type PaddingKind = 'file' | 'chunk'
const EXTRA_BITS: Record<PaddingKind, number> = { file: 0, chunk: 2 }

/** The byte that ends the content of padded bytes; zeros follow (ISO/IEC 7816-4). */
const MARK = 0x80

/**
 * Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PETS 2019,
 * algorithm 1): the least length of at least `n` whose binary form has no more significant digits than the length of its exponent.
 */
export function padmeLength (n: number, kind: PaddingKind = 'file'): number {
  if (!Number.isSafeInteger(n) || n < 0) throw new InvalidArgumentError(`a length is a whole number from 0, not ${n}`)
  if (n < 2) return n
  const exponent = n.toString(2).length - 1
  const kept = 32 - Math.clz32(exponent) + EXTRA_BITS[kind]
  const step = 2 ** Math.max(0, exponent - kept)
  return Math.ceil(n / step) * step
}

/** The length of `n` bytes once padded. */
export const paddedLength = (n: number, kind: PaddingKind = 'file'): number => padmeLength(n + 1, kind)

/** CHK-3: bytes ‖ 0x80 ‖ zeros, up to the Padmé length. */
export function padme (bytes: Uint8Array, kind: PaddingKind = 'file'): Uint8Array {
  const padded = new Uint8Array(paddedLength(bytes.length, kind))
  padded.set(bytes)
  padded[bytes.length] = MARK
  return padded
}

/** Takes the padding off; the result shares memory with the input. Throws CorruptBlockError unless it is exactly what `padme` adds. */
export function unpadme (padded: Uint8Array, kind: PaddingKind = 'file'): Uint8Array {
  let end = padded.length - 1
  while (end >= 0 && padded[end] === 0) end--
  if (end < 0 || padded[end] !== MARK || paddedLength(end, kind) !== padded.length) throw new CorruptBlockError('the padding of sealed bytes is wrong')
  return padded.subarray(0, end)
}

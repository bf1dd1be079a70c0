import { diff3MergeRegions } from 'node-diff3'
import { MAX_MERGED_TEXT_BYTES, compareBytes, equalBytes } from '@holdfast/protocol'

/**
 * MAN-5: merges two texts that come from one, line by line (diff3, Khanna, Kunal and Pierce 2007). Where only one side
 * changed lines, its lines are taken; where both did, both sides' lines stay, one after the other, and the same line
 * twice is kept once. The order depends on the bytes alone: `mergeText(base, a, b)` equals `mergeText(base, b, a)`.
 * Null when any of the three is not UTF-8 text, or longer than MAX_MERGED_TEXT_BYTES.
 */
export function mergeText (base: Uint8Array, left: Uint8Array, right: Uint8Array): Uint8Array | null {
  if (equalBytes(left, right)) return isText(left) ? left : null
  const [first, second] = compareBytes(left, right) < 0 ? [left, right] : [right, left]
  const texts = [first, base, second].map(linesOf)
  const [a, o, b] = texts
  if (a == null || o == null || b == null) return null
  const lines: string[] = []
  for (const region of diff3MergeRegions(a, o, b)) {
    if (region.stable) lines.push(...region.bufferContent)
    else lines.push(...bothSides(region.aContent, region.oContent, region.bContent))
  }
  return new TextEncoder().encode(join(lines))
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeText (bytes: Uint8Array): string | null {
  if (bytes.length > MAX_MERGED_TEXT_BYTES || bytes.includes(0)) return null
  try { return decoder.decode(bytes) } catch {
    return null // not UTF-8: the caller keeps both versions
  }
}

const isText = (bytes: Uint8Array): boolean => decodeText(bytes) !== null

/** Lines with their ends, so that what comes out has the line ends that went in. */
function linesOf (bytes: Uint8Array): string[] | null {
  const text = decodeText(bytes)
  return text === null ? null : text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

/** Lines that both sides have at the beginning or end of the region are not said twice. */
function bothSides (a: readonly string[], o: readonly string[], b: readonly string[]): string[] {
  if (sameLines(a, o)) return [...b]
  if (sameLines(b, o) || sameLines(a, b)) return [...a]
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++
  return [...a.slice(0, a.length - end), ...b.slice(start, b.length - end), ...a.slice(a.length - end)]
}

const sameLines = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((line, i) => line === b[i])

/** A last line without an end that is no longer the last one gets one. */
function join (lines: readonly string[]): string {
  const ending = lines.some(line => line.endsWith('\r\n')) ? '\r\n' : '\n'
  return lines.map((line, i) => i < lines.length - 1 && !line.endsWith('\n') ? line + ending : line).join('')
}

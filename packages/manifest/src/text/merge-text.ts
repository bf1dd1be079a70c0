import { MAX_MERGED_TEXT_BYTES, compareBytes, equalBytes } from '@holdfast/protocol'
import { changedRanges, type ChangedRange } from './changed-ranges.js'
import { agree, splitLines, type TextLines } from './text-lines.js'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * MAN-5: merges two versions of a text by lines, from the version that both come from. Where both changed the same
 * lines, the lines of both stay, one after the other; a deletion gives way to a change. Depends on the three texts
 * alone, not on which is called left: two devices that merge alone make the same version.
 *
 * Null when one of them is not UTF-8, holds a zero byte, is over MAX_MERGED_TEXT_BYTES, or repeats itself so much
 * that comparing would take seconds.
 */
export function mergeText (base: Uint8Array, left: Uint8Array, right: Uint8Array): Uint8Array | null {
  const [first, second] = compareBytes(left, right) <= 0 ? [left, right] : [right, left]
  const texts = [base, first, second].map(readText)
  if (texts.includes(null)) return null
  if (equalBytes(first, second) || equalBytes(second, base)) return first
  if (equalBytes(first, base)) return second
  const [from, one, other] = texts.map(text => splitLines(text!)) as [TextLines, TextLines, TextLines]
  const ones = changedRanges(from.lines, one.lines)
  const others = changedRanges(from.lines, other.lines)
  return ones === null || others === null ? null : new TextEncoder().encode(new Merge(from, one, other).merge(ones, others))
}

function readText (bytes: Uint8Array): string | null {
  if (bytes.length > MAX_MERGED_TEXT_BYTES || bytes.includes(0)) return null
  try {
    return decoder.decode(bytes)
  } catch {
    // Not UTF-8: there is no text to merge.
    return null
  }
}

/** A changed range of one of both versions. */
interface Change extends ChangedRange { readonly side: TextLines }

class Merge {
  private readonly lines: string[] = []
  private readonly ends: string[] = []
  private readonly style: string

  constructor (private readonly base: TextLines, private readonly one: TextLines, private readonly other: TextLines) {
    this.style = agree(base.style ?? '\n', one.style ?? base.style ?? '\n', other.style ?? base.style ?? '\n', '\n')
  }

  merge (ones: readonly ChangedRange[], others: readonly ChangedRange[]): string {
    const changes = [...ones.map(range => ({ ...range, side: this.one })), ...others.map(range => ({ ...range, side: this.other }))]
      .sort((a, b) => a.start - b.start || a.end - b.end || Number(a.side === this.other) - Number(b.side === this.other))
    let at = 0
    // By how much a line's number in each version differs from its number in the base.
    const shift = new Map([[this.one, 0], [this.other, 0]])
    for (const group of groupTouching(changes)) {
      this.keep(at, group[0]!.start, shift)
      this.add(group)
      at = Math.max(...group.map(change => change.end))
      for (const { side, end, to } of group) shift.set(side, to - end)
    }
    this.keep(at, this.base.lines.length, shift)
    return this.text()
  }

  /** Lines that neither changed; their line breaks may have. */
  private keep (start: number, end: number, shift: ReadonlyMap<TextLines, number>): void {
    for (let i = start; i < end; i++) {
      const one = this.one.ends[i + shift.get(this.one)!]!
      const other = this.other.ends[i + shift.get(this.other)!]!
      this.push(this.base.lines[i]!, agree(this.base.ends[i]!, one, other, this.style))
    }
  }

  private add (group: readonly Change[]): void {
    const ones = addedLines(group, this.one)
    const others = addedLines(group, this.other)
    if (isWithin(others, ones)) this.pushAll(ones)
    else if (isWithin(ones, others)) this.pushAll(others)
    else if (overlaps(group)) this.addBoth(ones, others)
    else for (const change of group) this.pushAll(addedLines([change], change.side))
  }

  /** What both begin or end with is there once. */
  private addBoth (ones: readonly string[], others: readonly string[]): void {
    const most = Math.min(ones.length, others.length)
    let head = 0
    while (head < most && ones[head] === others[head]) head++
    let tail = 0
    while (tail < most - head && ones.at(-1 - tail) === others.at(-1 - tail)) tail++
    this.pushAll(ones.slice(0, ones.length - tail))
    this.pushAll(others.slice(head))
  }

  /** New lines end as most others do: the other side may have changed the line breaks throughout. */
  private pushAll (lines: readonly string[]): void { for (const line of lines) this.push(line, this.style) }

  private push (line: string, end: string): void {
    this.lines.push(line)
    this.ends.push(end)
  }

  private text (): string {
    const last = this.lines.length - 1
    const finished = agree(this.base.finished, this.one.finished, this.other.finished, true)
    return this.lines.map((line, i) => line + (i < last ? this.ends[i]! || this.style : finished === false ? '' : this.ends[i]! || this.style)).join('')
  }
}

/** Changes whose lines overlap or touch go together. */
function * groupTouching (changes: readonly Change[]): Generator<Change[]> {
  let group: Change[] = []
  let end = 0
  for (const change of changes) {
    if (group.length > 0 && change.start > end) {
      yield group
      group = []
    }
    end = group.length === 0 ? change.end : Math.max(end, change.end)
    group.push(change)
  }
  if (group.length > 0) yield group
}

/** Whether two changes concern the same lines, or insert in the same place: then no order of both follows. */
function overlaps (group: readonly Change[]): boolean {
  return group.some((a, i) => group.slice(i + 1).some(b => b.start < a.end || (a.start === a.end && b.start === b.end && a.start === b.start)))
}

const addedLines = (group: readonly Change[], side: TextLines): string[] =>
  group.filter(change => change.side === side).flatMap(change => side.lines.slice(change.from, change.to))

/** Whether all lines of one list are in another in the same order. */
function isWithin (few: readonly string[], many: readonly string[]): boolean {
  let next = 0
  for (const line of many) if (next < few.length && few[next] === line) next++
  return next === few.length
}

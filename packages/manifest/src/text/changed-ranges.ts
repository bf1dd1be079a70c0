import { diffIndices } from 'node-diff3'

/** Lines `start` to `end` of the base became lines `from` to `to` of a version. Ends are exclusive; either may be empty. */
export interface ChangedRange { readonly start: number, readonly end: number, readonly from: number, readonly to: number }

/**
 * The longest common subsequence takes about as many steps as there are pairs of equal lines, times the lines of the
 * shorter side. This many are half a second of work, and so many lines that repeat each other are hardly text that a
 * person edited.
 */
const MAX_STEPS = 1_000_000_000

/**
 * What differs between a base and a version of it, in order, never adjacent. Lines that occur once in each are taken
 * as fixed points first (patience diff, Bram Cohen), which is fast for long files and keeps functions and paragraphs
 * together; between them the longest common subsequence (Hunt and McIlroy 1976, by node-diff3) decides. Null when
 * that would take too long.
 */
export function changedRanges (base: readonly string[], version: readonly string[]): ChangedRange[] | null {
  const ranges: ChangedRange[] = []
  let steps = 0
  for (const gap of gaps(base, version)) {
    const [old, now] = [base.slice(gap.start, gap.end), version.slice(gap.from, gap.to)]
    steps += (equalPairs(old, now) + old.length) * Math.min(old.length, now.length)
    if (steps > MAX_STEPS) return null
    for (const range of compare(old, now, gap)) ranges.push(range)
  }
  return ranges
}

/** The stretches between fixed points, without what both begin or end with. */
function gaps (base: readonly string[], version: readonly string[]): ChangedRange[] {
  const whole = trim(base, version, { start: 0, end: base.length, from: 0, to: version.length })
  const found: ChangedRange[] = []
  let { start, from } = whole
  for (const [inBase, inVersion] of [...fixedPoints(base, version, whole), [whole.end, whole.to] as const]) {
    const gap = trim(base, version, { start, end: inBase, from, to: inVersion })
    if (gap.start < gap.end || gap.from < gap.to) found.push(gap)
    start = inBase + 1
    from = inVersion + 1
  }
  return found
}

function trim (base: readonly string[], version: readonly string[], range: ChangedRange): ChangedRange {
  let { start, end, from, to } = range
  while (start < end && from < to && base[start] === version[from]) { start++; from++ }
  while (start < end && from < to && base[end - 1] === version[to - 1]) { end--; to-- }
  return { start, end, from, to }
}

/** Lines that occur exactly once on each side, as many as are in the same order on both. */
function fixedPoints (base: readonly string[], version: readonly string[], range: ChangedRange): [number, number][] {
  const inBase = onlyOccurrences(base, range.start, range.end)
  const inVersion = onlyOccurrences(version, range.from, range.to)
  const pairs: [number, number][] = []
  for (const [line, at] of inBase) {
    const other = inVersion.get(line)
    if (at >= 0 && other !== undefined && other >= 0) pairs.push([at, other])
  }
  return longestRise(pairs)
}

/** Where each line is; -1 for those that repeat. In the order of the first occurrence. */
function onlyOccurrences (lines: readonly string[], start: number, end: number): Map<string, number> {
  const found = new Map<string, number>()
  for (let i = start; i < end; i++) found.set(lines[i]!, found.has(lines[i]!) ? -1 : i)
  return found
}

/** Longest increasing subsequence by the second number, in O(n log n) (patience sorting). */
function longestRise (pairs: readonly [number, number][]): [number, number][] {
  const piles: number[] = []
  const previous: number[] = []
  pairs.forEach(([, second], i) => {
    let low = 0
    for (let high = piles.length; low < high;) {
      const middle = (low + high) >> 1
      if (pairs[piles[middle]!]![1] < second) low = middle + 1
      else high = middle
    }
    previous[i] = low > 0 ? piles[low - 1]! : -1
    piles[low] = i
  })
  const rise: [number, number][] = []
  for (let i = piles.at(-1) ?? -1; i >= 0; i = previous[i]!) rise.push(pairs[i]!)
  return rise.reverse()
}

function compare (old: string[], now: string[], { start, end, from, to }: ChangedRange): ChangedRange[] {
  if (start === end || from === to) return [{ start, end, from, to }]
  return diffIndices(old, now)
    .map(({ buffer1, buffer2 }) => [buffer1 as [number, number], buffer2 as [number, number]] as const)
    .map(([[at, count], [other, others]]) => ({ start: start + at, end: start + at + count, from: from + other, to: from + other + others }))
}

function equalPairs (left: readonly string[], right: readonly string[]): number {
  const counts = new Map<string, number>()
  for (const line of left) counts.set(line, (counts.get(line) ?? 0) + 1)
  return right.reduce((sum, line) => sum + (counts.get(line) ?? 0), 0)
}

/** A text as lines; line breaks are kept apart, so that changing all of them does not make every line another. */
export interface TextLines {
  readonly lines: readonly string[]
  /** How each line ends: `\n`, `\r\n`, or nothing, which only the last may. */
  readonly ends: readonly string[]
  /** The line break that most lines have; undefined when there is none. */
  readonly style: string | undefined
  /** Whether the last line ends with a line break; undefined for an empty text. */
  readonly finished: boolean | undefined
}

export function splitLines (text: string): TextLines {
  const lines: string[] = []
  const ends: string[] = []
  for (let start = 0; start < text.length;) {
    const feed = text.indexOf('\n', start)
    const end = feed < 0 ? '' : feed > start && text[feed - 1] === '\r' ? '\r\n' : '\n'
    const next = feed < 0 ? text.length : feed + 1
    lines.push(text.slice(start, next - end.length))
    ends.push(end)
    start = next
  }
  const carriage = ends.filter(end => end === '\r\n').length
  const style = ends.length === 0 || ends[0] === '' ? undefined : carriage * 2 > ends.length ? '\r\n' : '\n'
  return { lines, ends, style, finished: ends.length === 0 ? undefined : ends.at(-1) !== '' }
}

/** What three sides agree on: the side that differs from the base wins; `otherwise` when both do, differently. */
export function agree<T> (base: T, left: T, right: T, otherwise: T): T {
  if (left === right || right === base) return left
  return left === base ? right : otherwise
}

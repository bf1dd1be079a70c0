/** How sizes, times and lists look to a person. `--json` never goes through here. */

const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'] as const

/** Decimal units with three digits at most: `0 B`, `999 B`, `1.2 kB`, `34 MB`. */
export function formatBytes (bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  let value = bytes
  let unit = -1
  // 999.95 would print as 1000: it goes to the next unit instead.
  do { value /= 1000; unit++ } while (value >= 999.5 && unit < UNITS.length - 1)
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`
}

const STEPS: readonly (readonly [seconds: number, name: string])[] = [[86_400, 'day'], [3_600, 'hour'], [60, 'minute'], [1, 'second']]

/** `3 minutes`, `1 day`; below a second, `a moment`. `milliseconds` may be negative when clocks differ. */
export function formatDuration (milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  const step = STEPS.find(([length]) => seconds >= length)
  if (step === undefined) return 'a moment'
  const count = Math.floor(seconds / step[0])
  return `${count} ${step[1]}${count === 1 ? '' : 's'}`
}

export const formatAge = (then: number, now: number): string => `${formatDuration(now - then)} ago`

/** Local time to the minute, as `ls -l` shows it: `2026-11-22 17:20`. */
export function formatTime (milliseconds: number): string {
  const date = new Date(milliseconds)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`
}

export const count = (amount: number, one: string, many = `${one}s`): string => `${amount} ${amount === 1 ? one : many}`

/** Columns, each as wide as its widest cell; the last is not padded. `right` names the columns that hold numbers. */
export function table (rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, column) => { widths[column] = Math.max(widths[column] ?? 0, cell.length) })
  return rows.map(row => row.map((cell, column) => {
    if (right.includes(column)) return cell.padStart(widths[column] ?? 0)
    return column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)
  }).join('  '))
}

/** Names may hold anything but `/` and NUL: what would move the cursor or split the line is shown escaped. */
export const printable = (name: string): string =>
  // eslint-disable-next-line no-control-regex -- control characters are exactly what is looked for
  name.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** `10GB`, `500 M`, `1048576` → bytes; undefined when it is no size. Decimal, as the disks are sold; KiB and so on binary. */
export function parseBytes (text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgtp])(i?)b?|b)?\s*$/i.exec(text)
  if (match === null) return undefined
  const power = match[2] === undefined ? 0 : 'kmgtp'.indexOf(match[2].toLowerCase()) + 1
  const bytes = Number(match[1]) * (match[3] === 'i' || match[3] === 'I' ? 1024 : 1000) ** power
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined
}

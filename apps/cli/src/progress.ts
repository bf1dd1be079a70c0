import { formatBytes, printable } from './format.js'
import type { Output } from './output.js'

/** A bar on a terminal: one line, redrawn at most ten times a second, gone when the work is done. */
export interface ProgressBar {
  /** Bytes so far, and in all where that is known. */
  update (done: number, total?: number): void
  /** Adds to what was done; for work that only knows its parts. */
  add (bytes: number): void
  end (): Promise<void>
}

const REDRAW_EVERY_MS = 100
const FULL = '█'
const EMPTY = '░'

const NO_PROGRESS: ProgressBar = { update: () => undefined, add: () => undefined, end: async () => undefined }

export interface ProgressSurroundings {
  err: Output
  /** Null when stderr is no terminal: nothing is drawn. */
  columns: number | null
  quiet: boolean
  json: boolean
  now: () => number
}

/** The line itself, no wider than the terminal: `name  ███░░░  42 %  1.2 MB of 2.9 MB  3.4 MB/s`. */
export function progressLine (state: { label: string, done: number, total: number | undefined, elapsedMs: number, columns: number }): string {
  const { done, total, elapsedMs, columns } = state
  const rate = elapsedMs > 500 ? `  ${formatBytes(Math.round(done / elapsedMs * 1000))}/s` : ''
  const amount = total === undefined ? formatBytes(done) : `${formatBytes(Math.min(done, total))} of ${formatBytes(total)}`
  const share = total === undefined || total === 0 ? null : Math.min(1, done / total)
  const tail = `${share === null ? '' : `  ${String(Math.floor(share * 100)).padStart(3)} %`}  ${amount}${rate}`
  const room = Math.max(0, columns - 1 - tail.length)
  const width = share === null ? 0 : Math.max(0, Math.min(30, Math.floor(room / 2) - 2))
  const name = clip(printable(state.label), room - (width === 0 ? 0 : width + 2))
  const bar = share === null || width === 0 ? '' : `  ${FULL.repeat(Math.round(share * width))}${EMPTY.repeat(width - Math.round(share * width))}`
  return `${name}${bar}${tail}`.slice(0, Math.max(0, columns - 1))
}

const clip = (text: string, room: number): string => text.length <= room ? text : room < 4 ? '' : `…${text.slice(text.length - room + 1)}`

export function progressBar (label: string, surroundings: ProgressSurroundings): ProgressBar {
  const { err, columns, quiet, json, now } = surroundings
  if (columns === null || quiet || json) return NO_PROGRESS
  const started = now()
  let state: { done: number, total: number | undefined } = { done: 0, total: undefined }
  let drawnAt = -Infinity
  let writing: Promise<void> = Promise.resolve()
  const draw = (text: string): void => {
    // A terminal that has gone away must not stop the transfer: the bar is only a courtesy.
    writing = writing.then(async () => err.write(text)).catch(() => undefined)
  }
  const update = (done: number, total?: number): void => {
    state = { done, total: total ?? state.total }
    if (now() - drawnAt < REDRAW_EVERY_MS) return
    drawnAt = now()
    draw(`\r\u001b[K${progressLine({ label, ...state, elapsedMs: drawnAt - started, columns })}`)
  }
  return {
    update,
    add: bytes => { update(state.done + bytes) },
    end: async () => { if (drawnAt !== -Infinity) draw('\r\u001b[K'); await writing }
  }
}

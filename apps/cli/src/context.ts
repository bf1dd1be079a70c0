import type { Client } from '@holdfast/client'
import type { Mirror } from '@holdfast/mirror'
import type { ExitCode } from './errors.js'
import type { Invocation, Options } from './invocation.js'
import type { Output } from './output.js'
import type { ProgressBar } from './progress.js'

/** How a command talks to whoever started it, in this process or over the control socket. */
export interface Talk {
  readonly json: boolean
  readonly quiet: boolean
  readonly cwd: string
  readonly signal: AbortSignal
  readonly out: Output
  readonly err: Output
  readonly stdin: () => AsyncIterable<Uint8Array>
  readonly now: () => number
  /** What was asked for: one JSON value with `--json`, otherwise these lines. Not silenced by `--quiet`. */
  result (value: unknown, lines: readonly string[]): Promise<void>
  /** A line on stdout that only a person needs: not with `--quiet` or `--json`. */
  say (line: string): Promise<void>
  /** A line on stderr that a person should see: not with `--quiet` or `--json`. */
  note (line: string): Promise<void>
  /** What went wrong without ending the command: one line on stderr, always. */
  warn (error: unknown): Promise<void>
  /** One JSON value on a line of its own; for what streams. */
  event (value: unknown): Promise<void>
  progress (label: string): ProgressBar
}

/** What a command that works on the home is given. */
export interface CommandContext extends Talk {
  readonly client: Client
  readonly holder: Holder
}

/** The process that has the home open. */
export interface Holder {
  /** The home's directory. */
  readonly home: string
  /** The engine runs by itself: announcements arrive and changes go out without a command asking for it. */
  readonly live: boolean
  /** By directory: there may be only one mirror of each. */
  readonly mirrors: Map<string, Mirror>
}

export type Handler = (context: CommandContext, args: readonly string[], options: Options) => Promise<ExitCode>
/** A command that works without an open home: it makes one, or needs none. */
export type StandaloneHandler = (context: Talk & { readonly home: string }, args: readonly string[], options: Options) => Promise<ExitCode>

export type { Invocation }

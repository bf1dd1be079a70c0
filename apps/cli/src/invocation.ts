import { ControlProtocolError } from './errors.js'

export type OptionValue = string | boolean
export type Options = Readonly<Record<string, OptionValue>>

/** A command line, parsed: what one process can hand to another to run. It never holds a secret. */
export interface Invocation {
  /** The command's words, such as `ls` or `trash restore`. */
  readonly command: string
  readonly args: readonly string[]
  readonly options: Options
  /** Absolute: local paths are relative to it. */
  readonly cwd: string
  readonly json: boolean
  readonly quiet: boolean
  /** Width of the terminal that stderr is; null when it is none, so that no progress is drawn. */
  readonly columns: number | null
}

/** Reads an invocation that came over the control socket. Throws ControlProtocolError. */
export function readInvocation (value: unknown): Invocation {
  const fields = record(value, 'a request')
  const { command, args, cwd, json, quiet, columns } = fields
  const options = record(fields['options'], 'the options of a request')
  const wellFormed = typeof command === 'string' && typeof cwd === 'string' && typeof json === 'boolean' && typeof quiet === 'boolean' &&
    Array.isArray(args) && args.every(arg => typeof arg === 'string') && (columns === null || typeof columns === 'number') &&
    Object.values(options).every(option => typeof option === 'string' || typeof option === 'boolean')
  if (!wellFormed) throw new ControlProtocolError('a request on the control socket is not well formed')
  return { command, args: args as string[], options: options as Options, cwd, json, quiet, columns }
}

export function record (value: unknown, what: string): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new ControlProtocolError(`${what} on the control socket is not an object`)
  return value as Record<string, unknown>
}

/** The text of an option that takes a value. */
export const textOption = (options: Options, name: string): string | undefined => {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}
export const flag = (options: Options, name: string): boolean => options[name] === true

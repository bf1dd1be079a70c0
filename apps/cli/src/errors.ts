/**
 * What the command line says when something fails. Errors are recognised by their shape, not their class: a command
 * that another process runs for us must not make this one load the whole engine only to print a line.
 */

export type ExitCode = 0 | 1 | 2 | 3
/** The command did all it was asked. */
export const DONE = 0
/** Nothing, or not all, was done; one line on stderr says why. */
export const FAILED = 1
/** The command line itself was wrong. */
export const WRONG_USAGE = 2
/** Done here, but not everywhere: stored on this device and no node was reachable. */
export const PARTLY_DONE = 3

/** The facts of an error in the form that `--json` prints. */
export interface ErrorReport { name: string, family: string, message: string, remedy: string }

/** An error of the command line itself, in the shape of a HoldfastError. */
export abstract class CommandError extends Error {
  abstract override readonly name: string
  abstract readonly family: 'retryable' | 'corrupt' | 'unauthorised' | 'invalid'
  constructor (message: string, readonly remedy: string, readonly data: Readonly<Record<string, unknown>> = {}, options?: ErrorOptions) {
    super(message, options)
  }
}

/** An option or argument that the command does not take. Exit code 2. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError'
  readonly family = 'invalid'
}

/** What was asked cannot be done with what is there: a directory where a file is needed, a target that exists. */
export class RefusedError extends CommandError {
  override readonly name = 'RefusedError'
  readonly family = 'invalid'
}

/** The keyring has a passphrase, and there is nobody to ask for it. */
export class PassphraseNeededError extends CommandError {
  override readonly name = 'PassphraseNeededError'
  readonly family = 'unauthorised'
  constructor () { super('the keys in this home are protected by a passphrase', 'Put it in $HOLDFAST_PASSPHRASE, or run the command in a terminal to be asked') }
}

/** Some blocks are bad, and no good copy of them was found. */
export class DamagedError extends CommandError {
  override readonly name = 'DamagedError'
  readonly family = 'corrupt'
}

/** A change is on this device and on no node yet. */
export class NotOnNodesError extends CommandError {
  override readonly name = 'NotOnNodesError'
  readonly family = 'retryable'
  constructor (why: string) { super(`this is stored on this device only: ${why}`, 'Nothing is lost; it goes up with the next command or mirror that reaches a node') }
}

/** The reader of our output has gone, as `head` does once it has enough. Nothing is printed about it. */
export class OutputClosedError extends CommandError {
  override readonly name = 'OutputClosedError'
  readonly family = 'retryable'
  constructor () { super('the output was closed', 'Nothing was lost.') }
}

/** The person pressed Ctrl-C, or the process was told to stop. */
export class InterruptedError extends CommandError {
  override readonly name = 'InterruptedError'
  readonly family = 'retryable'
  constructor () { super('interrupted', 'What was already stored stays stored; run the command again for the rest.') }
}

/** The home is held by a process that neither answers nor ends. */
export class HomeBusyError extends CommandError {
  override readonly name = 'HomeBusyError'
  readonly family = 'retryable'
  constructor (home: string, seconds: number) {
    super(`another process holds ${home} and did not answer for ${seconds} seconds`, 'Stop that process, or wait for it to finish, and run the command again.', { home })
  }
}

/** The process that ran the command for us ended in the middle of it. */
export class HolderGoneError extends CommandError {
  override readonly name = 'HolderGoneError'
  readonly family = 'retryable'
  constructor () { super('the process that held this home ended before the command was done', 'Run the command again.') }
}

/** Bytes on the control socket that no Holdfast of this version sends. */
export class ControlProtocolError extends CommandError {
  override readonly name = 'ControlProtocolError'
  readonly family = 'invalid'
  constructor (message: string) { super(message, 'Stop the other Holdfast process on this home and start it again in the same version as this one.') }
}

const SYSTEM_ERRORS: Readonly<Record<string, readonly [message: string, remedy: string]>> = {
  ENOENT: ['there is no such file or directory', 'Check the path.'],
  EACCES: ['permission was denied', 'Check who owns it and its permissions.'],
  EPERM: ['the system does not permit this', 'Check who owns it and its permissions.'],
  EEXIST: ['it exists already', 'Choose another name or remove it first.'],
  ENOTDIR: ['a part of the path is not a directory', 'Check the path.'],
  EISDIR: ['it is a directory', 'Name a file.'],
  ENOTEMPTY: ['the directory is not empty', 'Choose an empty or new directory.'],
  ENOSPC: ['the disk is full', 'Free some space and run the command again.'],
  EROFS: ['the file system is read-only', 'Choose another place.'],
  EADDRINUSE: ['the port is taken by another program', 'Choose another with --listen HOST:PORT; port 0 takes a free one.'],
  EADDRNOTAVAIL: ['this machine has no such address', 'Choose another with --listen HOST:PORT.']
}

const field = (error: object, name: string): string | undefined => {
  const value: unknown = Reflect.get(error, name)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Turns whatever was thrown into what, and what to do. */
export function reportOf (error: unknown): ErrorReport {
  if (!(error instanceof Error)) return { name: 'Error', family: 'invalid', message: String(error), remedy: FAULT }
  const remedy = field(error, 'remedy')
  if (remedy !== undefined) return { name: error.name, family: field(error, 'family') ?? 'invalid', message: error.message, remedy }
  const known = SYSTEM_ERRORS[field(error, 'code') ?? '']
  if (known !== undefined) {
    const where = field(error, 'path')
    return { name: 'SystemError', family: 'invalid', message: where === undefined ? known[0] : `${where}: ${known[0]}`, remedy: known[1] }
  }
  return { name: error.name, family: 'invalid', message: error.message, remedy: FAULT }
}
const FAULT = 'This is a fault in Holdfast; set HOLDFAST_DEBUG=1 to see where, and report it.'

/** One line: what happened and what to do; with `json`, the same facts as one object. */
export function renderError (error: unknown, json: boolean): string {
  const report = reportOf(error)
  if (json) return `${JSON.stringify({ error: report })}\n`
  const sentence = (text: string): string => text.replace(/\s+/g, ' ').trim().replace(/[.]$/, '')
  return `holdfast: ${sentence(report.message)}. ${sentence(report.remedy)}.\n`
}

export const exitCodeOf = (error: unknown): ExitCode => error instanceof UsageError ? WRONG_USAGE : FAILED

/** The stack of an error and of what caused it, for those who ask for it. */
export function debugTrace (error: unknown): string {
  if (process.env['HOLDFAST_DEBUG'] === undefined || !(error instanceof Error)) return ''
  const cause = error.cause instanceof Error ? `caused by ${error.cause.stack ?? error.cause.message}\n` : ''
  return `${error.stack ?? error.message}\n${cause}`
}

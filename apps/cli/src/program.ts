import { Command, CommanderError, Option } from 'commander'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { groups } from './commands/groups.js'
import { UsageError } from './errors.js'
import type { Invocation, OptionValue } from './invocation.js'

export interface ParseSurroundings { env: Readonly<Record<string, string | undefined>>, cwd: string, columns: number | null, write: (text: string) => void }

/** A command to run, or what commander already answered (help), or what was wrong with the command line. */
export type Parsed =
  | { kind: 'run', invocation: Invocation, home: string }
  | { kind: 'answered' }

/** Binds one command of the surface: what commander parsed becomes an invocation. */
export type Bind = (command: string) => (...given: unknown[]) => void

interface GlobalOptions { home?: string, json?: boolean, quiet?: boolean }
const GLOBAL_NAMES = new Set(['home', 'json', 'quiet'])

/** Reads a command line. Throws UsageError. */
export function parseCommandLine (argv: readonly string[], surroundings: ParseSurroundings): Parsed {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) { surroundings.write(`${VERSION}\n`); return { kind: 'answered' } }
  let parsed: Parsed = { kind: 'answered' }
  const program = createProgram(surroundings.write, command => (...given) => {
    const leaf = given.at(-1) as Command
    const globals = leaf.optsWithGlobals<GlobalOptions>()
    parsed = { kind: 'run', home: homeDirectory(globals.home, surroundings), invocation: invocationOf(command, given, globals, surroundings) }
  })
  try { program.parse([...argv], { from: 'user' }) } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { kind: 'answered' }
    // Commander's way of saying that only a group was named.
    if (error.code === 'commander.help') throw new UsageError('no command was given', usageRemedy(argv))
    throw new UsageError(error.message.replace(/^error: /, '').replace(/\n.*/s, ''), usageRemedy(argv))
  }
  return parsed
}

export const VERSION = '0.1.0'

const usageRemedy = (argv: readonly string[]): string => {
  const words = argv.filter(word => /^[a-z]+$/.test(word)).slice(0, 1)
  return `Run \`${['holdfast', ...words.filter(word => groups.some(group => group.words.includes(word))), '--help'].join(' ')}\` to see how it is used`
}

function invocationOf (command: string, given: readonly unknown[], globals: GlobalOptions, surroundings: ParseSurroundings): Invocation {
  const leaf = given.at(-1) as Command
  const options: Record<string, OptionValue> = {}
  for (const [name, value] of Object.entries(leaf.opts())) if (!GLOBAL_NAMES.has(name) && (typeof value === 'string' || typeof value === 'boolean')) options[name] = value
  // The one secret that an option may carry; it can come from the environment as well.
  const token = surroundings.env['HOLDFAST_TOKEN']
  if (command === 'pair' && options['token'] === undefined && token !== undefined && token !== '') options['token'] = token
  const args = given.slice(0, -2).flat().filter((value): value is string => typeof value === 'string')
  return { command, args, options, cwd: surroundings.cwd, json: globals.json === true, quiet: globals.quiet === true, columns: surroundings.columns }
}

function homeDirectory (option: string | undefined, { env, cwd }: ParseSurroundings): string {
  const named = option ?? env['HOLDFAST_HOME']
  return named === undefined || named === '' ? join(homedir(), '.holdfast') : resolve(cwd, named)
}

function createProgram (write: (text: string) => void, bind: Bind): Command {
  const program = new Command('holdfast')
    .description('Keeps your files on all your devices and on nodes of your own, end-to-end encrypted.')
    .addOption(new Option('--home <dir>', 'the device\'s state (default: $HOLDFAST_HOME or ~/.holdfast)'))
    .addOption(new Option('--json', 'machine-readable output: one JSON object, or one a line for what streams'))
    .addOption(new Option('--quiet', 'print only what was asked for'))
    .configureHelp({ showGlobalOptions: true })
  for (const group of groups) group.define(program, bind)
  configure(program, write)
  return program
}

/** Commander would print and exit by itself; every level is told to throw instead. */
function configure (command: Command, write: (text: string) => void): void {
  command.exitOverride().configureOutput({ writeOut: write, writeErr: () => undefined }).showSuggestionAfterError(true).allowExcessArguments(false)
  command.configureHelp({ showGlobalOptions: true })
  for (const child of command.commands) configure(child, write)
}

import { join } from 'node:path'
import type { TestNode } from './node.js'
import type { JsonLine, ProcessOptions, RunningProcess } from './running-process.js'
import type { CommandResult, Sandbox } from './sandbox.js'

/** What `status --json` prints, as far as tests look. */
export interface StatusJson {
  account: string
  device: string
  vaults: { id: string, name: string, root: string | null, body: string, entries: number, bytes: number, pendingBlocks: number, conflicts: number }[]
  nodes: { url: string, peerId: string, reachable: boolean, receipt: { root: string, at: number } | null }[]
}
export interface EntryJson { path: string, kind: 'file' | 'directory' | 'link', size: number, modified: number, id: string, versions: number, conflicts: number, mode: number, target?: string }

/** One device: a home directory, and the commands run on it. */
export interface TestDevice {
  readonly home: string
  /** Runs a command with `--home` and `--json`; whatever its exit code. */
  run (args: readonly string[], options?: Partial<ProcessOptions> & { within?: number }): Promise<CommandResult>
  /** Runs it, expects exit code 0 (or the one given), and gives its JSON. */
  json<T> (args: readonly string[], options?: Partial<ProcessOptions> & { code?: number, within?: number }): Promise<T>
  /** Runs it and expects exit code 0. */
  ok (args: readonly string[], options?: Partial<ProcessOptions> & { within?: number }): Promise<CommandResult>
  /** Gives the recovery phrase. */
  create (): Promise<string>
  restore (phrase: string, node: TestNode): Promise<void>
  /** The first device of an account needs the token, later ones do not. */
  pair (node: TestNode, options?: { token?: boolean }): Promise<void>
  status (): Promise<StatusJson>
  list (path?: string): Promise<EntryJson[]>
  /** Starts `mirror DIR` and waits until it is ready. */
  mirror (directory: string, args?: readonly string[]): Promise<TestMirror>
  mirrorOnce (directory: string, options?: { code?: number, within?: number }): Promise<CommandResult>
}

export interface TestMirror extends RunningProcess {
  readonly directory: string
  /** Resolves at the next `synced` after what has been said so far. */
  nextSynced (options?: { within?: number }): Promise<JsonLine>
}

export function createDevice (sandbox: Sandbox, name: string): TestDevice {
  const home = join(sandbox.directory, name)
  const run: TestDevice['run'] = async (args, options) => sandbox.run([...args, '--home', home, '--json'], options)
  const expecting = async (code: number, args: readonly string[], options?: Partial<ProcessOptions> & { within?: number }): Promise<CommandResult> => {
    const result = await run(args, options)
    if (result.code !== code) throw new Error(`holdfast ${args.join(' ')} gave ${result.code ?? result.signal}, not ${code}: ${result.stdout}${result.stderr}`)
    return result
  }
  const json = async <T>(args: readonly string[], { code = 0, ...options }: Parameters<TestDevice['json']>[1] = {}): Promise<T> => (await expecting(code, args, options)).json<T>()
  return {
    home, run, json,
    ok: async (args, options) => expecting(0, args, options),
    create: async () => (await json<{ phrase: string }>(['account', 'create'])).phrase,
    restore: async (phrase, node) => { await expecting(0, ['account', 'restore', '--node', node.url], { input: `${phrase}\n` }) },
    pair: async (node, { token = true } = {}) => { await expecting(0, ['pair', node.url, ...token ? ['--token', node.pairing] : []]) },
    status: async () => json<StatusJson>(['status']),
    list: async (path = '/') => json<EntryJson[]>(['ls', '-R', path]),
    mirror: async (directory, args = []) => {
      const process = sandbox.start(['mirror', directory, '--home', home, '--json', ...args])
      await process.event(event => event['event'] === 'ready', { what: 'the mirror is ready' })
      return asMirror(process, directory)
    },
    mirrorOnce: async (directory, { code = 0, within } = {}) => expecting(code, ['mirror', directory, '--once'], within === undefined ? {} : { within })
  }
}

/** Getters would be evaluated by a spread, so the process's own properties are kept as they are. */
function asMirror (process: RunningProcess, directory: string): TestMirror {
  const nextSynced: TestMirror['nextSynced'] = async (options = {}) => process.event(event => event['event'] === 'synced', { ...options, after: process.events.length, what: 'synced' })
  return Object.assign(Object.create(process) as RunningProcess, { directory, nextSynced })
}

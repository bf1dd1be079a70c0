import { describe, expect, test } from 'vitest'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { UsageError } from './errors.js'
import { handlerOf, standaloneHandlerOf } from './commands/registry.js'
import { parseCommandLine, type Parsed } from './program.js'

let printed = ''
const parse = (line: string, env: Record<string, string> = {}): Parsed => {
  printed = ''
  return parseCommandLine(line === '' ? [] : line.split(' '), { env, cwd: '/work', columns: null, write: text => { printed += text } })
}
const run = (line: string, env?: Record<string, string>): Extract<Parsed, { kind: 'run' }> => {
  const parsed = parse(line, env)
  if (parsed.kind !== 'run') throw new Error(`${line} is no command`)
  return parsed
}
const short = (line: string): unknown[] => { const { command, args, options } = run(line).invocation; return [command, args, options] }

describe('the surface', () => {
  test.each<[line: string, command: string, args: string[], options: object]>([
    ['node --data d --listen 127.0.0.1:0 --quota 10GB', 'node', [], { data: 'd', listen: '127.0.0.1:0', quota: '10GB' }],
    ['account create', 'account create', [], {}],
    ['account restore --node http://n', 'account restore', [], { node: 'http://n' }],
    ['account restore --wallet --key-file k', 'account restore', [], { wallet: true, keyFile: 'k' }],
    ['account wallet add --key-file k', 'account wallet add', [], { keyFile: 'k' }],
    ['pair http://n:1 --token t', 'pair', ['http://n:1'], { token: 't' }],
    ['nodes', 'nodes', [], {}],
    ['nodes remove http://n', 'nodes remove', ['http://n'], {}],
    ['devices', 'devices', [], {}],
    ['devices revoke ab12', 'devices revoke', ['ab12'], {}],
    ['mirror dir', 'mirror', ['dir'], {}],
    ['mirror dir --once', 'mirror', ['dir'], { once: true }],
    ['status', 'status', [], {}],
    ['status /a', 'status', ['/a'], {}],
    ['ls', 'ls', ['/'], {}],
    ['ls -R /a', 'ls', ['/a'], { recursive: true }],
    ['cat /a', 'cat', ['/a'], {}],
    ['put x /a', 'put', ['x', '/a'], {}],
    ['put - /a', 'put', ['-', '/a'], {}],
    ['get /a x', 'get', ['/a', 'x'], {}],
    ['mkdir -p /a/b', 'mkdir', ['/a/b'], { parents: true }],
    ['mv /a /b', 'mv', ['/a', '/b'], {}],
    ['rm -r /a', 'rm', ['/a'], { recursive: true }],
    ['stat /a', 'stat', ['/a'], {}],
    ['log /a', 'log', ['/a'], {}],
    ['restore /a --version v --to /b', 'restore', ['/a'], { version: 'v', to: '/b' }],
    ['trash', 'trash', [], {}],
    ['trash restore /a', 'trash restore', ['/a'], {}],
    ['trash empty', 'trash empty', [], {}],
    ['verify --repair', 'verify', [], { repair: true }],
    ['export out', 'export', ['out'], {}]
  ])('CLI %s', (line, command, args, options) => {
    expect(short(line)).toEqual([command, args, options])
    expect(standaloneHandlerOf(command) ?? handlerOf(command)).toBeTypeOf('function')
  })

  test('CLI --home, --json and --quiet stand anywhere', () => {
    for (const line of ['--home h --json --quiet ls /a', 'ls --json --home h /a --quiet', 'ls /a --quiet --json --home h', 'trash --json --quiet --home h restore /a', 'trash restore /a --home h --json --quiet']) {
      const { home, invocation } = run(line)
      expect([home, invocation.json, invocation.quiet, invocation.options]).toEqual(['/work/h', true, true, {}])
    }
  })

  test('CLI the home comes from --home, then $HOLDFAST_HOME, then the person\'s directory', () => {
    expect(run('ls --home /x', { HOLDFAST_HOME: '/y' }).home).toBe('/x')
    expect(run('ls', { HOLDFAST_HOME: 'y' }).home).toBe('/work/y')
    expect(run('ls').home).toBe(join(homedir(), '.holdfast'))
  })

  test('CLI the token comes from $HOLDFAST_TOKEN too, and --token goes first', () => {
    expect(run('pair http://n', { HOLDFAST_TOKEN: 'e' }).invocation.options).toEqual({ token: 'e' })
    expect(run('pair http://n --token t', { HOLDFAST_TOKEN: 'e' }).invocation.options).toEqual({ token: 't' })
    expect(run('ls', { HOLDFAST_TOKEN: 'e' }).invocation.options).toEqual({})
  })

  test.each(['', 'nothing', 'ls --wrong', 'ls /a /b', 'put x', 'account', 'account wallet', 'account wallet add', 'restore /a', 'mirror', 'trash restore', 'node --listen', 'mirror a --recursive'])(
    'CLI wrong usage is told with a remedy: "%s"', line => {
      let error: unknown
      try { parse(line) } catch (thrown) { error = thrown }
      expect(error).toBeInstanceOf(UsageError)
      expect((error as UsageError).message).not.toMatch(/\n|^error|\(/)
      expect((error as UsageError).remedy).toMatch(/--help/)
    })

  test('CLI help and version answer without a command', () => {
    expect(parse('--help').kind).toBe('answered')
    for (const word of ['node', 'account', 'pair', 'mirror', 'status', 'ls', 'export']) expect(printed).toContain(word)
    expect(parse('mirror --help').kind).toBe('answered')
    expect(printed).toContain('--home')
    expect(parse('--version').kind).toBe('answered')
    expect(printed).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

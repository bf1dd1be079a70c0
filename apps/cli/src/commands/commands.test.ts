import { createAccount, openClient, type Client } from '@holdfast/client'
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CommandContext } from '../context.js'
import { memoryOutput } from '../output.js'
import { parseCommandLine } from '../program.js'
import { runToExit } from '../run.js'
import { createTalk } from '../talk.js'
import { handlerOf } from './registry.js'

let directory: string
let client: Client | undefined
let local: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hf-'))
  const home = join(directory, 'home')
  await createAccount({ home })
  client = await openClient({ home })
})
afterAll(async () => {
  await client?.close()
  await rm(directory, { recursive: true, force: true })
})
beforeEach(async () => { local = await mkdtemp(join(directory, 'local-')) })

interface Ran { code: number, out: string, err: string, bytes: Uint8Array, json: () => unknown }

/** Runs a command line on the open client, as a session does. */
async function run (words: string[], stdin: Iterable<Uint8Array> = []): Promise<Ran> {
  const out = memoryOutput()
  const err = memoryOutput()
  const signal = new AbortController().signal
  const parsed = parseCommandLine(words, { env: {}, cwd: local, columns: null, write: () => undefined })
  if (parsed.kind !== 'run') throw new Error('no command')
  const { invocation } = parsed
  const io = { out, err, signal, now: Date.now, stdin: async function * () { yield * stdin } }
  const context: CommandContext = { ...createTalk(invocation, io), client: client!, holder: { home: join(directory, 'home'), live: false, mirrors: new Map() } }
  const code = await runToExit(async () => handlerOf(invocation.command)(context, invocation.args, invocation.options), { err, json: invocation.json, signal })
  return { code, out: out.text(), err: err.text(), bytes: out.bytes(), json: () => JSON.parse(out.text()) }
}
const ok = async (...words: string[]): Promise<Ran> => {
  const ran = await run(words)
  expect({ code: ran.code, err: ran.err }).toEqual({ code: 0, err: expect.anything() })
  return ran
}

describe('the vault without a mirror', () => {
  test('CLI a file goes in and comes out with its bytes, mode and time', async () => {
    await writeFile(join(local, 'a.bin'), Uint8Array.of(0, 1, 255))
    await chmod(join(local, 'a.bin'), 0o640)
    await utimes(join(local, 'a.bin'), 1_700_000_000, 1_700_000_000)
    expect((await ok('put', 'a.bin', 'files/a.bin', '--json')).json()).toMatchObject({ path: '/files/a.bin', kind: 'file', size: 3, modified: 1_700_000_000_000, versions: 1, conflicts: 0, id: expect.stringMatching(/^[0-9a-f]{32}$/) })
    expect(Buffer.from((await ok('cat', '/files/a.bin')).bytes)).toEqual(Buffer.from([0, 1, 255]))
    await ok('get', '/files/a.bin', 'b.bin')
    const facts = await stat(join(local, 'b.bin'))
    expect([facts.mode & 0o777, facts.mtimeMs, facts.size]).toEqual([0o640, 1_700_000_000_000, 3])
    expect(await readdir(local)).toEqual(['a.bin', 'b.bin'])
  })

  test('CLI into a directory when the target is one, as cp does', async () => {
    await writeFile(join(local, 'one.txt'), 'one')
    await ok('mkdir', '/into')
    expect((await ok('put', 'one.txt', '/into', '--json')).json()).toMatchObject({ path: '/into/one.txt' })
    expect((await ok('put', 'one.txt', '/into/new/', '--json')).json()).toMatchObject({ path: '/into/new/one.txt' })
    await mkdir(join(local, 'here'))
    await ok('get', '/into/one.txt', 'here')
    expect(await readFile(join(local, 'here', 'one.txt'), 'utf8')).toBe('one')
  })

  test('CLI a directory goes in and out whole, links and empty directories too', async () => {
    await mkdir(join(local, 'tree', 'deep', 'empty'), { recursive: true })
    await writeFile(join(local, 'tree', 'deep', 'f'), 'x'.repeat(100_000))
    await symlink('deep/f', join(local, 'tree', 'link'))
    await ok('put', 'tree', '/tree')
    const listed = (await ok('ls', '-R', '/tree', '--json')).json() as { path: string, kind: string }[]
    expect(listed.map(({ path, kind }) => `${kind} ${path}`)).toEqual(['directory /tree/deep', 'directory /tree/deep/empty', 'file /tree/deep/f', 'link /tree/link'])
    await ok('get', '/tree', 'out')
    expect(await readlink(join(local, 'out', 'link'))).toBe('deep/f')
    expect((await stat(join(local, 'out', 'deep', 'f'))).size).toBe(100_000)
    expect((await stat(join(local, 'out', 'deep', 'empty'))).isDirectory()).toBe(true)
  })

  test('CLI standard input is stored with put -', async () => {
    const ran = await run(['put', '-', '/piped.txt', '--json'], [Buffer.from('from '), Buffer.from('a pipe')])
    expect(ran.json()).toMatchObject({ path: '/piped.txt', size: 11 })
    expect((await ok('cat', 'piped.txt')).out).toBe('from a pipe')
    expect((await run(['put', '-', '/'])).code).toBe(2)
  })

  test('CLI mkdir wants the parent, -p makes it', async () => {
    expect((await run(['mkdir', '/m/n'])).code).toBe(1)
    expect((await ok('mkdir', '-p', '/m/n', '--json')).json()).toMatchObject({ path: '/m/n', kind: 'directory' })
    await ok('mkdir', '-p', '/m/n')
    expect((await run(['mkdir', '/m/n'])).err).toMatch(/exists already/)
  })

  test('CLI mv keeps the id, goes into a directory, replaces a file by way of the trash', async () => {
    for (const name of ['p', 'q']) await run(['put', '-', `/mv/${name}`], [Buffer.from(name)])
    const before = (await ok('stat', '/mv/p', '--json')).json() as { id: string }
    expect((await ok('mv', '/mv/p', '/mv/q', '--json')).json()).toMatchObject({ path: '/mv/q', id: before.id })
    expect((await ok('trash', '--json')).json()).toEqual(expect.arrayContaining([expect.objectContaining({ path: '/mv/q' })]))
    await ok('mkdir', '/mv/d')
    expect((await ok('mv', '/mv/q', '/mv/d', '--json')).json()).toMatchObject({ path: '/mv/d/q', id: before.id })
    expect((await run(['mv', '/mv/d', '/mv/d/q/x'])).code).toBe(1)
    expect((await run(['mv', '/mv/d', '/mv/nowhere/d'])).code).toBe(1)
    expect((await ok('mv', '/mv/d/q', '/mv/d/q', '--json')).json()).toMatchObject({ path: '/mv/d/q' })
  })

  test('CLI rm goes to the trash and comes back; a directory wants -r', async () => {
    await run(['put', '-', '/rm/f'], [Buffer.from('f')])
    expect((await run(['rm', '/rm'])).err).toMatch(/-r/)
    expect((await ok('rm', '-r', '/rm', '--json')).json()).toMatchObject({ path: '/rm', removed: true })
    expect((await run(['stat', '/rm'])).code).toBe(1)
    expect((await ok('trash', 'restore', '/rm', '--json')).json()).toMatchObject({ path: '/rm' })
    expect((await ok('cat', '/rm/f')).out).toBe('f')
    expect((await run(['rm', '-r', '/'])).code).toBe(1)
    expect((await run(['trash', 'restore', '/never'])).err).toMatch(/nothing in the trash/)
  })

  test('CLI log lists versions, restore brings one back or beside', async () => {
    for (const text of ['one', 'two']) await run(['put', '-', '/v'], [Buffer.from(text)])
    const versions = (await ok('log', '/v', '--json')).json() as { version: string, current: boolean, size: number }[]
    expect(versions.map(version => version.current)).toEqual([true, false])
    const old = versions[1]!.version
    expect((await ok('restore', '/v', '--version', old, '--to', '/v-old', '--json')).json()).toMatchObject({ path: '/v-old' })
    expect([(await ok('cat', '/v-old')).out, (await ok('cat', '/v')).out]).toEqual(['one', 'two'])
    await ok('restore', '/v', '--version', old.slice(-12))
    expect((await ok('cat', '/v')).out).toBe('one')
    expect((await run(['restore', '/v', '--version', 'zzz'])).code).toBe(1)
  })

  test('CLI export writes everything into an empty directory only', async () => {
    const { entries, bytes } = (await ok('export', 'all', '--json')).json() as { entries: number, bytes: number }
    const listed = (await ok('ls', '-R', '--json')).json() as { kind: string, size: number }[]
    expect(entries).toBe(listed.length)
    expect(bytes).toBe(listed.filter(entry => entry.kind === 'file').reduce((sum, entry) => sum + entry.size, 0))
    expect((await lstat(join(local, 'all', 'tree', 'link'))).isSymbolicLink()).toBe(true)
    expect((await readdir(join(local, 'all'))).some(name => name.includes('.part'))).toBe(false)
    expect((await run(['export', 'all'])).err).toMatch(/not empty/)
  })

  test('CLI status says that no node is paired, and has the fields that scripts read', async () => {
    expect((await ok('status')).out).toMatch(/on this device only: no node is paired/)
    expect((await ok('status', '--json')).json()).toMatchObject({
      account: expect.any(String), device: expect.any(String), nodes: [],
      vaults: [{ id: expect.any(String), name: expect.any(String), body: expect.any(String), entries: expect.any(Number), bytes: expect.any(Number), pendingBlocks: expect.any(Number), conflicts: 0 }]
    })
    expect((await ok('status', '/v', '--json')).json()).toMatchObject({ path: '/v', safeOn: 0, nodes: [] })
  })

  test('CLI verify finds everything good', async () => {
    expect((await ok('verify', '--json')).json()).toMatchObject({ blocks: expect.any(Number), bad: [], repaired: [] })
  })

  test('CLI devices and nodes are listed, and the device itself cannot be shut out', async () => {
    const [device] = (await ok('devices', '--json')).json() as { id: string, current: boolean }[]
    expect(device).toMatchObject({ current: true, id: client!.device })
    expect((await run(['devices', 'revoke', device!.id])).err).toMatch(/itself/)
    expect((await run(['devices', 'revoke', 'f'.repeat(64)])).code).toBe(1)
    expect((await ok('nodes', '--json')).json()).toEqual([])
    expect((await run(['nodes', 'remove', 'http://127.0.0.1:9'])).code).toBe(1)
    expect((await run(['pair', 'ftp://x'])).code).toBe(2)
  })

  test('CLI what is not there is one line with a remedy, and --json has its name', async () => {
    const ran = await run(['cat', '/nothing'])
    expect(ran.err).toMatch(/^holdfast: .*\/nothing.*\n$/)
    expect(JSON.parse((await run(['cat', '/nothing', '--json'])).err)).toMatchObject({ error: { name: 'NotFoundError', family: 'invalid' } })
    expect((await run(['put', 'missing', '/x'])).err).toMatch(/missing: there is no such file/)
    expect((await run(['cat', '/tree'])).err).toMatch(/is a directory/)
  })
})

import type { FileEntry, Filesystem } from '@holdfast/filesystem'
import type { EntryId } from '@holdfast/protocol'
import { lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { requireEmptyDirectory, writeLocalFile } from './local-files.js'
import { materialise, type Materialised } from './materialise.js'

let directory: string
beforeEach(async () => { directory = await mkdtemp(join(tmpdir(), 'hf-')) })
afterEach(async () => { await rm(directory, { recursive: true, force: true }) })
const signal = new AbortController().signal

type Source = Record<string, string | null | { link: string } | Error>

/** A vault as its path view shows it, whatever a hostile member wrote into it. */
function vaultOf (source: Source): Filesystem {
  const entry = (path: string): FileEntry => {
    const content = source[path]
    const common = { path, id: '0'.repeat(32) as EntryId, modified: 1_600_000_000_000, mode: 0o754, versions: 1, conflicts: 0 }
    if (content === null) return { ...common, kind: 'directory', size: 0 }
    if (typeof content === 'object' && 'link' in content) return { ...common, kind: 'link', size: 0, target: content.link }
    return { ...common, kind: 'file', size: typeof content === 'string' ? content.length : 0 }
  }
  const part = {
    walk: async function * () { for (const path of Object.keys(source)) yield entry(path) },
    read: async function * (path: string) {
      const content = source[path]
      if (content instanceof Error) throw content
      yield Buffer.from(content as string)
    }
  }
  return part as unknown as Filesystem
}

async function write (source: Source): Promise<Materialised & { told: string[] }> {
  const told: string[] = []
  const result = await materialise(vaultOf(source), '/', join(directory, 'out'), { signal, onBytes: () => undefined, onFailure: async path => { told.push(path) } })
  return { ...result, told }
}

describe('plain files from a vault', () => {
  test('CLI files, directories and links with their modes and times', async () => {
    expect(await write({ '/d': null, '/d/f': 'abc', '/l': { link: 'd/f' } })).toMatchObject({ entries: 3, bytes: 3, failures: 0 })
    const file = await stat(join(directory, 'out/d/f'))
    expect([file.mode & 0o777, file.mtimeMs]).toEqual([0o754, 1_600_000_000_000])
    const inside = await stat(join(directory, 'out/d'))
    expect([inside.mode & 0o777, inside.mtimeMs]).toEqual([0o754, 1_600_000_000_000])
    expect((await lstat(join(directory, 'out/l'))).isSymbolicLink()).toBe(true)
  })

  test('CLI names that would lead out of the directory are refused and told', async () => {
    const { told, entries } = await write({ '/..': 'x', '/.': 'x', '/d': null, '/d/..': null, '/d/../../evil': 'x', '/good': 'x' })
    expect(entries).toBe(2)
    expect(told.sort()).toEqual(['/.', '/..', '/d/..', '/d/../../evil'])
    expect((await readdir(directory)).sort()).toEqual(['out'])
    expect((await readdir(join(directory, 'out'))).sort()).toEqual(['d', 'good'])
  })

  test('CLI a link never leads a later file elsewhere', async () => {
    await mkdir(join(directory, 'outside'))
    await write({ '/a': { link: '../outside' }, '/a/f': 'x', '/b': 'x' })
    expect(await readdir(join(directory, 'outside'))).toEqual([])
  })

  test('CLI what cannot be read is left out without a trace, and the rest is there', async () => {
    const { told, entries, failures } = await write({ '/a': 'x', '/b': new Error('gone'), '/c': 'x' })
    expect([told, entries, failures]).toEqual([['/b'], 2, 1])
    expect((await readdir(join(directory, 'out'))).sort()).toEqual(['a', 'c'])
  })

  test('CLI a name that the disk has already gets a number', async () => {
    await mkdir(join(directory, 'out'))
    await writeFile(join(directory, 'out', 'a.txt'), 'mine')
    await write({ '/a.txt': 'theirs' })
    expect(await readFile(join(directory, 'out', 'a.txt'), 'utf8')).toBe('mine')
    expect(await readFile(join(directory, 'out', 'a (2).txt'), 'utf8')).toBe('theirs')
  })
})

describe('a file on disk', () => {
  const facts = { mode: 0o600, modified: 5_000 }
  const broken = async function * (): AsyncGenerator<Uint8Array> { yield Buffer.from('half'); throw new Error('broke') }

  test('CLI a file that breaks off leaves the old one, and nothing beside it', async () => {
    const path = join(directory, 'f')
    await writeFile(path, 'old')
    await expect(writeLocalFile(path, broken(), facts, { signal })).rejects.toThrow('broke')
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await readdir(directory)).toEqual(['f'])
  })

  test('CLI a link in the way is replaced, not followed', async () => {
    await writeFile(join(directory, 'target'), 'untouched')
    await symlink('target', join(directory, 'f'))
    await writeLocalFile(join(directory, 'f'), (async function * () { yield Buffer.from('new') })(), facts, { signal })
    expect(await readFile(join(directory, 'target'), 'utf8')).toBe('untouched')
    expect((await lstat(join(directory, 'f'))).isFile()).toBe(true)
  })

  test('CLI Ctrl-C ends a transfer', async () => {
    const abort = new AbortController()
    const endless = async function * (): AsyncGenerator<Uint8Array> { for (;;) { yield Buffer.from('x'); abort.abort() } }
    await expect(writeLocalFile(join(directory, 'f'), endless(), facts, { signal: abort.signal })).rejects.toThrow()
    expect(await readdir(directory)).toEqual([])
  })

  test('CLI only an empty or new directory is exported into', async () => {
    await requireEmptyDirectory(join(directory, 'new'))
    await requireEmptyDirectory(directory)
    await writeFile(join(directory, '.hidden'), '')
    await expect(requireEmptyDirectory(directory)).rejects.toThrow(/not empty/)
    await expect(requireEmptyDirectory(join(directory, '.hidden'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  })
})

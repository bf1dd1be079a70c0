import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readFile, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  createDevice, createSandbox, differingTimes, eventually, eventuallySame, findForms, findInFiles, formsOf, readTree, startNode, startRecordingProxy, writeTree,
  type RecordingProxy, type Sandbox, type TestDevice, type TestNode, type Tree
} from './harness/index.js'

const PACKAGES = join(import.meta.dirname, '../../node_modules/.pnpm')
const PLANTED_TEXTS = ['what nobody but the family may ever read 7c1f', 'Geheimnis über die Ægäis 93ab', 'planted-target-of-a-link']
const PLANTED_NAMES = ['planted name with spaces.txt', 'planted-Überraschung-日本.md', 'planted-empty-directory', 'planted-link-a81']

let sandbox: Sandbox
let node: TestNode
let one: TestDevice
let two: TestDevice
let left: string
let right: string
let proxy: RecordingProxy | undefined
let phrase: string
beforeEach(async () => {
  sandbox = await createSandbox()
  node = await startNode(sandbox)
  one = createDevice(sandbox, 'one')
  two = createDevice(sandbox, 'two')
  left = await sandbox.make('left')
  right = await sandbox.make('right')
  phrase = await one.create()
})
afterEach(async () => {
  await sandbox.close()
  await proxy?.close()
  proxy = undefined
})

/** Both devices use the node, as it is reached there. */
async function pairBoth (through: TestNode = node): Promise<void> {
  await one.pair(through)
  await two.restore(phrase, through)
}
const bodies = async (): Promise<(string | undefined)[]> => Promise.all([one, two].map(async device => (await device.status()).vaults[0]?.body))
const sameBody = async (): Promise<void> => {
  await eventually(async () => { const [a, b] = await bodies(); return a !== undefined && a === b }, { what: 'both devices print the same body', within: 30_000 })
}
const hashOf = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** Real packages, some 1,500 files, and what packages do not have. */
async function makeRealTree (directory: string): Promise<void> {
  let files = 0
  for (const name of (await readdir(PACKAGES)).filter(name => /^(@libp2p|multiformats|fast-check|uint8)/.test(name)).sort()) {
    const inner = join(PACKAGES, name, 'node_modules', name.slice(0, name.indexOf('@', 1)).replace('+', '/'))
    if (files >= 1_500 || !existsSync(inner)) continue
    await cp(inner, join(directory, 'packages', name.split('_')[0]!), { recursive: true, preserveTimestamps: true })
    files += (await readdir(inner, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile()).length
  }
  expect(files).toBeGreaterThan(1_400)
  await writeTree(directory, {
    [`documents/${PLANTED_NAMES[0]}`]: PLANTED_TEXTS[0]!,
    [`documents/${PLANTED_NAMES[1]}`]: `${PLANTED_TEXTS[1]}\n`.repeat(40),
    [`documents/${PLANTED_NAMES[2]}`]: null,
    [PLANTED_NAMES[3]!]: { link: `documents/${PLANTED_TEXTS[2]}` },
    'documents/link to a directory': { link: '../packages' },
    'documents/empty': '', 'documents/\u00fcber/\u{1f600} smile': '😀', 'large.bin': randomBytes(5_000_000), 'bin/run': '#!/bin/sh\n', 'private.key': 'k', 'Case.txt': 'upper', 'case.txt': 'lower'
  })
  await chmod(join(directory, 'bin/run'), 0o755)
  await chmod(join(directory, 'private.key'), 0o600)
  await chmod(join(directory, 'bin'), 0o700)
  await utimes(join(directory, 'large.bin'), 1_600_000_000.123, 1_600_000_000.123)
  await utimes(join(directory, 'documents/empty'), 1, 1.001)
}

describe('two homes and a node between them', () => {
  test('MAIN a real tree appears at the other, to the bit, and the node learns neither a name nor a word', async () => {
    proxy = await startRecordingProxy(node)
    await makeRealTree(left)
    await pairBoth(proxy.node)
    await one.mirrorOnce(left, { within: 60_000 })
    await two.mirrorOnce(right, { within: 60_000 })
    const [here, there] = [await readTree(left), await readTree(right)]
    expect(there).toEqual(here)
    expect(await differingTimes(left, right, here)).toEqual([])
    expect(new Set(await bodies()).size).toBe(1)

    const forms = formsOf([...PLANTED_NAMES, ...PLANTED_TEXTS])
    // That what is looked for would be found, and that the proxy saw what went to the node.
    expect(new Set((await findInFiles(left, formsOf(PLANTED_TEXTS.slice(0, 2)))).found.map(what => what.split(' as ')[0]))).toEqual(new Set(PLANTED_TEXTS.slice(0, 2)))
    const wire = proxy.recorded().flatMap(({ sent, received }) => [sent, received])
    expect(wire.some(bytes => findForms(bytes, formsOf(['/api/v1/'])).length > 0)).toBe(true)
    expect(wire.reduce((sum, bytes) => sum + bytes.length, 0)).toBeGreaterThan(10_000_000)
    expect(wire.flatMap(bytes => findForms(bytes, forms))).toEqual([])
    const kept = await findInFiles(node.dataDirectory, forms)
    expect(kept.found).toEqual([])
    expect(kept.bytes).toBeGreaterThan(5_000_000)
  })

  test('MAIN one home deleted: the phrase and the node\'s address bring the whole tree back', async () => {
    await makeRealTree(left)
    await one.pair(node)
    await one.mirrorOnce(left, { within: 60_000 })
    const before = await readTree(left)
    await rm(one.home, { recursive: true })
    await two.restore(phrase, node)
    const exported = join(sandbox.directory, 'exported')
    const { entries } = await two.json<{ entries: number }>(['export', exported])
    expect(entries).toBe(Object.keys(before).length)
    expect(await readTree(exported)).toEqual(before)
    expect(await differingTimes(left, exported, before)).toEqual([])
  })

  test('MAIN while both mirrors run, a save travels', async () => {
    await pairBoth()
    await writeTree(left, { 'note.txt': 'first' })
    await one.mirror(left)
    await two.mirror(right)
    await eventuallySame(left, right)
    const took: number[] = []
    for (let edit = 0; edit < 10; edit++) {
      const [from, to] = edit % 2 === 0 ? [left, right] : [right, left]
      const text = `edit ${edit}`
      const begun = performance.now()
      await writeFile(join(from, 'note.txt'), text)
      await eventually(async () => await readFile(join(to, 'note.txt'), 'utf8') === text, { what: `${text} arrives`, within: 20_000, longestPause: 5 })
      took.push(performance.now() - begun)
    }
    console.log(`a save is at the other after ${took.sort((a, b) => a - b)[5]!.toFixed(0)} ms (median of 10; longest ${took.at(-1)!.toFixed(0)} ms)`)
    await sameBody()
  })
})

const LINES = Array.from({ length: 40 }, (_, line) => `line ${line}`)
const withLine = (line: number, text: string): string => `${LINES.map((old, index) => index === line ? text : old).join('\n')}\n`
const BASE_TEXT = `${LINES.join('\n')}\n`

/** What is there before both go their own ways. */
const BASE = {
  'apart.txt': BASE_TEXT, 'same-place.txt': BASE_TEXT, 'binary.dat': Uint8Array.of(0, 1, 2), 'a/in-a': 'in a', 'b/in-b': 'in b',
  'left-deletes.txt': 'left deletes this', 'right-deletes.txt': 'right deletes this', 'gone-at-both.txt': 'both delete this', 'renamed-at-both.txt': 'each gives it another name',
  'old-name/inside.txt': 'inside', 'deleted-tree/kept.txt': 'in a deleted tree', 'moved-and-edited.txt': 'one moves, one edits', 'elsewhere/x': 'x', 'becomes-directory': 'a file once',
  'swap-1': 'first of a swap', 'swap-2': 'second of a swap', 'mode.sh': '#!/bin/sh\n'
}
type Edits = Readonly<Record<string, string | Uint8Array>>
/** Contents that each writes while the other cannot see it. */
const LEFT: Edits = {
  'apart.txt': withLine(3, 'left was here'), 'same-place.txt': withLine(20, 'left says this'), 'binary.dat': Uint8Array.of(0, 1, 2, 3), 'right-deletes.txt': 'left edits what right deletes',
  'Notes.md': 'created by left', 'both-create.txt': 'left made this', 'moved-and-edited.txt': 'edited by left', 'becomes-directory/now': 'left made a directory of it', 'deleted-tree/new.txt': 'left creates in what right deletes'
}
const RIGHT: Edits = {
  'apart.txt': withLine(35, 'right was here'), 'same-place.txt': withLine(20, 'right says that'), 'binary.dat': Uint8Array.of(0, 9, 2), 'left-deletes.txt': 'right edits what left deletes',
  'notes.md': 'created by right', 'both-create.txt': 'right made that', 'old-name/created.txt': 'created in a directory that left renames', 'becomes-directory': 'right edits the file'
}

async function changeLeft (): Promise<void> {
  await rename(join(left, 'a'), join(left, 'b/a'))
  await rename(join(left, 'old-name'), join(left, 'new-name'))
  await rename(join(left, 'renamed-at-both.txt'), join(left, 'named-by-left.txt'))
  for (const path of ['left-deletes.txt', 'gone-at-both.txt', 'becomes-directory']) await rm(join(left, path))
  await rename(join(left, 'swap-1'), join(left, 'swap'))
  await rename(join(left, 'swap-2'), join(left, 'swap-1'))
  await rename(join(left, 'swap'), join(left, 'swap-2'))
  await chmod(join(left, 'mode.sh'), 0o755)
  await writeAll(left, LEFT)
}

async function changeRight (): Promise<void> {
  await rename(join(right, 'b'), join(right, 'a/b'))
  await rename(join(right, 'renamed-at-both.txt'), join(right, 'named-by-right.txt'))
  for (const path of ['right-deletes.txt', 'gone-at-both.txt', 'deleted-tree']) await rm(join(right, path), { recursive: true })
  await rename(join(right, 'moved-and-edited.txt'), join(right, 'elsewhere/moved-and-edited.txt'))
  await writeAll(right, RIGHT)
}

async function writeAll (directory: string, edits: Edits): Promise<void> {
  for (const [path, content] of Object.entries(edits)) {
    await mkdir(join(directory, path, '..'), { recursive: true })
    await writeFile(join(directory, path), content)
  }
}

describe('both stopped, both change, both start', () => {
  test('MAIN they end with one tree, both edits of a text are in it, and nothing that ever was is lost', async () => {
    await pairBoth()
    await writeTree(left, BASE)
    await one.mirrorOnce(left)
    await two.mirrorOnce(right)
    expect(await readTree(right)).toEqual(await readTree(left))
    await changeLeft()
    await changeRight()
    await one.mirror(left)
    await two.mirror(right)
    await sameBody()
    await eventuallySame(left, right)
    await sameBody()
    const tree = await readTree(right)
    await expectMerged(tree)
    await expectNothingLost()
  })
})

async function expectMerged (tree: Tree): Promise<void> {
  const text = async (path: string): Promise<string> => readFile(join(right, path), 'utf8')
  expect(await text('apart.txt')).toBe(withLine(3, 'left was here').replace('line 35\n', 'right was here\n'))
  const both = (await text('same-place.txt')).split('\n')
  expect(both).toEqual(expect.arrayContaining(['left says this', 'right says that', 'line 19', 'line 21']))
  expect(both).toHaveLength(LINES.length + 2)
  expect(await text('left-deletes.txt')).toBe('right edits what left deletes')
  expect(await text('right-deletes.txt')).toBe('left edits what right deletes')
  expect(await text('deleted-tree/new.txt')).toBe('left creates in what right deletes')
  expect(await text('elsewhere/moved-and-edited.txt')).toBe('edited by left')
  expect([await text('new-name/created.txt'), await text('new-name/inside.txt')]).toEqual(['created in a directory that left renames', 'inside'])
  expect([await text('swap-1'), await text('swap-2')]).toEqual(['second of a swap', 'first of a swap'])
  expect(tree['mode.sh']).toMatch(/^file 755 /)
  for (const gone of ['gone-at-both.txt', 'old-name', 'renamed-at-both.txt', 'moved-and-edited.txt', 'deleted-tree/kept.txt']) expect(tree).not.toHaveProperty([gone])
  // One of two names, and one of two moves that would put each directory into the other.
  expect(Object.keys(tree).filter(path => path.startsWith('named-by-'))).toHaveLength(1)
  expect([tree['a/b/in-b'] !== undefined && tree['a/in-a'] !== undefined, tree['b/a/in-a'] !== undefined && tree['b/in-b'] !== undefined].filter(Boolean)).toHaveLength(1)
  const shown = new Set(Object.values(tree).map(facts => facts.split(' ').at(-1)))
  for (const text of ['created by left', 'created by right', 'left made a directory of it', 'right edits the file']) expect(shown, text).toContain(hashOf(text))
  const versions = async (path: string): Promise<number> => (await one.json<unknown[]>(['log', path])).length
  // The first, an edit of each, and what merging made of them; of what cannot be merged, no merged one.
  expect([await versions('/apart.txt'), await versions('/same-place.txt'), await versions('/binary.dat')]).toEqual([4, 4, 3])
}

/** Takes everything out of the trash and out of every file's history, and looks for each content that ever was. */
async function expectNothingLost (): Promise<void> {
  for (const { id } of await one.json<{ id: string }[]>(['trash'])) await one.ok(['trash', 'restore', id])
  const files = (await one.list()).filter(entry => entry.kind === 'file')
  let restored = 0
  for (const { path } of files) {
    const versions = await one.json<{ version: string, current: boolean }[]>(['log', path])
    for (const { version } of versions.length > 1 ? versions : []) await one.ok(['restore', path, '--version', version, '--to', `/versions/${restored++}`])
  }
  await one.ok(['export', join(sandbox.directory, 'exported')])
  const found = new Set(Object.values(await readTree(join(sandbox.directory, 'exported'))).map(facts => facts.split(' ').at(-1)))
  const lost = [BASE, LEFT, RIGHT].flatMap(contents => Object.entries(contents)).filter(([, content]) => !found.has(hashOf(content)))
  expect(lost).toEqual([])
}

import * as Automerge from '@automerge/automerge'
import { CorruptBlockError, TRASH_ENTRY, pageId, type EntryId } from '@holdfast/protocol'
import { expect, test } from 'vitest'
import { deviceOf, directory, file, filled, idOf } from '../testing/vault-model.js'
import { encodeContent, encodePlace } from './codec.js'
import { changeHash, createPage, loadPage } from './page.js'
import type { PageWrite } from './page-types.js'
import { encodeSnapshot, pageSnapshot, readSnapshot } from './snapshot.js'
import type { Place, Registers, Stamp } from './registers.js'

const PAGE = pageId(filled(16, 1))
const actor = (number: number): Uint8Array => filled(16, 0xac, number)
const stamp = (when: number, by = 1): Stamp => ({ when, by: deviceOf(by), seq: when })
const place = (when: number, name: string, by = 1): Place => ({ parent: idOf(500), name, stamp: stamp(when, by), before: null, seen: null })
const create = (number: number, when = number, by = 1): PageWrite => ({ entry: idOf(number), place: place(when, `name ${number}`, by), content: file(stamp(when, by), number % 250) })
const names = (registers: Registers): string[] => registers.places.map(one => one.name).sort()
const plain = ({ places, contents }: Registers): Registers => ({ places, contents })

test('MAN-2 what is written is read, on the page that wrote it and on one that got the change', () => {
  const [ours, theirs] = [createPage(PAGE, actor(1)), createPage(PAGE, actor(2))]
  const first = ours.change([create(1), create(2)])
  expect(theirs.apply([first]).sort()).toEqual([idOf(1), idOf(2)])
  const second = ours.change([{ entry: idOf(2), place: place(9, 'renamed') }, create(3)])
  expect(theirs.apply([second]).sort()).toEqual([idOf(2), idOf(3)])
  for (const page of [ours, theirs]) {
    expect(page.size).toBe(3)
    expect([...page.entries()].sort()).toEqual([idOf(1), idOf(2), idOf(3)])
    expect(names(page.registers(idOf(2)))).toEqual(['renamed'])
    expect(page.registers(idOf(2)).contents).toEqual([file(stamp(2), 2)])
    expect(plain(page.registers(idOf(4)))).toEqual({ places: [], contents: [] })
  }
  expect(ours.heads()).toEqual(theirs.heads())
  expect(Automerge.decodeChange(second)).toMatchObject({ time: 0, hash: changeHash(second) })
})

test('MAN-2 concurrent values of a register are all there, until someone who knows them writes again', () => {
  const pages = [1, 2, 3].map(number => createPage(PAGE, actor(number)))
  const [a, b, c] = pages as [typeof pages[0], typeof pages[0], typeof pages[0]]
  const made = a.change([create(1)])
  for (const page of [b, c]) page.apply([made])
  const changes = pages.map((page, i) => page.change([{ entry: idOf(1), place: place(10 + i, `by ${i}`, i + 1) }]))
  expect(a.apply(changes)).toEqual([idOf(1)])
  expect(names(a.registers(idOf(1)))).toEqual(['by 0', 'by 1', 'by 2'])
  const settled = a.change([{ entry: idOf(1), place: place(20, 'settled') }])
  for (const page of [b, c]) page.apply([...changes, settled])
  for (const page of pages) expect(names(page.registers(idOf(1)))).toEqual(['settled'])
})

test('MAN-2 equal concurrent values are one', () => {
  const [a, b] = [createPage(PAGE, actor(1)), createPage(PAGE, actor(2))]
  const [fromA, fromB] = [a.change([create(1)]), b.change([create(1)])]
  a.apply([fromB])
  b.apply([fromA])
  for (const page of [a, b]) expect(page.registers(idOf(1)).places).toHaveLength(1)
})

test('MAN-2 changes come in any order and more than once; those that wait survive saving', () => {
  const source = createPage(PAGE, actor(1))
  const [first, second, third] = [1, 2, 3].map(number => source.change([create(1, number), create(number + 1, number)])) as [Uint8Array, Uint8Array, Uint8Array]
  const page = createPage(PAGE, actor(2))
  expect(page.apply([third])).toEqual([])
  expect(page.pendingDependencies()).toBe(true)
  const copy = loadPage(PAGE, actor(3), page.save(), [second])
  expect(copy.pendingDependencies()).toBe(true)
  for (const one of [page, copy]) {
    expect(one.apply([first, second]).sort()).toEqual([idOf(1), idOf(2), idOf(3), idOf(4)])
    expect(one.pendingDependencies()).toBe(false)
    expect(one.apply([third, first, third])).toEqual([])
    expect(one.heads()).toEqual(source.heads())
  }
})

test('MAN-2 a saved page loads as it was, conflicts included, and can be written on', () => {
  const [a, b] = [createPage(PAGE, actor(1)), createPage(PAGE, actor(2))]
  a.apply([b.change([create(1, 4, 2)]), a.change([create(1, 3), create(2)])])
  const tail = b.change([create(3, 5, 2)])
  const loaded = loadPage(PAGE, actor(1), a.save(), [tail])
  expect(loaded.size).toBe(3)
  expect(plain(loaded.registers(idOf(1)))).toEqual(plain(a.registers(idOf(1))))
  expect(loaded.registers(idOf(1)).places).toHaveLength(2)
  const next = loaded.change([create(4)])
  b.apply([next, ...Automerge.getAllChanges(Automerge.load(a.save()))])
  expect(b.registers(idOf(4)).places).toHaveLength(1)
  expect(() => loadPage(PAGE, actor(1), Uint8Array.of(1, 2, 3))).toThrow(CorruptBlockError)
})

test('MAN-2 a snapshot gives back all registers without Automerge', () => {
  const [a, b] = [createPage(PAGE, actor(1)), createPage(PAGE, actor(2))]
  a.apply([b.change([create(1, 4, 2)]), a.change([create(1, 3), create(2), { entry: idOf(3), place: { ...place(7, 'gone'), parent: TRASH_ENTRY, seen: { [deviceOf(1)]: 7 } } }])])
  const snapshot = pageSnapshot(a)
  const read = [...readSnapshot(snapshot)]
  expect(read.map(([id, registers]) => [id, plain(registers)])).toEqual([...a.entries()].map(id => [id, plain(a.registers(id))]))
  expect(encodeSnapshot(read)).toEqual(snapshot)
  for (const bad of [snapshot.slice(0, -1), new Uint8Array([...snapshot, 0]), snapshot.slice(0, 3), new Uint8Array()]) expect(() => [...readSnapshot(bad)]).toThrow(CorruptBlockError)
  expect(() => [...readSnapshot(snapshot.with(0, 7))]).toThrow(expect.objectContaining({ name: 'UnknownVersionError' }))
})

test('LOG-1 changes that Automerge refuses leave the page as it was', () => {
  const page = createPage(PAGE, actor(1))
  page.change([create(1)])
  const other = createPage(PAGE, actor(2))
  const good = other.change([create(2)])
  const twin = createPage(PAGE, actor(2)).change([create(3)])
  page.apply([good])
  const before = page.heads()
  const more = createPage(PAGE, actor(3)).change([create(4)])
  for (const bad of [Uint8Array.of(1, 2, 3), good.slice(0, -4), twin]) {
    expect(() => page.apply([more, bad])).toThrow(CorruptBlockError)
    expect(page.heads()).toEqual(before)
    expect(page.size).toBe(2)
  }
  expect(() => changeHash(Uint8Array.of(1, 2, 3))).toThrow(CorruptBlockError)
  expect(page.apply([more])).toEqual([idOf(4)])
})

test('LOG-1 what is no register of ours is left out of what is shown, and disturbs nothing', () => {
  const page = createPage(PAGE, actor(1))
  const ours = page.change([create(1), create(2)])
  let hostile = Automerge.applyChanges(Automerge.init<Record<string, unknown>>({ actor: '77'.repeat(16) }), [ours])[0]
  const write = (key: string, value: unknown): void => { hostile = Automerge.change(hostile, { time: 0 }, document => { document[key] = value }) }
  write(`${idOf(1)}p`, { nested: { deeply: true } })
  write(`${idOf(2)}c`, new Uint8Array([1, 2, 3]))
  write(`${idOf(2)}p`, encodePlace(place(3, 'fine')).with(0, 2))
  write(`${idOf(5)}p`, 42)
  write('text', 'of some length')
  write('__proto__x', ['a', 'list'])
  write(`${TRASH_ENTRY}p`, encodePlace(place(3, 'the trash itself')))
  write(`${idOf(6)}p`, encodePlace(place(3, 'fine')))
  write(`${idOf(6)}c`, encodeContent(directory(stamp(3))))
  page.apply(Automerge.getAllChanges(hostile))
  expect([...page.entries()].sort()).toEqual([1, 2, 5, 6].map(idOf))
  expect(plain(page.registers(idOf(1)))).toEqual({ places: [], contents: [file(stamp(1), 1)] })
  expect(plain(page.registers(idOf(2)))).toEqual({ places: [], contents: [] })
  expect(names(page.registers(idOf(6)))).toEqual(['fine'])
  expect(page.registers(TRASH_ENTRY).places).toHaveLength(0)
  expect(names(loadPage(PAGE, actor(4), page.save()).registers(idOf(6)))).toEqual(['fine'])
})

test('MAN-1 a page refuses to write what cannot be', () => {
  const page = createPage(PAGE, actor(1))
  const invalid = expect.objectContaining({ name: 'InvalidArgumentError' }) as Error
  expect(() => page.change([])).toThrow(invalid)
  expect(() => page.change([{ entry: idOf(1) }])).toThrow(invalid)
  expect(() => page.change([{ entry: TRASH_ENTRY, place: place(1, 'x') }])).toThrow(invalid)
  expect(() => page.change([{ entry: 'not an id' as EntryId, place: place(1, 'x') }])).toThrow(invalid)
  expect(() => page.change([create(1), { entry: idOf(2), place: place(1, 'a/b') }])).toThrow(invalid)
  expect(page.heads()).toEqual([])
  page.change([create(1)])
  expect(() => page.change([create(1)])).toThrow(invalid)
})

test('MAN-2 a page of 2,000 entries, written at once, takes well under a second', () => {
  const writes = Array.from({ length: 2_000 }, (_, i) => create(i))
  const began = performance.now()
  const change = createPage(PAGE, actor(1)).change(writes)
  const page = createPage(PAGE, actor(2))
  expect(page.apply([change])).toHaveLength(2_000)
  for (const id of page.entries()) expect(page.registers(id).places).toHaveLength(1)
  // It takes a tenth of that on an idle machine.
  expect(performance.now() - began).toBeLessThan(2_500)
})

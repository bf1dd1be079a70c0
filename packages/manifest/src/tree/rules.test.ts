import { ROOT_ENTRY, TRASH_ENTRY, type EntryId } from '@holdfast/protocol'
import { expect, test } from 'vitest'
import { deviceOf, directory, file, idOf, link, version } from '../../testing/vault-model.js'
import { encodeContent, encodePlace } from '../codec.js'
import { joinRegisters } from '../packed-registers.js'
import type { EntryContent, Place, Registers, Stamp } from '../registers.js'
import { createTreeIndex } from './tree-index.js'
import type { TreeChange, TreeIndex } from './types.js'

/** A stamp: when, by which device, and its counter (the same number, unless said). */
const at = (when: number, by = 1, seq = when): Stamp => ({ when, by: deviceOf(by), seq })
const place = (stamp: Stamp, parent: EntryId, name: string, before: Place['before'] = null): Place => ({ parent, name, stamp, before, seen: null })
const deleted = (stamp: Stamp, before: Place['before'], seen: Record<number, number>): Place =>
  ({ parent: TRASH_ENTRY, name: before?.name ?? 'x', stamp, before, seen: Object.fromEntries(Object.entries(seen).map(([by, counter]) => [deviceOf(Number(by)), counter])) })
const entry = (places: Place | Place[], contents: EntryContent | EntryContent[]): Registers => ({ places: [places].flat(), contents: [contents].flat() })
const indexOf = (...entries: [EntryId, Registers][]): TreeIndex => { const index = createTreeIndex(); index.update(entries); return index }
const paths = (index: TreeIndex): string[] => [...index.walk()].map(one => index.path(one.id)!)
const inTrash = (index: TreeIndex): string[] => index.trash().map(one => `${one.before?.name ?? '?'}: ${[...index.walk(one.id)].map(below => below.name).join()}`)
const summary = (changes: readonly TreeChange[]): string[] => changes.map(({ before, after }) => `${before?.path ?? ''} > ${after?.path ?? ''}`).sort((a, b) => a < b ? -1 : 1)
const [A, B, C, D, E] = [1, 2, 3, 4, 5].map(idOf) as [EntryId, EntryId, EntryId, EntryId, EntryId]
const X: EntryId = idOf(900)

test('MAN-1 the place with the greatest stamp wins: when, then by whom, then counter, then bytes', () => {
  const alternatives = [place(at(1, 9, 9), ROOT_ENTRY, 'early'), place(at(2, 1, 9), ROOT_ENTRY, 'lesser device'), place(at(2, 2, 1), ROOT_ENTRY, 'lesser counter'), place(at(2, 2, 2), ROOT_ENTRY, 'a'), place(at(2, 2, 2), ROOT_ENTRY, 'b')]
  expect(paths(indexOf([A, entry(alternatives, file(at(1), 1))]))).toEqual(['/b'])
  expect(paths(indexOf([A, entry(alternatives.toReversed(), file(at(1), 1))]))).toEqual(['/b'])
})

test('MAN-3 of concurrent moves that form a cycle the later goes back to the place before', () => {
  const index = indexOf(
    [A, entry(place(at(5, 1), B, 'a', { parent: ROOT_ENTRY, name: 'a' }), directory(at(1)))],
    [B, entry(place(at(6, 2), A, 'b moved', { parent: ROOT_ENTRY, name: 'b' }), directory(at(1)))])
  expect(paths(index)).toEqual(['/b', '/b/a'])
})

test('MAN-3 a cycle that going back does not break ends at the root directory', () => {
  const index = indexOf(
    [A, entry(place(at(5, 1), B, 'a', { parent: ROOT_ENTRY, name: 'a' }), directory(at(1)))],
    [B, entry(place(at(6, 2), A, 'b', { parent: A, name: 'before its rename' }), directory(at(1)))],
    [C, entry(place(at(1), C, 'in itself'), directory(at(1)))],
    [D, entry(place(at(1), D, 'a file in itself'), file(at(1), 1))])
  expect(paths(index)).toEqual(['/a file in itself', '/b', '/b/a', '/in itself'])
})

test('MAN-3 of moves with equal stamps in a cycle the one with the greater id goes back', () => {
  const stamp: Stamp = { when: 5, by: null, seq: 0 }
  const cycle: [EntryId, Registers][] = [
    [A, entry(place(stamp, B, 'a', { parent: ROOT_ENTRY, name: 'a before' }), directory(at(1)))],
    [B, entry(place(stamp, A, 'b', { parent: ROOT_ENTRY, name: 'b before' }), directory(at(1)))]]
  for (const order of [cycle, cycle.toReversed()]) expect(paths(indexOf(...order))).toEqual(['/b before', '/b before/a'])
})

test('MAN-3 an entry waits for its directory, and appears with all below when that arrives', () => {
  const index = indexOf([B, entry(place(at(2), A, 'b'), directory(at(2)))], [C, entry(place(at(3), B, 'c'), file(at(3), 7))])
  expect([paths(index), index.size, index.get(C), index.path(C)]).toEqual([[], 0, undefined, undefined])
  expect(index.registers(C)!.places[0]!.name).toBe('c')
  expect(summary(index.update([[A, entry(place(at(1), ROOT_ENTRY, 'a'), directory(at(1)))]]))).toEqual([' > /a', ' > /a/b', ' > /a/b/c'])
  expect([index.size, index.bytes]).toEqual([3, 7])
})

test('MAN-3 an entry waits until both its registers have arrived', () => {
  const index = indexOf([A, entry(place(at(1), ROOT_ENTRY, 'a'), [])], [B, entry([], directory(at(1)))])
  expect(paths(index)).toEqual([])
  expect(summary(index.update([[A, entry(place(at(1), ROOT_ENTRY, 'a'), file(at(1), 1))]]))).toEqual([' > /a'])
})

test('MAN-3 an entry that loses a register takes what is in it out of sight, until it is back', () => {
  const index = indexOf([A, entry(place(at(1), ROOT_ENTRY, 'a'), directory(at(1)))], [B, entry(place(at(2), A, 'b'), file(at(2), 2))])
  expect(summary(index.update([[A, entry([], directory(at(1)))]]))).toEqual(['/a > '])
  expect([paths(index), index.size, index.get(B), index.trash()]).toEqual([[], 0, undefined, []])
  expect(summary(index.update([[A, entry(place(at(3), ROOT_ENTRY, 'a'), directory(at(1)))]]))).toEqual([' > /a', ' > /a/b'])
})

test('MAN-3 directories of one name are shown as one, and so are those in them; the earlier stands for both', () => {
  const index = indexOf(
    [A, entry(place(at(2, 1), ROOT_ENTRY, 'docs'), directory(at(2)))], [B, entry(place(at(1, 2), ROOT_ENTRY, 'docs'), directory(at(1)))],
    [C, entry(place(at(3, 1), A, 'sub'), directory(at(3)))], [D, entry(place(at(4, 2), B, 'sub'), directory(at(4)))],
    [E, entry(place(at(5, 2), D, 'file'), file(at(5), 1))], [X, entry(place(at(6, 1), A, 'other'), file(at(6), 2))])
  expect(paths(index)).toEqual(['/docs', '/docs/other', '/docs/sub', '/docs/sub/file'])
  expect(index.get(A)).toMatchObject({ id: B, united: [A] })
  expect(index.lookup('/docs/sub')).toMatchObject({ id: C, united: [D], parent: B })
  expect(index.children(A).map(one => one.name)).toEqual(['other', 'sub'])
  expect(index.path(D)).toBe('/docs/sub')
  expect(index.size).toBe(4)
  // Apart again: each takes its own with it.
  const changes = index.update([[A, entry(place(at(9), ROOT_ENTRY, 'mine', { parent: ROOT_ENTRY, name: 'docs' }), directory(at(2)))]])
  expect(paths(index)).toEqual(['/docs', '/docs/sub', '/docs/sub/file', '/mine', '/mine/other', '/mine/sub'])
  expect(changes.filter(change => change.after?.path === '/docs')).toEqual([expect.objectContaining({ id: B })])
})

test('MAN-3 of files of one name the first keeps it; a suffix skips what anyone wishes for', () => {
  const name = 'photo.tar.gz'
  const index = indexOf(
    [A, entry(place(at(3), ROOT_ENTRY, name), file(at(1), 1))], [B, entry(place(at(1), ROOT_ENTRY, name), file(at(1), 2))],
    [C, entry(place(at(2), ROOT_ENTRY, name), link(at(1), 'target'))], [D, entry(place(at(9), ROOT_ENTRY, 'photo.tar (2).gz'), file(at(1), 4))])
  expect([B, C, A, D].map(id => index.get(id)!.name)).toEqual([name, 'photo.tar (3).gz', 'photo.tar (4).gz', 'photo.tar (2).gz'])
  expect(index.get(A)!.wish).toBe(name)
  expect(index.lookup('/photo.tar (3).gz')!.id).toBe(C)
  // The wish is gone: the suffix is free for the next.
  expect(summary(index.update([[D, entry(place(at(10), ROOT_ENTRY, 'gone'), file(at(1), 4))]]))).toEqual([
    '/photo.tar (2).gz > /gone', '/photo.tar (3).gz > /photo.tar (2).gz', '/photo.tar (4).gz > /photo.tar (3).gz'])
})

test('MAN-3 a directory keeps its name before a file; the end of a name without extension, and of a hidden one', () => {
  const index = indexOf(
    [A, entry(place(at(1), ROOT_ENTRY, 'thing'), file(at(1), 1))], [B, entry(place(at(2), ROOT_ENTRY, 'thing'), directory(at(1)))],
    [C, entry(place(at(1), ROOT_ENTRY, '.env'), file(at(1), 3))], [D, entry(place(at(2), ROOT_ENTRY, '.env'), file(at(1), 4))])
  expect([A, B, C, D].map(id => index.path(id))).toEqual(['/thing (2)', '/thing', '/.env', '/.env (2)'])
})

test('MAN-3 a suffix never makes a name too long for a disk, and cuts no character in two', () => {
  const long = `${'é'.repeat(125)}.txt`
  const index = indexOf(...[1, 2, 3].map((i): [EntryId, Registers] => [idOf(i), entry(place(at(i), ROOT_ENTRY, long), file(at(1), i))]))
  const names = index.children(ROOT_ENTRY).map(one => one.name)
  expect(new Set(names).size).toBe(3)
  for (const name of names) expect(new TextEncoder().encode(name).length).toBeLessThanOrEqual(255)
  expect(names).toContain(`${'é'.repeat(123)} (2).txt`)
  expect(() => names.map(name => encodePlace(place(at(1), ROOT_ENTRY, name)))).not.toThrow()
})

test('MAN-3 names that only differ where a suffix cuts them get different suffixes, in the order of the names', () => {
  const [first, second] = ['a', 'b'].map(last => `${'x'.repeat(250)}${last}.txt`) as [string, string]
  const wishes = [second, second, first, first]
  const index = indexOf(...wishes.map((wish, i): [EntryId, Registers] => [idOf(i + 1), entry(place(at(i + 1), ROOT_ENTRY, wish), file(at(1), i))]))
  const cut = (number: number): string => `${'x'.repeat(247)} (${number}).txt`
  expect([A, B, C, D].map(id => index.get(id)!.name)).toEqual([second, cut(3), first, cut(2)])
})

test('MAN-3 files of one name and one content are one, with the versions of both', () => {
  const index = indexOf(
    [A, entry(place(at(1), ROOT_ENTRY, 'f'), [file(at(5), 1), file(at(4, 2), 2)])],
    [B, entry(place(at(2), ROOT_ENTRY, 'f'), file(at(6), 1, [version(at(1), 3)]))])
  expect(paths(index)).toEqual(['/f'])
  expect(index.lookup('/f')).toMatchObject({ id: A, united: [B] })
  expect(index.lookup('/f')!.versions.map(one => one.size)).toEqual([1, 2, 3])
  const [change] = index.update([[B, entry(place(at(2), ROOT_ENTRY, 'f'), file(at(6), 1, [version(at(1), 4)]))]])
  expect([change!.id, change!.before!.entry.versions.map(one => one.size), change!.after!.entry.versions.map(one => one.size)]).toEqual([A, [1, 2, 3], [1, 2, 4]])
  expect(summary(index.update([[B, entry(place(at(2), ROOT_ENTRY, 'f'), file(at(7), 9))]]))).toEqual([' > /f (2)', '/f > /f'])
})

test('MAN-3 names are exact: case and Unicode forms tell entries apart, sorted by their bytes', () => {
  const names = ['a', 'A', 'é', 'e\u0301', '\uffee', '\u{1f600}', 'B']
  const index = indexOf(...names.map((name, i): [EntryId, Registers] => [idOf(i + 1), entry(place(at(1), ROOT_ENTRY, name), file(at(1), i))]))
  const bytes = (text: string): string => Buffer.from(text).toString('hex')
  expect(index.children(ROOT_ENTRY).map(one => one.name)).toEqual([...names].sort((a, b) => bytes(a) < bytes(b) ? -1 : 1))
})

test('MAN-4 a deletion that had seen everything puts a directory with all below into the trash, in one change', () => {
  const home = { parent: ROOT_ENTRY, name: 'a' }
  const below: [EntryId, Registers][] = [[B, entry(place(at(2), A, 'b'), directory(at(2)))], [C, entry(place(at(3), B, 'c'), file(at(3), 7))]]
  const index = indexOf([A, entry(place(at(1), ROOT_ENTRY, 'a'), directory(at(1)))], ...below)
  expect(summary(index.update([[A, entry(deleted(at(9), home, { 1: 9 }), directory(at(1)))]]))).toEqual(['/a > '])
  expect([paths(index), index.size, index.bytes]).toEqual([[], 0, 0])
  expect(inTrash(index)).toEqual(['a: b,c'])
  expect(index.get(C)).toMatchObject({ trashed: true, parent: B, name: 'c', before: null })
  expect(index.get(A)).toMatchObject({ trashed: true, parent: TRASH_ENTRY, before: home })
  expect(index.path(C)).toBeUndefined()
  expect(summary(index.update([[A, entry(place(at(10), ROOT_ENTRY, 'again', home), directory(at(1)))]]))).toEqual([' > /again', ' > /again/b', ' > /again/b/c'])
  expect([index.trash(), index.size, index.bytes]).toEqual([[], 3, 7])
})

test('MAN-4 a file edited by someone whose edit the deleter had not seen stays, where it was', () => {
  const home = { parent: ROOT_ENTRY, name: 'f' }
  for (const [edit, gone] of [[at(5, 2, 3), false], [at(5, 2, 2), true], [{ when: 5, by: null, seq: 9 }, true]] as const) {
    const index = indexOf([A, entry(deleted(at(9), home, { 1: 9, 2: 2 }), [file(at(1), 1), file(edit, 2)])])
    expect(paths(index)).toEqual(gone ? [] : ['/f'])
  }
  expect(paths(indexOf([A, entry([deleted(at(9), home, { 1: 9 }), place(at(5, 2), ROOT_ENTRY, 'moved', home)], file(at(1), 1))]))).toEqual(['/moved'])
})

test('MAN-4 work inside a deleted directory brings it back around that work; the rest stays in the trash', () => {
  const index = indexOf(
    [A, entry(deleted(at(9), { parent: ROOT_ENTRY, name: 'a' }, { 1: 9 }), directory(at(1)))],
    [B, entry(place(at(2), A, 'sub'), directory(at(2)))], [C, entry(place(at(3), B, 'old.txt'), file(at(3), 3))], [D, entry(place(at(4), A, 'quiet'), directory(at(4)))])
  expect(inTrash(index)).toEqual(['a: quiet,sub,old.txt'])
  const changes = index.update([[E, entry(place(at(5, 2), B, 'new.txt'), file(at(5, 2), 5))]])
  expect(summary(changes)).toEqual([' > /a', ' > /a/sub', ' > /a/sub/new.txt'])
  expect(paths(index)).toEqual(['/a', '/a/sub', '/a/sub/new.txt'])
  expect(index.trash().map(one => [one.id, one.before])).toEqual([[C, { parent: B, name: 'old.txt' }], [D, { parent: A, name: 'quiet' }]])
  // What was new goes too: nothing is left to hold the directory.
  expect(summary(index.update([[E, entry(deleted(at(12), { parent: B, name: 'new.txt' }, { 1: 12, 2: 5 }), file(at(5, 2), 5))]]))).toEqual(['/a > '])
  expect(inTrash(index)).toEqual(['a: quiet,sub,old.txt', 'new.txt: '])
})

test('MAN-4 a directory moved into a deleted one unseen keeps all that is in it; new attributes alone save nothing', () => {
  const gone: [EntryId, Registers] = [A, entry(deleted(at(9), { parent: ROOT_ENTRY, name: 'a' }, { 1: 9 }), directory(at(1)))]
  const photos: [EntryId, Registers] = [C, entry(place(at(3), B, 'photo'), file(at(3), 3))]
  const moved = indexOf(gone, photos, [B, entry(place(at(5, 2), A, 'photos', { parent: ROOT_ENTRY, name: 'photos' }), directory(at(1)))])
  expect(paths(moved)).toEqual(['/a', '/a/photos', '/a/photos/photo'])
  const touched = indexOf(gone, photos, [B, entry(place(at(2), A, 'photos'), directory(at(5, 2)))])
  expect(paths(touched)).toEqual([])
})

test('MAN-4 deleted inside deleted: work survives only what had not seen it', () => {
  const outer = (seen: number): [EntryId, Registers] => [A, entry(deleted(at(9), { parent: ROOT_ENTRY, name: 'a' }, { 1: 9, 2: seen }), directory(at(1)))]
  const inner: [EntryId, Registers] = [B, entry(deleted(at(8), { parent: A, name: 'b' }, { 1: 8 }), directory(at(2)))]
  const edit: [EntryId, Registers] = [C, entry(place(at(3), B, 'c'), file(at(5, 2), 3))]
  expect(paths(indexOf(outer(0), inner, edit))).toEqual(['/a', '/a/b', '/a/b/c'])
  const seen = indexOf(outer(5), inner, edit)
  expect(paths(seen)).toEqual([])
  expect(inTrash(seen)).toEqual(['a: b,c'])
})

test('MAN-4 a deleted directory that was moved unseen by the deletion around it guards what is in it only with its own', () => {
  const index = indexOf(
    [A, entry(deleted(at(9), { parent: ROOT_ENTRY, name: 'a' }, { 1: 9, 3: 9 }), directory(at(1)))],
    [B, entry([deleted(at(8), { parent: A, name: 'b' }, { 1: 8, 2: 5 }), place(at(5, 2), A, 'b')], directory(at(1)))],
    [C, entry(place(at(2), B, 'c'), file(at(4, 3), 3))])
  expect(paths(index)).toEqual(['/a', '/a/b', '/a/b/c'])
})

test('MAN-4 a file that someone made of a directory unseen counts as work, and no longer when it is gone', () => {
  const home = { parent: ROOT_ENTRY, name: 'a' }
  const index = indexOf(
    [A, entry(deleted(at(9), home, { 1: 9 }), directory(at(1)))], [B, entry(place(at(2), A, 'b'), directory(at(2)))],
    [C, entry(place(at(3), A, 'old'), file(at(3), 3))])
  index.update([[B, entry(place(at(2), A, 'b'), [directory(at(2)), file(at(5, 2), 5)])]])
  expect(paths(index)).toEqual(['/a', '/a/b'])
  index.update([[A, entry(deleted(at(9), home, { 1: 9 }), [directory(at(1)), file(at(6, 3), 6)])]])
  expect(paths(index)).toEqual(['/a', '/a/b', '/a/old'])
  index.update([[A, entry(deleted(at(9), home, { 1: 9 }), directory(at(7)))]])
  expect(paths(index)).toEqual(['/a', '/a/b'])
  expect(inTrash(index)).toEqual(['old: '])
})

test('MAN-5 concurrent contents are versions, the winner first, each digest once; conflicts lists them', () => {
  const index = indexOf([A, entry(place(at(1), ROOT_ENTRY, 'f'), [file(at(5, 1), 1), file(at(6, 2), 2, [version(at(1), 3)]), file(at(4, 3), 1)])], [B, entry(place(at(1), ROOT_ENTRY, 'g'), file(at(1), 9))])
  const shown = index.lookup('/f')!
  expect(shown.content).toMatchObject({ size: 2 })
  expect(shown.versions.map(one => [one.size, one.stamp.when])).toEqual([[2, 6], [1, 5], [3, 1]])
  expect([...index.conflicts()].map(one => one.id)).toEqual([A])
  index.update([[A, entry(place(at(1), ROOT_ENTRY, 'f'), file(at(9), 2))]])
  expect([...index.conflicts()]).toEqual([])
  expect(index.lookup('/g')!.versions).toHaveLength(1)
})

test('MAN-3 an entry that someone made a directory of is one; what is in something else shows in the root directory', () => {
  const index = indexOf([A, entry(place(at(1), ROOT_ENTRY, 'a'), [directory(at(1)), file(at(9, 2), 4)])], [B, entry(place(at(2), A, 'b'), file(at(2), 1))])
  expect(paths(index)).toEqual(['/a', '/a/b'])
  expect(index.lookup('/a')!.versions.map(one => one.size)).toEqual([4])
  index.update([[A, entry(place(at(1), ROOT_ENTRY, 'a'), file(at(10), 4))]])
  expect(paths(index)).toEqual(['/a', '/b'])
  index.update([[A, entry(place(at(1), ROOT_ENTRY, 'a'), directory(at(11)))]])
  expect(paths(index)).toEqual(['/a', '/a/b'])
})

test('MAN-3 what does not change what is seen makes no change; swapped names are two', () => {
  const index = indexOf([A, entry(place(at(1), ROOT_ENTRY, 'a'), file(at(1), 1))], [B, entry(place(at(1), ROOT_ENTRY, 'b'), file(at(1), 2))])
  expect(index.update([[A, index.registers(A)!], [B, entry(place(at(7), ROOT_ENTRY, 'b'), file(at(1), 2))]])).toEqual([])
  expect(summary(index.update([[A, entry(place(at(8), ROOT_ENTRY, 'b'), file(at(1), 1))], [B, entry(place(at(8), ROOT_ENTRY, 'a'), file(at(1), 2))]]))).toEqual(['/a > /b', '/b > /a'])
})

test('MAN-3 the root directory is there; paths that lead nowhere are undefined; reserved ids are no entries', () => {
  const index = indexOf([A, entry(place(at(1), ROOT_ENTRY, 'a'), file(at(1), 1))], [ROOT_ENTRY, entry(place(at(1), A, 'root'), file(at(1), 1))], [TRASH_ENTRY, entry(place(at(1), A, 'trash'), file(at(1), 1))])
  expect(index.lookup('/')).toMatchObject({ id: ROOT_ENTRY, kind: 'directory', name: '', parent: ROOT_ENTRY, trashed: false })
  expect([index.path(ROOT_ENTRY), index.path(A)]).toEqual(['/', '/a'])
  for (const path of ['', 'a', '/a/', '//a', '/a/b', '/b', '/.']) expect(index.lookup(path)).toBeUndefined()
  expect([index.get(TRASH_ENTRY), index.get(X), index.children(X), [...index.walk(X)]]).toEqual([undefined, undefined, [], []])
  expect(paths(index)).toEqual(['/a'])
})

test('MAN-3 joined registers of an entry that is in two pages have the values of both', () => {
  const [one, two] = [entry(place(at(1), ROOT_ENTRY, 'a'), file(at(1), 1)), entry(place(at(2), ROOT_ENTRY, 'b'), file(at(1), 1))]
  const joined = [joinRegisters([one, two]), joinRegisters([two, one])]
  for (const registers of joined) {
    expect(registers.places.map(encodePlace)).toEqual([one, two].map(({ places }) => encodePlace(places[0]!)))
    expect(registers.contents.map(encodeContent)).toEqual(one.contents.map(encodeContent))
  }
})

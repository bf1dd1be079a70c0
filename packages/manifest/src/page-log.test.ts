import * as Automerge from '@automerge/automerge'
import { CorruptBlockError, pageId } from '@holdfast/protocol'
import { beforeAll, expect, test } from 'vitest'
import { deviceOf, file, filled, idOf, version } from '../testing/vault-model.js'
import { MAX_FRAGMENT_BYTES } from './page-log.js'
import { changeHash, createPage } from './page.js'
import type { Page, PageFragment } from './page-types.js'

const PAGE = pageId(filled(16, 1))
const newPage = (number: number): Page => createPage(PAGE, filled(16, 0xac, number))
const nothing = { changes: [], fragments: [] }
const summary = (fragments: readonly PageFragment[]): string[] => fragments.map(({ id, members }) => [id, ...members].join()).sort()

/** 1,200 changes by two devices that now and then hear from each other. */
const changes: Uint8Array[] = []
let hashes: string[] = []
const writers = [newPage(1), newPage(2)] as const
const later = newPage(3)

beforeAll(() => {
  for (let i = 0; i < 1_200; i++) {
    const writer = writers[i % 7 < 3 ? 0 : 1]
    changes.push(writer.change([{ entry: idOf(i % 60), content: file({ when: i, by: deviceOf(i % 7), seq: i }, i % 250) }]))
    if (i % 40 === 0) for (const other of writers) other.apply(changes.slice(-90))
  }
  for (const page of writers) page.apply(changes)
  later.apply([...changes].reverse())
  hashes = changes.map(changeHash)
})

test('LOG-2 fragments have the same boundaries on every device, whatever the order of arrival', () => {
  const fragments = later.log.compactable({ changes: hashes, fragments: [] })
  expect(fragments.length).toBeGreaterThan(1)
  for (const page of writers) expect(summary(page.log.compactable({ changes: hashes, fragments: [] }))).toEqual(summary(fragments))
  expect(fragments.every(fragment => fragment.members.every(member => hashes.includes(member)))).toBe(true)
})

test('LOG-2 fragments, newest first, and the changes in none of them make the same page', () => {
  const fragments = later.log.compactable({ changes: hashes, fragments: [] })
  const members = new Set(fragments.flatMap(fragment => fragment.members))
  const loose = changes.filter((_, i) => !members.has(hashes[i]!))
  expect(members.size + loose.length).toBe(changes.length)
  const page = newPage(9)
  const touched = new Set([...page.apply(loose), ...fragments.toReversed().flatMap(fragment => page.log.apply(fragment))])
  expect([...page.heads()].sort()).toEqual([...later.heads()].sort())
  expect(touched.size).toBe(60)
  for (let i = 0; i < 60; i++) expect(page.registers(idOf(i)).contents).toEqual(later.registers(idOf(i)).contents)
  for (const fragment of fragments) page.log.apply(fragment)
  expect(page.heads()).toEqual(later.heads())
  const size = (pieces: readonly Uint8Array[]): number => pieces.reduce((sum, piece) => sum + piece.length, 0)
  expect(size(fragments.map(fragment => fragment.bytes)) * 2).toBeLessThan(size(changes.filter((_, i) => members.has(hashes[i]!))))
})

test('LOG-2 what is stored as a fragment, or not stored one by one, is not compacted again', () => {
  const fragments = later.log.compactable({ changes: hashes, fragments: [] })
  expect(later.log.compactable(nothing)).toEqual([])
  const stored = fragments.slice(0, 1)
  const rest = later.log.compactable({ changes: hashes, fragments: stored.map(fragment => fragment.id) })
  expect(summary(rest)).toEqual(summary(fragments.slice(1)))
  const loose = hashes.filter(hash => !fragments.some(fragment => fragment.members.includes(hash)))
  expect(later.log.compactable({ changes: loose, fragments: fragments.map(fragment => fragment.id) })).toEqual([])
})

test('LOG-2 a fragment that holds other changes than it says is refused, for changes would be thrown away for it', () => {
  const [one, two] = later.log.compactable({ changes: hashes, fragments: [] }) as [PageFragment, PageFragment]
  const page = newPage(9)
  for (const bad of [
    { ...one, members: [...one.members, two.id] }, { ...one, members: one.members.slice(1) }, { ...one, id: two.id }, { ...one, bytes: two.bytes },
    { ...one, bytes: Uint8Array.of(1, 2, 3) }, { ...one, bytes: new Uint8Array() }, { ...one, bytes: one.bytes.slice(0, -9) }
  ]) expect(() => page.log.apply(bad)).toThrow(CorruptBlockError)
  expect(() => page.log.apply({ ...one, bytes: new Uint8Array(MAX_FRAGMENT_BYTES + 1) })).toThrow(expect.objectContaining({ name: 'LimitExceededError' }))
  expect(page.heads()).toEqual([])
})

test('LOG-2 a fragment that would not fit in a block stays as its changes', () => {
  const page = newPage(4)
  let seed = 1
  const noise = (): Uint8Array => Uint8Array.from({ length: 32 }, () => (seed = Math.imul(seed, 1_103_515_245) + 12_345) >>> 16)
  const at = { when: 1, by: deviceOf(1), seq: 1 }
  const large = Array.from({ length: 300 }, (_, i) => page.change([{
    entry: idOf(i), content: file(at, 1, Array.from({ length: 120 }, () => ({ ...version(at, 1), digest: noise(), key: noise() })))
  }]))
  const all = Automerge.getFragments(Automerge.applyChanges(Automerge.init(), large)[0])
  expect(all.some(fragment => fragment.bytes.length > MAX_FRAGMENT_BYTES)).toBe(true)
  const fitting = page.log.compactable({ changes: large.map(changeHash), fragments: [] })
  expect(fitting.map(fragment => fragment.id).sort()).toEqual(all.filter(fragment => fragment.bytes.length <= MAX_FRAGMENT_BYTES).map(fragment => fragment.head).sort())
})

import { pageId, toHex, type EntryId } from '@holdfast/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { referenceTree } from '../testing/reference-tree.js'
import { dumpTree, replay, sorted } from '../testing/tree-dump.js'
import { ModelDevice, filled, operation, runs, type Operation } from '../testing/vault-model.js'
import { encodeContent, encodePlace } from './codec.js'
import { createPage } from './page.js'
import type { Page } from './page-types.js'
import { pageSnapshot, readSnapshot } from './snapshot.js'
import type { Registers } from './registers.js'
import { createTreeIndex } from './tree/tree-index.js'

/** A device with real pages and an index; a ModelDevice decides what it does, and says what its registers must be. */
class PagedDevice {
  readonly pages: Page[]
  readonly changes: { page: number, bytes: Uint8Array }[] = []
  readonly index = createTreeIndex()
  readonly paths = new Map<string, EntryId>()

  constructor (readonly number: number, readonly model: ModelDevice, private readonly homes: Map<EntryId, number>) {
    this.pages = Array.from({ length: 3 }, (_, page) => createPage(pageId(filled(16, page + 1)), filled(16, 0xac, number, page)))
  }

  perform (one: Operation, others: readonly PagedDevice[]): void {
    const teacher = others[one.on % others.length]!
    for (const write of this.model.perform(one, others.map(other => other.model))) {
      if (!this.homes.has(write.entry)) this.homes.set(write.entry, this.number % 3)
      const page = this.homes.get(write.entry)!
      const { entry, place, content } = write
      this.changes.push({ page, bytes: this.pages[page]!.change([{ entry, ...place === undefined ? {} : { place }, ...content === undefined ? {} : { content } }]) })
      this.show(this.pages[page]!, [entry])
    }
    if (one.action === 'learn') this.learn(teacher, one.when)
  }

  /** Gets all that another has, from the middle on, then the rest, then some of it once more. */
  learn (teacher: PagedDevice, cut: number): void {
    const from = Math.floor(teacher.changes.length * cut / 8)
    const order = [...teacher.changes.slice(from).reverse(), ...teacher.changes.slice(0, from), ...teacher.changes.slice(from)]
    for (const { page, bytes } of order) this.show(this.pages[page]!, this.pages[page]!.apply([bytes]))
    const had = new Set(this.changes.map(({ bytes }) => bytes))
    this.changes.push(...teacher.changes.filter(({ bytes }) => !had.has(bytes)))
  }

  private show (page: Page, touched: readonly EntryId[]): void {
    replay(this.paths, this.index.update(touched.map(id => [id, page.registers(id)])))
  }
}

function play (count: number, operations: readonly Operation[]): PagedDevice[] {
  const created: EntryId[] = []
  const homes = new Map<EntryId, number>()
  const devices: PagedDevice[] = Array.from({ length: count }, (_, number) => new PagedDevice(number, new ModelDevice(number, created), homes))
  for (const one of operations) devices[one.device]!.perform(one, devices)
  return devices
}

const compareText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0
const bytesOf = (registers: Registers): string[][] =>
  [registers.places.map(encodePlace), registers.contents.map(encodeContent)].map(values => [...new Set(values.map(value => toHex(value)))].sort(compareText))
const program = fc.integer({ min: 2, max: 5 }).chain(count => fc.tuple(fc.constant(count), fc.array(operation(count).map(one => ({ ...one, odd: 40 })), { minLength: 1, maxLength: 30, size: 'max' })))

test('MAN-3 devices that write into each other\'s pages end with the same tree, and nothing disappears', () => {
  fc.assert(fc.property(program, ([count, operations]) => {
    const devices = play(count, operations)
    for (const device of devices) for (const other of devices) { device.learn(other, 3); device.model.learn(other.model) }
    for (const device of devices) for (const other of devices) { device.learn(other, 5); device.model.learn(other.model) }
    const expected = devices[0]!.model.registers()
    const reference = referenceTree(expected)
    expect(reference.held.size).toBe(0)
    for (const { index, pages, paths } of devices) {
      for (const [id, registers] of expected) expect(bytesOf(index.registers(id)!)).toEqual(bytesOf(registers))
      expect(sorted(dumpTree(index).tree)).toEqual(sorted(reference.tree))
      expect(sorted(paths)).toEqual(sorted(new Map([...reference.tree].map(([path, entry]) => [path, entry.id]))))
      const restarted = createTreeIndex()
      for (const page of pages) restarted.update(readSnapshot(pageSnapshot(page)))
      expect(dumpTree(restarted)).toEqual(dumpTree(index))
      expectAllThere(index, [...expected.keys()])
    }
  }), runs(60))
})

/** Every entry is in the tree, in the trash, or shown as another that is; united files have equal contents. */
function expectAllThere (index: ReturnType<typeof createTreeIndex>, ids: readonly EntryId[]): void {
  const below = (entries: Iterable<{ id: EntryId, united: readonly EntryId[] }>): EntryId[] => [...entries].flatMap(entry => [entry.id, ...entry.united])
  const shown = [...below(index.walk()), ...index.trash().flatMap(top => [...below([top]), ...below(index.walk(top.id))])]
  expect(shown.sort()).toEqual([...ids].sort())
}

test('MAN-2 apply names every entry whose registers changed', () => {
  fc.assert(fc.property(program, ([count, operations]) => {
    for (const device of play(count, operations)) {
      for (const [id, registers] of device.model.registers()) expect(bytesOf(device.index.registers(id) ?? { places: [], contents: [] })).toEqual(bytesOf(registers))
    }
  }), runs(60))
})

import type { EntryId } from '@holdfast/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { dumpTree, replay, replayEntries, shownEntry, sorted, type ShownEntry } from '../../testing/tree-dump.js'
import { referenceTree } from '../../testing/reference-tree.js'
import { ModelDevice, operation, registersOf, runs, type Operation, type Write } from '../../testing/vault-model.js'
import type { Registers } from '../registers.js'
import { createTreeIndex } from './tree-index.js'
import type { TreeIndex } from './types.js'

function play (operations: readonly Operation[], devices: number): { devices: ModelDevice[], writes: Write[] } {
  const created: EntryId[] = []
  const all = Array.from({ length: devices }, (_, number) => new ModelDevice(number, created))
  const writes = operations.flatMap(one => all[one.device]!.perform(one, all))
  return { devices: all, writes }
}

function expectReference (index: TreeIndex, registers: ReadonlyMap<EntryId, Registers>): void {
  const reference = referenceTree(registers)
  const dump = dumpTree(index)
  expect(sorted(dump.tree)).toEqual(sorted(reference.tree))
  expect(sorted(new Map([...dump.trash].map(([id, top]) => [id, { before: top.before, below: sorted(top.below) }]))))
    .toEqual(sorted(new Map([...reference.trash].map(([id, top]) => [id, { before: top.before === null ? null : { parent: top.before.parent, name: top.before.name }, below: sorted(top.below) }]))))
  expect(index.size).toBe(reference.tree.size)
  expect(index.bytes).toBe([...index.walk()].reduce((sum, entry) => sum + (entry.content.kind === 'file' ? entry.content.size : 0), 0))
  expect([...index.conflicts()].map(entry => entry.id)).toEqual([...reference.tree.values()].filter(entry => entry.versions.length > (entry.kind === 'file' ? 1 : 0)).map(entry => entry.id).sort())
  expectFindable(index, reference.held)
}

/** Nothing is dropped: every entry is in the tree, in the trash, shown as another that is, or waits for its parent. */
function expectFindable (index: TreeIndex, held: ReadonlySet<EntryId>): void {
  for (const entry of index.walk()) {
    expect(index.lookup(index.path(entry.id)!)!.id).toBe(entry.id)
    for (const id of entry.united) expect(index.get(id)!.id).toBe(entry.id)
  }
  for (const id of held) expect([id, index.get(id)]).toEqual([id, undefined])
}

const program = fc.integer({ min: 1, max: 5 }).chain(devices => fc.tuple(fc.constant(devices), fc.array(operation(devices), { minLength: 1, maxLength: 40, size: 'max' })))
/** Cuts and orders writes: how they arrive at one index. */
const arrival = fc.record({ order: fc.array(fc.nat(), { maxLength: 60, size: 'max' }), cuts: fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }) })

test('MAN-3 in any order and grouping of arrival the tree is the reference tree, and its changes replay to its paths and entries', () => {
  fc.assert(fc.property(program, arrival, ([count, operations], { order, cuts }) => {
    const { writes } = play(operations, count)
    const waiting = [...writes]
    const arrived: Write[] = []
    const index = createTreeIndex()
    const paths = new Map<string, EntryId>()
    const entries = new Map<EntryId, ShownEntry>()
    for (let step = 0; waiting.length > 0; step++) {
      const group: Write[] = []
      for (let left = 1 + cuts[step % cuts.length]!; left > 0 && waiting.length > 0; left--) {
        group.push(...waiting.splice((order[(step + left) % Math.max(order.length, 1)] ?? 0) % waiting.length, 1))
      }
      arrived.push(...group)
      const registers = registersOf(arrived)
      const changes = index.update(group.map(({ entry }) => [entry, registers.get(entry)!]))
      replay(paths, changes)
      replayEntries(entries, changes)
      expect(sorted(paths)).toEqual(sorted(new Map([...index.walk()].map(entry => [index.path(entry.id)!, entry.id]))))
      expect(sorted(entries)).toEqual(sorted(new Map([...index.walk()].map(entry => [entry.id, shownEntry(entry)]))))
      expectReference(index, registers)
    }
  }), runs(300))
})

test('MAN-3 an index built step by step equals one built at once', () => {
  fc.assert(fc.property(program, ([count, operations]) => {
    const { writes, devices } = play(operations, count)
    const stepwise = createTreeIndex()
    writes.forEach((write, i) => stepwise.update([[write.entry, registersOf(writes.slice(0, i + 1)).get(write.entry)!]]))
    const atOnce = createTreeIndex()
    atOnce.update(registersOf(writes))
    expect(dumpTree(stepwise)).toEqual(dumpTree(atOnce))
    expectReference(atOnce, registersOf(writes))
    for (const device of devices) {
      const own = createTreeIndex()
      own.update(device.registers())
      expectReference(own, device.registers())
    }
  }), runs(100))
})

import { counterOf, decode } from '@holdfast/protocol'
import { readHeadRecord, readRoot } from '@holdfast/roots'
import { describe, expect, it } from 'vitest'
import { vaultKeys } from './state-records.js'
import { createTestWorld, names, read, save, syncAll, type TestDevice, type TestNode } from './world.test-support.js'

/** The counter of a device's newest root, as its node knows it. */
async function publishedCounter (node: TestNode, device: TestDevice): Promise<number> {
  for (const [head, { record }] of node.heads) {
    if (record === null) continue
    const { root } = await readHeadRecord(head, record)
    const { device: by, counter } = await readRoot({ cid: root, bytes: node.held.get(root.toString() as never)! })
    if (by === device.keys.id) return counter
  }
  return 0
}

const counter = async (device: TestDevice): Promise<unknown> =>
  (decode((await device.disk.records.get(vaultKeys(device.engine.vault.id).state))!) as Record<string, unknown>)['counter']

describe('a device whose disk was put back from an older copy', () => {
  it('ROOT-3: takes up its own lost work from the node, and its counter goes on from there', async () => {
    const world = createTestWorld()
    let device = await world.device()
    await save(device, world.clock, 'first', 'one')
    await device.engine.sync()
    const backup = device.disk.copy()
    for (const name of ['second', 'third']) { await save(device, world.clock, name, name); await device.engine.sync() }
    const reached = await publishedCounter(world.nodes[0]!, device)
    device = await device.restart(backup)
    expect(names(device)).toEqual(['first'])
    expect((await device.engine.sync()).settled).toBe(true)
    expect(names(device)).toEqual(['first', 'second', 'third'])
    expect(await counter(device)).toBeGreaterThanOrEqual(reached)
    await save(device, world.clock, 'fourth', 'four')
    expect((await device.engine.sync()).settled).toBe(true)
    expect(await publishedCounter(world.nodes[0]!, device)).toBeGreaterThan(reached)
    expect(device.errors()).toEqual([])
  })

  // New work before the node is heard of: fewer, as many, and more commits than were lost.
  it.each([[1], [2], [4]])('ROOT-3, MAN-2: loses neither the old work nor %i new commits made before it hears of them', async commits => {
    const world = createTestWorld()
    let device = await world.device()
    const other = await world.device()
    await save(device, world.clock, 'shared', 'one\ntwo\nthree\n')
    await syncAll(device, other)
    const backup = device.disk.copy()
    await save(device, world.clock, 'shared', 'one\ntwo\nthree, before\n')
    await device.engine.sync()
    await save(device, world.clock, 'lost', 'lost')
    await device.engine.sync()
    const reached = await publishedCounter(world.nodes[0]!, device)
    world.nodes[0]!.reachable = false
    device = await device.restart(backup)
    await save(device, world.clock, 'shared', 'one, after\ntwo\nthree\n')
    for (let n = 1; n < commits; n++) { await save(device, world.clock, `new ${n}`, `new ${n}`); await device.engine.sync() }
    await device.engine.sync()
    world.nodes[0]!.reachable = true
    await syncAll(device, other)
    const expected = ['lost', ...Array.from({ length: commits - 1 }, (_, n) => `new ${n + 1}`), 'shared']
    for (const each of [device, other]) {
      expect(names(each)).toEqual(expected)
      expect(await read(each, 'lost')).toBe('lost')
      expect(await read(each, 'shared')).toBe('one, after\ntwo\nthree, before\n')
    }
    expect(other.body()).toBe(device.body())
    expect(await publishedCounter(world.nodes[0]!, device)).toBeGreaterThan(reached)
    expect((await device.engine.sync()).settled).toBe(true)
    // And it goes on as if nothing had happened, after another start too.
    device = await device.restart()
    await save(device, world.clock, 'last', 'last')
    await syncAll(device, other)
    expect(await read(other, 'last')).toBe('last')
    expect(other.body()).toBe(device.body())
    expect([...device.errors(), ...other.errors()]).toEqual([])
  })

  it('ROOT-1: a counter that was never published is not missed', async () => {
    const world = createTestWorld({ nodes: 0 })
    const device = await world.device()
    await save(device, world.clock, 'a', 'a')
    await device.engine.sync()
    expect(counterOf(decode((await device.disk.records.get(vaultKeys(device.engine.vault.id).state))!) as never, device.keys.id)).toBe(0)
    expect(await counter(device)).toBe(1)
    await device.engine.sync()
    expect(await counter(device)).toBe(1)
  })
})

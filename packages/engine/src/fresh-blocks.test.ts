import { describe, expect, it } from 'vitest'
import { createTestRandom, createTestWorld, save, type TestDevice } from './world.test-support.js'

const pending = ({ engine }: TestDevice): number => engine.status().vaults[0]!.pendingBlocks
/** A file node and one chunk. */
const CONTENT = createTestRandom(9).bytes(50_000)

describe('pending blocks', () => {
  it('NODE-4: count what no node has a receipt for, survive a restart, and are gone after a receipt', async () => {
    const world = createTestWorld()
    let device = await world.device()
    expect(pending(device)).toBe(0)
    await save(device, world.clock, 'file', CONTENT)
    expect(pending(device)).toBe(2)
    device = await device.restart()
    expect(pending(device)).toBe(2)
    expect(await device.engine.sync()).toMatchObject({ settled: true, failures: [] })
    expect(pending(device)).toBe(0)
    expect(pending(await device.restart())).toBe(0)
  })

  it('NODE-4: stay while one of two nodes is away', async () => {
    const world = createTestWorld({ nodes: 2 })
    const device = await world.device()
    await save(device, world.clock, 'file', CONTENT)
    world.nodes[1]!.reachable = false
    const report = await device.engine.sync()
    expect(report).toMatchObject({ settled: false, nodes: 2, reachableNodes: 1 })
    expect(report.failures.map(failure => failure.family)).toEqual(['retryable'])
    expect(pending(device)).toBe(2)
    world.nodes[1]!.reachable = true
    await device.engine.sync()
    expect(pending(device)).toBe(0)
  })

  it('CHK-2: the same bytes again are nothing new, and nothing is sent twice', async () => {
    const world = createTestWorld()
    const device = await world.device()
    await save(device, world.clock, 'one', CONTENT)
    await save(device, world.clock, 'two', CONTENT)
    expect(pending(device)).toBe(2)
    await device.engine.sync()
    const { received } = world.nodes[0]!
    const sent = received.length
    await save(device, world.clock, 'three', CONTENT)
    expect(pending(device)).toBe(0)
    await device.engine.sync()
    // Root, body, change, and the log trie: no chunk, no file node.
    expect(new Set(received.slice(sent)).size).toBeLessThanOrEqual(4)
    expect(new Set(received).size).toBe(received.length)
  })
})

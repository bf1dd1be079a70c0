import { isHoldfastError, type Block } from '@holdfast/protocol'
import { describe, expect, it } from 'vitest'
import { createTestWorld, names, read, save, syncAll } from './world.test-support.js'

/** A gate that a test opens. */
function gate (): { opened: Promise<void>, open: () => void } {
  let open = (): void => undefined
  return { opened: new Promise(resolve => { open = resolve }), open: () => open() }
}

describe('nodes', () => {
  it('NODE-1: a node that was removed is asked nothing more, and is gone after a restart', async () => {
    const world = createTestWorld({ nodes: 2 })
    let device = await world.device()
    await save(device, world.clock, 'a', 'a')
    await device.engine.sync()
    const [left, removed] = world.nodes as [typeof world.nodes[0], typeof world.nodes[0]]
    await device.engine.removeNode(removed.url)
    await expect(device.engine.removeNode(removed.url)).rejects.toMatchObject({ name: 'InvalidArgumentError', family: 'invalid' })
    const before = removed.received.length
    await save(device, world.clock, 'b', 'b')
    expect(await device.engine.sync()).toMatchObject({ settled: true, nodes: 1, reachableNodes: 1 })
    expect(removed.received.length).toBe(before)
    device = await device.restart()
    expect(device.engine.nodes().map(node => node.url)).toEqual([left.url])
    // It may come back; then it is sent what it missed.
    await device.engine.addNode(removed.url)
    expect(await device.engine.sync()).toMatchObject({ settled: true, nodes: 2 })
  })

  it('NODE-1: a node removed in the middle of a round does not come back by itself', async () => {
    const world = createTestWorld()
    let device = await world.device()
    const node = world.nodes[0]!
    const { opened, open } = gate()
    const asked = gate()
    const honest = node.client()
    node.sabotage = { async receipt (...args) { asked.open(); await opened; node.sabotage = {}; return honest.receipt(...args) } }
    await save(device, world.clock, 'a', 'a')
    const round = device.engine.sync()
    await asked.opened
    const removal = device.engine.removeNode(node.url)
    open()
    await Promise.all([round, removal])
    expect(device.engine.nodes()).toEqual([])
    device = await device.restart()
    expect(device.engine.nodes()).toEqual([])
  })

  it('NODE-1: a second pairing of the same address is refused', async () => {
    const world = createTestWorld()
    const device = await world.device()
    await expect(device.engine.addNode(world.nodes[0]!.url)).rejects.toSatisfy(error => isHoldfastError(error) && error.family === 'invalid')
    expect(device.engine.nodes()).toHaveLength(1)
  })

  it('ANN-2: saving and reading go on while a node keeps a download waiting', async () => {
    const world = createTestWorld()
    const [a, b] = [await world.device(), await world.device()]
    await save(a, world.clock, 'theirs', 'theirs')
    await a.engine.sync()
    const node = world.nodes[0]!
    const { opened, open } = gate()
    const asked = gate()
    const honest = node.client()
    node.sabotage = { async * getBlocks (cids): AsyncGenerator<Block> { asked.open(); await opened; node.sabotage = {}; yield * honest.getBlocks(cids) } }
    const round = b.engine.sync()
    await asked.opened
    await save(b, world.clock, 'mine', 'mine')
    expect(await read(b, 'mine')).toBe('mine')
    expect(names(b)).toEqual(['mine'])
    open()
    await round
    await syncAll(a, b)
    expect(names(b)).toEqual(['mine', 'theirs'])
    expect(b.body()).toBe(a.body())
  })
})

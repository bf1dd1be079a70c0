import { blockId, type BlockId } from '@holdfast/protocol'
import { describe, expect, it } from 'vitest'
import { createTestRandom, createTestWorld, damaged, names, readBytes, save, syncAll, type TestDevice } from './world.test-support.js'

const CONTENT = createTestRandom(9).bytes(50_000)

async function settled (): Promise<{ world: ReturnType<typeof createTestWorld>, device: TestDevice }> {
  const world = createTestWorld()
  const device = await world.device()
  await save(device, world.clock, 'file', CONTENT)
  await device.engine.sync()
  return { world, device }
}

/** Everything that the root reaches. */
const ids = ({ disk }: TestDevice): BlockId[] => [...disk.held.keys()]

describe('verify', () => {
  it('NODE-4: says that all is good, and how much it was', async () => {
    const { world, device } = await settled()
    const report = await device.engine.verify({ repair: false })
    expect(report).toMatchObject({ bad: [], repaired: [] })
    const { root } = device.engine.status().vaults[0]!
    expect(report.blocks).toBe([...world.nodes[0]!.held.keys()].length)
    expect(root).not.toBeNull()
  })

  it('CHK-3: every block of this device, once corrupt and once missing, is found and taken from the node', async () => {
    const { world, device } = await settled()
    const body = device.body()
    for (const id of ids(device).filter(id => world.nodes[0]!.held.has(id))) {
      for (const harm of ['corrupt', 'missing'] as const) {
        const good = device.disk.held.get(id)!
        if (harm === 'corrupt') device.disk.held.set(id, damaged(good))
        else device.disk.held.delete(id)
        expect((await device.engine.verify({ repair: false })).bad, `${harm} ${id}`).toEqual([id])
        expect(await device.engine.verify({ repair: true }), `${harm} ${id}`).toMatchObject({ bad: [id], repaired: [id] })
        expect(device.disk.held.get(id)).toEqual(good)
      }
    }
    expect((await device.engine.verify({ repair: false })).bad).toEqual([])
    expect(device.body()).toBe(body)
    expect(await readBytes(device, 'file')).toEqual(CONTENT)
  })

  it('CHK-3: a block that the node holds corrupt or lost is found, named with the node, and given to it again', async () => {
    const { world, device } = await settled()
    const node = world.nodes[0]!
    // A list of its own: what is deleted and put back comes to the end of the map.
    const held = [...node.held.keys()]
    for (const id of held) {
      for (const harm of ['corrupt', 'missing'] as const) {
        const good = node.held.get(id)!
        if (harm === 'corrupt') node.held.set(id, damaged(good))
        else node.held.delete(id)
        const named = `${id} on ${node.url}`
        expect((await device.engine.verify({ repair: false })).bad).toEqual([named])
        expect(await device.engine.verify({ repair: true })).toMatchObject({ bad: [named], repaired: [named] })
        expect(node.held.get(id)).toEqual(good)
      }
    }
  })

  it('CHK-3: what is bad everywhere stays named as bad, and reading it is an error, never wrong bytes', async () => {
    const { world, device } = await settled()
    const content = device.engine.vault.index.lookup('/file')!.content
    if (content.kind !== 'file') throw new Error('a file was saved')
    const id = blockId(content.node)
    for (const held of [device.disk.held, world.nodes[0]!.held]) held.set(id, damaged(held.get(id)!))
    await expect(readBytes(device, 'file')).rejects.toMatchObject({ name: 'CorruptBlockError', family: 'corrupt' })
    const report = await device.engine.verify({ repair: true })
    expect(report.repaired).toEqual([])
    expect(report.bad[0]).toBe(id)
    // Here it went, so that a good copy is taken as soon as somebody has one.
    expect(device.disk.held.has(id)).toBe(false)
    await expect(readBytes(device, 'file')).rejects.toMatchObject({ family: 'corrupt' })
    world.nodes[0]!.held.delete(id)
    await expect(readBytes(device, 'file')).rejects.toMatchObject({ family: 'retryable' })
  })

  it('ROOT-3: another device is heard of although the block of its last root was lost here', async () => {
    const { world, device } = await settled()
    const other = await world.device()
    await syncAll(other, device)
    await save(device, world.clock, 'more', 'more')
    await device.engine.sync()
    await other.engine.sync()
    const last = device.engine.status().vaults[0]!.root as BlockId
    for (const held of [other.disk.held, world.nodes[0]!.held]) expect(held.delete(last)).toBe(true)
    await save(device, world.clock, 'last', 'last')
    await device.engine.sync()
    await other.engine.sync()
    expect(names(other)).toEqual(['file', 'last', 'more'])
    expect(other.errors()).toEqual([])
  })

  it('CHK-3: a node that is away does not hide what is wrong here', async () => {
    const { world, device } = await settled()
    world.nodes[0]!.reachable = false
    const { content } = device.engine.vault.index.lookup('/file')!
    if (content.kind !== 'file') throw new Error('a file was expected')
    device.disk.held.delete(blockId(content.node))
    const report = await device.engine.verify({ repair: true })
    expect(report).toMatchObject({ bad: [blockId(content.node)], repaired: [] })
    expect(report.failures.map(failure => [failure.name, failure.family])).toEqual([['UnreachableError', 'retryable']])
  })
})

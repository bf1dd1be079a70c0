import { blockId, BlockNotFoundError, isHoldfastError } from '@holdfast/protocol'
import { describe, expect, it } from 'vitest'
import { createTestRandom, createTestWorld, readBytes, save } from './world.test-support.js'

const CONTENT = createTestRandom(9).bytes(50_000)
const OTHER = createTestRandom(10).bytes(60_000)

describe('contents that are still elsewhere', () => {
  it('ANN-2: are wanted again after a restart, and fetched as soon as somebody has them', async () => {
    const world = createTestWorld()
    const a = await world.device()
    let b = await world.device()
    await save(a, world.clock, 'lost', CONTENT)
    await save(a, world.clock, 'found', OTHER)
    await a.engine.sync()
    const version = a.engine.vault.index.lookup('/lost')!.content
    if (version.kind !== 'file') throw new Error('a file was saved')
    const node = world.nodes[0]!
    const withheld = node.held.get(blockId(version.node))!
    node.held.delete(blockId(version.node))
    const report = await b.engine.sync()
    expect(report.settled).toBe(false)
    expect(report.failures.map(failure => failure.name)).toEqual(['BlockNotFoundError'])
    expect(report.failures.every(isHoldfastError)).toBe(true)
    // The tree is here, and so is the other file.
    expect(await readBytes(b, 'found')).toEqual(OTHER)
    await expect(readBytes(b, 'lost')).rejects.toThrow(BlockNotFoundError)
    b = await b.restart()
    expect((await b.engine.sync()).settled).toBe(false)
    node.held.set(blockId(version.node), withheld)
    expect(await b.engine.sync()).toMatchObject({ settled: true, failures: [] })
    node.reachable = false
    b = await b.restart()
    expect(await readBytes(b, 'lost')).toEqual(CONTENT)
  })
})

import { walkTrie } from '@holdfast/roots'
import { parseCid } from '@holdfast/protocol'
import { decodeBody } from '@holdfast/roots'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeDeterministic } from './runtime.js'
import { createWorld, pair, treeOf, type SimDevice, type World } from './world.js'

beforeAll(makeDeterministic)

const MINUTE = 60_000
const bodyOf = (device: SimDevice): string => device.running!.engine.status().vaults[0]!.body

async function together (world: World): Promise<void> {
  const quiet = await world.clock.runUntil(() => new Set(world.devices.map(bodyOf)).size === 1 && world.devices.every(device => device.running!.engine.status().vaults[0]!.pendingBlocks === 0), 10 * MINUTE)
  expect(quiet).toBe(true)
}

async function logSize (device: SimDevice): Promise<number> {
  const { blocks } = device.disk.open()
  const read = async (cid: ReturnType<typeof parseCid>): Promise<Uint8Array> => blocks.get(cid)
  let count = 0
  for await (const cid of walkTrie(decodeBody(await read(parseCid(bodyOf(device)))).log, read)) if (cid.code > 0) count++
  return count
}

async function touch (world: World, device: SimDevice, path: string, n: number): Promise<void> {
  let done = false
  void device.running!.filesystem.commit([{ type: 'attributes', path, modified: 1_000_000 + n }]).then(() => { done = true })
  await world.clock.runUntil(() => done, MINUTE)
}

describe('compaction', () => {
  it('LOG-2: old changes become fragments, two devices that compact end with one body, and a new device reads them', async () => {
    const world = await createWorld(11, { devices: 3, nodes: 1 })
    const [a, b, late] = world.devices as [SimDevice, SimDevice, SimDevice]
    world.devices.splice(2)
    for (const device of [a, b]) { await device.boot(); await pair(world, device, world.nodes[0]!) }
    await a.running!.filesystem.commit([{ type: 'mkdir', path: '/d' }, { type: 'mkdir', path: '/e' }])
    await together(world)
    for (let n = 0; n < 700; n++) {
      if (n === 150) world.network.partition([['device-0', 'node-0'], ['device-1']])
      await touch(world, a, '/d', n)
      await touch(world, b, '/e', n)
    }
    world.network.partition([])
    await together(world)
    expect(await logSize(a)).toBeLessThan(900)
    world.devices.push(late)
    await late.boot()
    await pair(world, late, world.nodes[0]!)
    await together(world)
    expect(await treeOf(late.running!.filesystem)).toEqual(await treeOf(a.running!.filesystem))
    expect((await late.running!.filesystem.stat('/e')).modified).toBe(1_000_699)
  })
})

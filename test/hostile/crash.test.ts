import type { Filesystem } from '@holdfast/filesystem'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeDeterministic } from '../simulation/runtime.js'
import { createWorld, pair, recoverable, treeOf, type SimDevice, type World } from '../simulation/world.js'

beforeAll(makeDeterministic)

const MINUTE = 60_000
/** More writes than the work below takes with all that comes of it. */
const MOST_WRITES = 400

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function save (filesystem: Filesystem, device: SimDevice, path: string, text: string): Promise<void> {
  const content = await filesystem.prepare([bytes(text)], { modified: 1_900_000_000_000, mode: 0o644, replaces: path })
  await filesystem.commit([{ type: 'write', path, content }])
  device.acknowledged.set(content.digest, path)
}

/** A small day's work: every kind of operation, small and chunked contents. */
const WORK: readonly ((filesystem: Filesystem, device: SimDevice) => Promise<unknown>)[] = [
  async (filesystem, device) => save(filesystem, device, '/notes.txt', 'one\ntwo\n'),
  async filesystem => filesystem.commit([{ type: 'mkdir', path: '/d' }]),
  async (filesystem, device) => save(filesystem, device, '/d/large', 'x'.repeat(50_000)),
  async (filesystem, device) => save(filesystem, device, '/notes.txt', 'one\ntwo\nthree\n'),
  async filesystem => filesystem.commit([{ type: 'move', from: '/d', to: '/e' }]),
  async filesystem => filesystem.commit([{ type: 'remove', path: '/e/large' }]),
  async filesystem => filesystem.restoreTrash((await filesystem.trash())[0]!.id)
]

/** Runs it until it is done or the device has no power; what was acknowledged last is counted. */
async function run (world: World, device: SimDevice): Promise<number> {
  let done = 0
  let ended = false
  const work = async (): Promise<void> => {
    const { filesystem } = device.running!
    for (const step of WORK) { await step(filesystem, device); done++ }
  }
  work().then(() => { ended = true }, () => { ended = true })
  await world.clock.runUntil(() => ended || device.running === null, MINUTE)
  // What is on its way to the node goes on for a moment.
  await world.clock.runUntil(() => device.running === null, 2_000)
  return done
}

const isQuiet = (world: World): boolean => {
  const states = world.devices.map(device => device.running!.engine.status())
  return states.every(({ vaults: [vault], nodes }) => vault!.body === states[0]!.vaults[0]!.body && vault!.pendingBlocks === 0 && nodes.every(node => node.receipt?.root === vault!.root))
}

/** Steps whose effect is in the tree. */
function stepsSeen (tree: readonly string[]): number {
  const has = (path: string): boolean => tree.some(line => line.startsWith(`${path} `))
  if (has('/e')) return has('/e/large') ? 5 : 6
  if (has('/d/large')) return 3
  return has('/d') ? 2 : has('/notes.txt') ? 1 : 0
}

describe('power cuts', () => {
  it('ROOT-1, MAN-2: at whichever write it is, what was acknowledged is there after it and the replicas are one', async () => {
    let cuts = 0
    // Every write at first, where commits are; then a sample.
    for (let nth = 1; nth <= MOST_WRITES; nth += nth < 70 ? 1 : 7) {
      const world = await createWorld(1_000 + nth, { devices: 2, nodes: 1 })
      const [a, b] = world.devices as [SimDevice, SimDevice]
      for (const device of [a, b]) { await device.boot(); await pair(world, device, world.nodes[0]!) }
      await world.clock.runUntil(() => isQuiet(world), MINUTE)
      let cut = false
      a.disk.crashAfter(nth, () => { cut = true; a.crash() })
      const done = await run(world, a)
      a.disk.crashAfter(Infinity, () => undefined)
      if (!cut) {
        expect(done).toBe(WORK.length)
        break
      }
      cuts++
      await a.boot()
      const seen = await treeOf(a.running!.filesystem)
      // What was under way may have happened or not; what was acknowledged has.
      if (done < WORK.length) expect(stepsSeen(seen), `write ${nth}, after step ${done}: ${seen.join(', ')}`).toBeGreaterThanOrEqual(Math.min(done, 3))
      expect(await world.clock.runUntil(() => isQuiet(world), 10 * MINUTE), `write ${nth}: quiet`).toBe(true)
      expect(await treeOf(b.running!.filesystem), `write ${nth}`).toEqual(await treeOf(a.running!.filesystem))
      for (const device of [a, b]) {
        const found = await recoverable(device.running!.engine)
        for (const [digest, path] of a.acknowledged) expect(found.has(digest), `write ${nth}: ${path} on ${device.name}`).toBe(true)
      }
      expect(world.faults, `write ${nth}`).toEqual([])
      // And it goes on.
      await save(a.running!.filesystem, a, '/after', `after ${nth}`)
      expect(await world.clock.runUntil(() => isQuiet(world), 10 * MINUTE), `write ${nth}: quiet again`).toBe(true)
      expect(await treeOf(b.running!.filesystem)).toEqual(await treeOf(a.running!.filesystem))
    }
    expect(cuts).toBeGreaterThan(30)
  })
})

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { editDisk, editsOn, editVault, stepsOn, type Edit, type Step } from '../testing/edits.js'
import { World } from '../testing/simulation.js'
import type { Mirror } from './mirror.js'
import { createNaming } from './naming.js'

const parameters = { numRuns: Number(process.env['RUNS'] ?? 300), ...(process.env['SEED'] !== undefined && { seed: Number(process.env['SEED']) }) }

const timeout = 60_000 + parameters.numRuns * 100

const apply = (world: World, edit: Edit): void => { (edit.side === 'disk' ? editDisk : editVault)(world, edit) }

/** Has a person edit between the mirror's operations on the disk. */
function interleave (world: World, during: { at: number, edit: Edit }[]): void {
  let operation = 0
  const due = [...during].sort((a, b) => a.at - b.at)
  world.disk.before = () => {
    operation++
    while (due[0] !== undefined && due[0].at <= operation) apply(world, due.shift()!.edit)
  }
}

class Crash extends Error {}

async function run (world: World, mirror: Mirror, step: Extract<Step, { do: 'once' }>): Promise<Mirror> {
  let operation = 0
  const due = [...step.during].sort((a, b) => a.at - b.at)
  const before = (): void => {
    if (operation === step.crashAt) throw new Crash()
    operation++
    while (due[0] !== undefined && due[0].at <= operation) {
      apply(world, due.shift()!.edit)
    }
  }
  world.disk.before = before
  let crashed = false
  world.vault.before = () => { before() }
  try { await mirror.once() } catch (error) {
    if (!(error instanceof Crash)) throw error
  }
  crashed = step.crashAt !== null && operation === step.crashAt
  world.disk.before = undefined
  world.vault.before = undefined
  return crashed ? world.mirror({ allowMassDelete: true }) : mirror
}

it('MAN-3 MAN-4 MAN-5 disk and vault become the same after any edits on both sides, in between and in the middle, and no byte is lost', async () => {
  await fc.assert(fc.asyncProperty(fc.array(stepsOn('a', 'b', 'c'), { maxLength: 40 }), async steps => {
    const world = new World()
    let mirror = await world.mirror({ allowMassDelete: true })
    for (const step of steps) {
      world.clock.advance(1)
      if (step.do === 'once') mirror = await run(world, mirror, step)
      else apply(world, step)
    }
    world.clock.advance(10_000)
    const report = await mirror.once()
    expect(report.failures).toEqual([])
    expect(await world.differences()).toEqual([])
    expect(world.lost).toEqual([])
    expect(world.leftovers()).toEqual([])
    const again = await mirror.once()
    expect(again).toMatchObject({ uploaded: 0, downloaded: 0, moved: 0, removedFromVault: 0, removedFromDisk: 0, attributes: 0 })
  }), parameters)
}, timeout)

it('MAN-3 a disk that folds case holds everything that the vault does, under names of its own where they meet', async () => {
  await fc.assert(fc.asyncProperty(fc.array(stepsOn('a', 'A', 'b'), { maxLength: 30 }), async steps => {
    const world = new World(createNaming({ foldsCase: true, foldsUnicode: false }))
    let mirror = await world.mirror({ allowMassDelete: true })
    for (const step of steps) {
      world.clock.advance(1)
      if (step.do === 'once') mirror = await run(world, mirror, step)
      else apply(world, step)
    }
    world.clock.advance(10_000)
    expect((await mirror.once()).failures).toEqual([])
    const shown: string[] = []
    for await (const entry of world.vault.walk()) if (entry.path !== '/') shown.push(`${entry.kind} ${entry.target ?? (entry.kind === 'file' ? await world.vault.text(entry.path) : '')}`)
    expect([...world.disk.tree()].map(entry => `${entry.kind} ${entry.target}${entry.text}`).sort()).toEqual(shown.sort())
    expect(world.lost).toEqual([])
    expect(world.leftovers()).toEqual([])
    expect(await mirror.once()).toMatchObject({ uploaded: 0, downloaded: 0, moved: 0, removedFromVault: 0, removedFromDisk: 0, attributes: 0 })
  }), parameters)
}, timeout)

it('MAN-3 MAN-4 MAN-5 a live mirror makes both sides the same from hints alone, looking only at what is touched', async () => {
  const edit = editsOn('a', 'b', 'c')
  const turn = fc.record({ edits: fc.array(edit, { maxLength: 4 }), wait: fc.nat(60), during: fc.array(fc.record({ at: fc.nat(60), edit }), { maxLength: 2 }) })
  await fc.assert(fc.asyncProperty(fc.array(edit, { maxLength: 12 }), fc.array(turn, { maxLength: 10 }), async (before, turns) => {
    const world = new World()
    for (const edit of before) apply(world, edit)
    const mirror = await world.mirror({ allowMassDelete: true }, world.watchDisk)
    await mirror.start()
    let lists = 0
    for (const { edits, wait, during } of turns) {
      for (const edit of edits) apply(world, edit)
      interleave(world, during)
      world.clock.advance(wait)
      await new Promise(resolve => { setImmediate(resolve) })
    }
    world.disk.before = operation => { if (operation === 'list') lists++ }
    await world.settle()
    expect(await world.differences()).toEqual([])
    expect(world.lost).toEqual([])
    expect(world.leftovers()).toEqual([])
    let operations = 0
    world.disk.before = () => { operations++ }
    await world.settle()
    expect(operations, 'operations of a mirror that has nothing to do').toBe(0)
    world.disk.before = operation => { if (operation === 'list') lists++ }
    lists = 0
    world.disk.write('/z', 'text z')
    world.vault.write('/y', 'text y')
    await world.settle()
    expect(lists, 'directories listed for two single files').toBe(0)
    expect([world.disk.text('/y'), await world.vault.text('/z')]).toEqual(['text y', 'text z'])
    await mirror.stop()
  }), { ...parameters, numRuns: parameters.numRuns / 2 })
}, timeout)

import { beforeAll, describe, expect, it } from 'vitest'
import { makeDeterministic } from './runtime.js'
import { runSchedule } from './schedule.js'

// Replay one schedule: HOLDFAST_SEED=123 npm test -- --project simulation
const only = process.env['HOLDFAST_SEED']
const count = Number(process.env['HOLDFAST_SCHEDULES'] ?? 200)
const first = Number(process.env['HOLDFAST_FIRST_SEED'] ?? 1)
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => first + i) : [Number(only)]

/** Schedules differ in size too; the seed decides. */
const shapeOf = (seed: number): { devices: number, nodes: number, steps: number } =>
  ({ devices: 2 + seed % 3, nodes: 1 + (seed >> 2) % 2, steps: 20 + (seed * 7) % 40 })

beforeAll(makeDeterministic)

describe('random schedules', () => {
  it.each(seeds)('ROOT-1, MAN-3, LOG-1: seed %i ends with identical replicas and nothing lost', async seed => {
    const outcome = await runSchedule({ seed, ...shapeOf(seed) })
    if (outcome.problems.length > 0 || only !== undefined) console.error(`replay with HOLDFAST_SEED=${seed}\n${outcome.trace.join('\n')}`)
    expect(outcome.problems).toEqual([])
    expect(outcome.acknowledged).toBeGreaterThan(0)
  })
})

it('a seed replays exactly', async () => {
  const [a, b] = [await runSchedule({ seed: 7, devices: 3, nodes: 1, steps: 30 }), await runSchedule({ seed: 7, devices: 3, nodes: 1, steps: 30 })]
  expect(a.trace).toEqual(b.trace)
})

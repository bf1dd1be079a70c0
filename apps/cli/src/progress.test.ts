import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryOutput } from './output.js'
import { progressBar, progressLine } from './progress.js'

const surroundings = (extra: object = {}): Parameters<typeof progressBar>[1] & { err: ReturnType<typeof memoryOutput> } =>
  ({ err: memoryOutput(), columns: 80, quiet: false, json: false, now: () => 0, ...extra })

describe('progress', () => {
  test('CLI a bar shows share, amount and rate', () => {
    expect(progressLine({ label: 'film.mp4', done: 25e6, total: 100e6, elapsedMs: 5_000, columns: 100 }))
      .toBe(`film.mp4  ${'█'.repeat(8)}${'░'.repeat(22)}   25 %  25 MB of 100 MB  5.0 MB/s`)
  })

  test('CLI a bar never wraps, however narrow the terminal', () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), fc.nat(1e12), fc.option(fc.nat(1e12), { nil: undefined }), fc.nat(1e6), fc.integer({ min: 1, max: 200 }), (label, done, total, elapsedMs, columns) => {
      expect(progressLine({ label, done, total, elapsedMs, columns }).length).toBeLessThan(columns)
    }))
  })

  test('CLI no terminal, --quiet or --json: nothing is drawn', async () => {
    for (const extra of [{ columns: null }, { quiet: true }, { json: true }]) {
      const around = surroundings(extra)
      const bar = progressBar('a', around)
      bar.update(1, 2)
      await bar.end()
      expect(around.err.text()).toBe('')
    }
  })

  test('CLI a bar is redrawn at intervals and wiped at the end', async () => {
    let now = 0
    const around = surroundings({ now: () => now })
    const bar = progressBar('a', around)
    bar.update(1, 10)
    now = 50
    bar.update(5, 10)
    now = 120
    bar.add(2)
    await bar.end()
    const drawn = around.err.text().split('\r').filter(part => part !== '')
    expect(drawn).toHaveLength(3)
    expect(drawn[1]).toContain('70 %')
    expect(around.err.text().endsWith('\r\u001b[K')).toBe(true)
  })

  test('CLI a terminal that has gone does not stop the work', async () => {
    const bar = progressBar('a', { ...surroundings(), err: { write: async () => { throw new Error('gone') } } })
    bar.update(1, 2)
    await expect(bar.end()).resolves.toBeUndefined()
  })
})

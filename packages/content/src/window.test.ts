import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runs } from '../../crypto/testing/seed.js'
import { collect, noise } from '../testing/fixture.js'
import { createWindow } from './window.js'

test('CHK-1 a window gives what the source gave, however both are divided, though the source reuses its buffer', async () => {
  const pieceLengths = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 60 })
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 500 })), { minLength: 1, maxLength: 40 })
  await fc.assert(fc.asyncProperty(pieceLengths, steps, fc.integer({ min: 1, max: 1000 }), fc.boolean(), async (lengths, reads, hint, late) => {
    const total = lengths.reduce((sum, length) => sum + length, 0)
    const all = noise('window', total)
    const buffer = new Uint8Array(300)
    const take = (from: number, length: number): Uint8Array => {
      buffer.set(all.subarray(from, from + length))
      return buffer.subarray(0, length)
    }
    function * now (): Generator<Uint8Array> { let at = 0; for (const length of lengths) yield take((at += length) - length, length) }
    async function * later (): AsyncGenerator<Uint8Array> { yield * now() }
    const window = createWindow(late ? later() : now(), hint)
    let at = 0
    for (const [wanted, dropped] of [...reads, ...Array.from({ length: 40 }, () => [500, 500] as const)]) {
      await window.fill(wanted)
      const held = window.end - window.start
      expect(held).toBeGreaterThanOrEqual(Math.min(wanted, total - at))
      expect([...window.bytes.subarray(window.start, window.end)]).toEqual([...all.subarray(at, at + held)])
      const drop = Math.min(dropped, held)
      window.drop(drop)
      at += drop
    }
    expect(at).toBe(total)
  }), runs(200))
})

test('CHK-1 a source that was not read to its end is let go, one that ended is not', async () => {
  let released = 0
  const source = (end: number) => (async function * () { try { for (let i = 0; i < end; i++) yield new Uint8Array(10) } finally { released++ } })()
  const unread = createWindow(source(100), 10)
  await unread.fill(20)
  await unread.close()
  await unread.close()
  expect(released).toBe(1)
  expect(await collect(source(3))).toHaveLength(30)
  const read = createWindow(source(2), 10)
  await read.fill(50)
  expect([read.end - read.start, released]).toEqual([20, 3])
  await read.close()
  expect(released).toBe(3)
})

import { blockId, blockLinks, type Block } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { webPrimitives, type Primitives } from '@holdfast/crypto'
import { expect, test } from 'vitest'
import { nodePrimitives } from '../../client/src/node-primitives.js'
import { collect, contentOf, createShelf, facts, keysOf, noise, pieces, same, sealed } from '../testing/fixture.js'
import { createContent } from './index.js'

const MIB = 1 << 20
const tick = async (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
const primitives = [['web', createContent({ primitives: webPrimitives, keys: keysOf(1) })], ['node', contentOf()]] as const

test.each(primitives)('CHK-1 sealing holds a bounded part of the file, however slow the sink (%s)', async (_, content) => {
  const piece = noise('piece', MIB)
  let [read, stored, most] = [0, 0, 0]
  async function * source (): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < 48; i++) {
      read += piece.length
      most = Math.max(most, read - stored)
      piece[i] = i
      yield piece
    }
  }
  await content.seal(source(), facts, async blocks => {
    for (let i = 0; i < 20; i++) await tick()
    for (const block of blocks) stored += block.bytes.length
  })
  expect(read).toBe(48 * MIB)
  expect(most).toBeLessThan(16 * MIB)
})

test.each(primitives)('CHK-4 reading holds a bounded part of the file, however slow the reader, and fetches ahead (%s)', async (_, content) => {
  const bytes = noise('ahead', 8 * MIB)
  const { file, shelf } = await sealed(bytes)
  let [fetched, read, most, together, running] = [0, 0, 0, 0, 0]
  const opened = await content.open(file.ref, async cid => {
    together = Math.max(together, ++running)
    await tick()
    running--
    const block = await shelf.fetch(cid)
    fetched += block.length
    most = Math.max(most, fetched - read)
    return block
  })
  for await (const part of opened.read()) {
    for (let i = 0; i < 10; i++) await tick()
    read += part.length
  }
  expect(read).toBe(bytes.length)
  expect(most).toBeLessThan(2 * MIB)
  expect(together).toBeGreaterThan(3)
})

test('CHK-4 a range fetches the chunks it touches and a few ahead, no more', async () => {
  const { file, shelf } = await sealed(noise('range', 8 * MIB))
  const asked: string[] = []
  const opened = await contentOf().open(file.ref, async cid => { asked.push(blockId(cid)); return shelf.fetch(cid) })
  expect(asked).toEqual([blockId(file.ref.node)])
  await collect(opened.read({ offset: 5 * MIB, length: 10 }))
  expect(asked.length).toBeLessThanOrEqual(4)
  await collect(opened.read({ offset: 8 * MIB, length: 10 }))
  expect(asked.length).toBeLessThanOrEqual(4)
})

test('ROOT-2 the sink is called with one batch at a time, and with what a block links to before it', async () => {
  let running = 0
  const order: Block[] = []
  await contentOf().seal(pieces(noise('order', 9 * MIB), MIB), facts, async blocks => {
    expect(++running).toBe(1)
    await tick()
    order.push(...blocks)
    running--
  })
  const seen = new Set<string>()
  for (const block of order) {
    for (const link of blockLinks(block)) expect(seen.has(blockId(link))).toBe(true)
    seen.add(blockId(block.cid))
  }
  expect(order.length).toBeGreaterThan(60)
})

test('CHK-1 what a source or a sink throws is what sealing rejects with; the source is let go and the sink at rest', async () => {
  for (const size of [100, 100_000, 9 * MIB]) {
    const broken = new Error('the disk is full')
    let [released, storing] = [false, 0]
    const source = (fails: boolean) => (function * () {
      try {
        yield * pieces(noise('broken', size), 100_000)
        if (fails) throw broken
      } finally { released = true }
    })()
    const slow = async (): Promise<void> => { storing++; await tick(); storing-- }
    await expect(contentOf().seal(source(true), facts, slow)).rejects.toBe(broken)
    expect([released, storing]).toEqual([true, 0])
    released = false
    await expect(contentOf().seal(source(false), facts, async () => { await tick(); throw broken })).rejects.toBe(broken)
    await tick()
    expect(released).toBe(true)
  }
})

test('CHK-1 when sealing has failed, nothing is being sealed any more', async () => {
  let sealing = 0
  const slow: Primitives = {
    ...nodePrimitives,
    async sealAesGcm (...input) {
      sealing++
      for (let i = 0; i < 20; i++) await tick()
      sealing--
      return nodePrimitives.sealAesGcm(...input)
    }
  }
  const source = (function * () { yield noise('failing', 2 * MIB); expect(sealing).toBeGreaterThan(1); throw new Error('gone') })()
  await expect(createContent({ primitives: slow, keys: keysOf(1) }).seal(source, facts, createShelf().sink)).rejects.toThrow('gone')
  expect(sealing).toBe(0)
})

test('CHK-1 a signal stops sealing and reading', async () => {
  const stop = new AbortController()
  const reason = new Error('enough')
  let read = 0
  async function * source (): AsyncGenerator<Uint8Array> {
    for (;;) {
      if ((read += MIB) > 5 * MIB) stop.abort(reason)
      await tick()
      yield noise('endless', MIB)
    }
  }
  await expect(contentOf().seal(source(), facts, async () => undefined, { signal: stop.signal })).rejects.toBe(reason)
  expect(read).toBeLessThan(12 * MIB)

  const { file, shelf } = await sealed(noise('abort', 3 * MIB))
  await expect(contentOf().open(file.ref, shelf.fetch, { signal: stop.signal })).rejects.toBe(reason)
  await expect(collect((await contentOf().open(file.ref, shelf.fetch)).read({}, { signal: stop.signal }))).rejects.toBe(reason)
  const later = new AbortController()
  let parts = 0
  const reading = async (): Promise<void> => { for await (const _ of (await contentOf().open(file.ref, shelf.fetch)).read({}, { signal: later.signal })) if (++parts === 3) later.abort(reason) }
  await expect(reading()).rejects.toBe(reason)
  expect(parts).toBe(3)
})

test('CHK-4 a reader that stops early gives up what is being fetched ahead, and no error is left behind', async () => {
  const bytes = noise('early', 3 * MIB)
  const { file, shelf } = await sealed(bytes)
  const given: AbortSignal[] = []
  const opened = await contentOf().open(file.ref, async (cid: CID, options) => {
    if (options?.signal !== undefined) given.push(options.signal)
    if (given.length > 1) throw new Error('only one chunk is here')
    return shelf.fetch(cid)
  })
  for await (const part of opened.read()) { expect(same(part, bytes.subarray(0, part.length))).toBe(true); break }
  await tick()
  expect(given.length).toBeGreaterThan(3)
  expect(given.every(signal => signal.aborted)).toBe(true)
})

test('CHK-1 progress counts bytes up to the size, which is told when it was given', async () => {
  for (const size of [0, 10, 100_000, 3 * MIB]) {
    const told: { done: number, total?: number }[] = []
    await contentOf().seal(pieces(noise('progress', size), 50_000), { ...facts, size }, createShelf().sink, { onProgress: progress => { told.push(progress) } })
    expect(told.at(-1)).toEqual({ done: size, total: size })
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).sort((a, b) => a - b))
    if (size > MIB) expect(told.length).toBeGreaterThan(10)
  }
})

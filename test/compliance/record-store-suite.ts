import type { RecordRange, RecordStore } from '@holdfast/protocol'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

/** An adapter under test. Each call of `open` gives a new, empty store; `close` ends it and removes what it left. */
export interface RecordStoreSubject { open: () => Promise<{ store: RecordStore, close: () => Promise<void> }> }

// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const seed = process.env['HOLDFAST_TEST_SEED']
const replay = seed === undefined ? {} : { seed: Number(seed) }
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const keysOf = async (store: RecordStore, range: RecordRange): Promise<string[]> => {
  const keys: string[] = []
  for await (const [key] of store.range(range)) keys.push(key)
  return keys
}
const put = async (store: RecordStore, ...keys: string[]): Promise<void> => store.write(keys.map(key => ({ key, value: text(key) })))
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

export function recordStoreSuite (name: string, subject: RecordStoreSubject): void {
  describe(`record store: ${name}`, () => {
    let store: RecordStore
    let close: () => Promise<void>
    beforeEach(async () => { ({ store, close } = await subject.open()) })
    afterEach(async () => { await close() })

    it('STORE-5 values come back as they were written, empty ones and empty keys too', async () => {
      await store.write([{ key: 'a', value: text('1') }, { key: 'b', value: new Uint8Array(0) }, { key: '', value: text('nameless') }], { durable: true })
      expect(await store.get('a')).toEqual(text('1'))
      expect(await store.get('b')).toEqual(new Uint8Array(0))
      expect(await store.get('')).toEqual(text('nameless'))
      expect(await store.get('c')).toBeUndefined()
    })

    it('STORE-5 undefined deletes; the last change of a key in a batch counts; an empty batch is nothing', async () => {
      await put(store, 'a', 'b')
      await store.write([{ key: 'a', value: undefined }, { key: 'c', value: text('old') }, { key: 'c', value: text('new') }, { key: 'd', value: text('d') }, { key: 'd', value: undefined }])
      await store.write([])
      await store.write([], { durable: true })
      expect(await keysOf(store, { prefix: '' })).toEqual(['b', 'c'])
      expect(await store.get('c')).toEqual(text('new'))
    })

    it('STORE-5 a batch with a key that has no UTF-8 form is refused as a whole', async () => {
      await expect(store.write([{ key: 'good', value: text('1') }, { key: 'half \ud83d', value: text('2') }])).rejects.toMatchObject({ name: 'InvalidArgumentError' })
      expect(await store.get('good')).toBeUndefined()
      await expect(store.get('\udc00')).rejects.toMatchObject({ name: 'InvalidArgumentError' })
    })

    it('STORE-5 what a caller does to its bytes afterwards changes nothing', async () => {
      const mine = text('value')
      await store.write([{ key: 'k', value: mine }])
      mine.fill(0)
      const read = (await store.get('k'))!
      expect(read).toEqual(text('value'))
      read.fill(0)
      expect(await store.get('k')).toEqual(text('value'))
    })

    it('STORE-4 keys are in the order of their UTF-8 bytes, which is not that of JavaScript strings', async () => {
      const keys = ['a', 'a\u0000', 'b', 'é', '\uffff', '\u{10000}', '\u{10ffff}', '日本']
      await put(store, ...keys)
      const sorted = keys.toSorted(byBytes)
      expect(sorted).not.toEqual(keys.toSorted())
      expect(await keysOf(store, { prefix: '' })).toEqual(sorted)
      expect(await keysOf(store, { prefix: '', reverse: true })).toEqual(sorted.toReversed())
    })

    it('STORE-4 a prefix, what comes after a key, and a limit, both ways', async () => {
      await put(store, 'p', 'p/1', 'p/2', 'p/3', 'p/\u{10ffff}', 'p/\u{10ffff}x', 'p0', 'q')
      expect(await keysOf(store, { prefix: 'p/' })).toEqual(['p/1', 'p/2', 'p/3', 'p/\u{10ffff}', 'p/\u{10ffff}x'])
      expect(await keysOf(store, { prefix: 'p/', after: 'p/1', limit: 2 })).toEqual(['p/2', 'p/3'])
      expect(await keysOf(store, { prefix: 'p/', after: 'p/3', reverse: true })).toEqual(['p/2', 'p/1'])
      expect(await keysOf(store, { prefix: 'p/', reverse: true, limit: 1 })).toEqual(['p/\u{10ffff}x'])
      expect(await keysOf(store, { prefix: 'p/', after: 'a' })).toHaveLength(5)
      expect(await keysOf(store, { prefix: 'p/', after: 'z' })).toEqual([])
      expect(await keysOf(store, { prefix: 'p/', after: 'z', reverse: true })).toHaveLength(5)
      expect(await keysOf(store, { prefix: 'p/', after: 'a', reverse: true })).toEqual([])
      expect(await keysOf(store, { prefix: 'p/', limit: 0 })).toEqual([])
      expect(await keysOf(store, { prefix: 'none' })).toEqual([])
    })

    it('STORE-4 any range is what sorting and filtering gives', async () => {
      const unit = fc.constantFrom('a', 'b', '/', '\u0000', 'ÿ', '\uffff', '\u{10000}', '\u{10ffff}')
      const key = fc.string({ unit, maxLength: 4 })
      await fc.assert(fc.asyncProperty(fc.uniqueArray(key, { maxLength: 20 }), key, fc.option(key, { nil: undefined }), fc.boolean(), fc.option(fc.nat(6), { nil: undefined }), async (keys, prefix, after, reverse, limit) => {
        await store.write((await keysOf(store, { prefix: '' })).map(old => ({ key: old, value: undefined })))
        await put(store, ...keys)
        const expected = keys.filter(found => found.startsWith(prefix)).toSorted(byBytes)
        if (reverse) expected.reverse()
        const beyond = expected.filter(found => after === undefined || (reverse ? byBytes(found, after) < 0 : byBytes(found, after) > 0))
        expect(await keysOf(store, { prefix, reverse, ...(after !== undefined && { after }), ...(limit !== undefined && { limit }) })).toEqual(beyond.slice(0, limit))
      }), { numRuns: 150, ...replay })
    })

    it('STORE-4 a range shows records as they were when it began', async () => {
      const keys = Array.from({ length: 700 }, (_, i) => `k${String(i).padStart(4, '0')}`)
      await put(store, ...keys)
      const seen: string[] = []
      for await (const [key, value] of store.range({ prefix: 'k' })) {
        if (seen.length === 0) await store.write([{ key: 'k0005', value: undefined }, { key: 'k0006', value: text('changed') }, { key: 'k0600x', value: text('new') }])
        expect(value).toEqual(text(key))
        seen.push(key)
      }
      expect(seen).toEqual(keys)
      expect(await store.get('k0006')).toEqual(text('changed'))
    })

    it('STORE-4 a range may be left early', async () => {
      await put(store, 'a', 'b', 'c')
      for await (const [key] of store.range({ prefix: '' })) {
        expect(key).toBe('a')
        break
      }
      expect(await keysOf(store, { prefix: '' })).toEqual(['a', 'b', 'c'])
    })

    it('STORE-5 batches that overlap happen one after the other', async () => {
      await Promise.all(Array.from({ length: 40 }, async (_, i) => store.write([{ key: 'x', value: text(String(i)) }, { key: 'y', value: text(String(i)) }], { durable: i % 10 === 0 })))
      expect(await store.get('x')).toEqual(await store.get('y'))
    })

    it('STORE-7 every call takes a signal', async () => {
      const reason = new Error('not wanted any more')
      const options = { signal: AbortSignal.abort(reason) }
      await expect(store.write([{ key: 'a', value: text('1') }], options)).rejects.toBe(reason)
      await expect(store.get('a', options)).rejects.toBe(reason)
      await expect((async () => { for await (const [key] of store.range({ prefix: '' }, options)) expect(key).toBeUndefined() })()).rejects.toBe(reason)
      expect(await store.get('a')).toBeUndefined()
    })

    it('STORE-7 after close, which may be called twice, calls are refused', async () => {
      await store.close()
      await store.close()
      const refused = { name: 'InvalidArgumentError', family: 'invalid' }
      await expect(store.write([{ key: 'a', value: text('1') }])).rejects.toMatchObject(refused)
      await expect(store.get('a')).rejects.toMatchObject(refused)
      await expect(keysOf(store, { prefix: '' })).rejects.toMatchObject(refused)
    })
  })
}

import type { RecordStore } from '@holdfast/protocol'
import { expect, test } from 'vitest'
import { nodePrimitives } from '../../client/src/node-primitives.js'
import { random } from '../testing/seed.js'
import { createSealedRecordStore, webPrimitives } from './index.js'

/** Records in a map, in the order of their keys. */
function createFakeStore (): { store: RecordStore, raw: Map<string, Uint8Array>, closed: () => boolean } {
  const raw = new Map<string, Uint8Array>()
  let closed = false
  const store: RecordStore = {
    get: async key => raw.get(key),
    async write (changes) {
      for (const { key, value } of changes) {
        if (value === undefined) raw.delete(key)
        else raw.set(key, value)
      }
    },
    async * range ({ prefix }) {
      for (const [key, value] of [...raw].sort(([a], [b]) => a < b ? -1 : 1)) if (key.startsWith(prefix)) yield [key, value] as const
    },
    async close () { closed = true }
  }
  return { store, raw, closed: () => closed }
}

const key = random.bytes(32)
const secret = new TextEncoder().encode('a name that nobody is to read')
const list = async (store: RecordStore, prefix: string): Promise<string[]> => {
  const found: string[] = []
  for await (const [name, value] of store.range({ prefix })) found.push(`${name}=${new TextDecoder().decode(value)}`)
  return found
}

test.each([['web', webPrimitives], ['node', nodePrimitives]])('KEY-4 records come back and nothing of a value is stored in the clear (%s)', async (_, primitives) => {
  const { store: inner, raw, closed } = createFakeStore()
  const store = createSealedRecordStore(inner, key, primitives, random)
  await store.write([{ key: 'page/2', value: secret }, { key: 'page/1', value: new Uint8Array(0) }, { key: 'other', value: secret }])
  expect(await store.get('page/2')).toEqual(secret)
  expect(await store.get('none')).toBeUndefined()
  expect(await list(store, 'page/')).toEqual(['page/1=', 'page/2=a name that nobody is to read'])
  for (const sealed of raw.values()) expect(Buffer.from(sealed).includes('nobody')).toBe(false)
  expect(raw.get('other')).not.toEqual(raw.get('page/2'))
  await store.write([{ key: 'page/2', value: undefined }])
  expect(await store.get('page/2')).toBeUndefined()
  expect(raw.has('page/2')).toBe(false)
  await store.close()
  expect(closed()).toBe(true)
})

test('KEY-4 records that were changed, cut short, moved to another key or sealed with another key are a CorruptBlockError', async () => {
  const { store: inner, raw } = createFakeStore()
  const store = createSealedRecordStore(inner, key, nodePrimitives, random)
  await store.write([{ key: 'a', value: secret }])
  const sealed = raw.get('a')!
  const corrupt = { name: 'CorruptBlockError' }
  for (const wrong of [sealed.map((byte, i) => i === 20 ? byte ^ 1 : byte), sealed.subarray(0, 27), sealed.subarray(0, sealed.length - 1), new Uint8Array(0)]) {
    raw.set('a', wrong)
    await expect(store.get('a')).rejects.toMatchObject(corrupt)
    await expect(list(store, '')).rejects.toMatchObject(corrupt)
  }
  raw.set('a', sealed).set('b', sealed)
  await expect(store.get('b')).rejects.toMatchObject(corrupt)
  await expect(createSealedRecordStore(inner, random.bytes(32), nodePrimitives, random).get('a')).rejects.toMatchObject(corrupt)
})

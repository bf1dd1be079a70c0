import type { CallOptions, Random, RecordChange, RecordRange, RecordStore } from '@holdfast/protocol'
import { doesNotOpen, type Primitives } from './primitives.js'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const utf8 = new TextEncoder()

/**
 * A record store whose values are sealed at rest, over one that sees ciphertext only. Keys stay in the clear, because the store orders
 * by them: they must not hold secrets. A value: nonce (12 random bytes) ‖ AES-256-GCM, with the record's key as associated data,
 * so that values cannot change places. Reading what was altered throws CorruptBlockError.
 */
export function createSealedRecordStore (inner: RecordStore, key: Uint8Array, primitives: Primitives, random: Random): RecordStore {
  const seal = async (name: string, value: Uint8Array): Promise<Uint8Array> => {
    const nonce = random.bytes(NONCE_BYTES)
    const ciphertext = await primitives.sealAesGcm(key, nonce, value, utf8.encode(name))
    const sealed = new Uint8Array(NONCE_BYTES + ciphertext.length)
    sealed.set(nonce)
    sealed.set(ciphertext, NONCE_BYTES)
    return sealed
  }
  const open = async (name: string, sealed: Uint8Array): Promise<Uint8Array> => {
    if (sealed.length < NONCE_BYTES + TAG_BYTES) throw doesNotOpen()
    return primitives.openAesGcm(key, sealed.subarray(0, NONCE_BYTES), sealed.subarray(NONCE_BYTES), utf8.encode(name))
  }
  const sealChange = async (change: RecordChange): Promise<RecordChange> =>
    change.value === undefined ? change : { key: change.key, value: await seal(change.key, change.value) }
  return {
    async get (name: string, options?: CallOptions) {
      const sealed = await inner.get(name, options)
      return sealed === undefined ? undefined : open(name, sealed)
    },
    async write (changes, options) {
      await inner.write(await Promise.all(changes.map(sealChange)), options)
    },
    async * range (range: RecordRange, options?: CallOptions) {
      for await (const [name, sealed] of inner.range(range, options)) yield [name, await open(name, sealed)] as const
    },
    close: async () => inner.close()
  }
}

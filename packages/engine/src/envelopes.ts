import { createHeadRecord, readHeadRecord } from '@holdfast/roots'
import { checkVersion, decode, encode, fieldReader, type Block, type BlockStore, type CallOptions, type HeadName, type NodeClient, type RecordStore } from '@holdfast/protocol'

/** KEY-3: an unlock envelope and the record that publishes it under the name derived from the unlocking method. */
export interface StoredEnvelope { name: HeadName, record: Uint8Array, block: Block }

export interface Envelopes {
  /** Keeps an envelope; a newer one of the same name takes its place. `now` in milliseconds since the Unix epoch. */
  add (envelope: { name: HeadName, seed: Uint8Array, block: Block }, now: number): Promise<void>
  /** Changes when an envelope does. */
  readonly version: string
  /** Brings every envelope to a node, so that the phrase or wallet and the node's address find the account again. */
  publish (client: NodeClient, options?: CallOptions): Promise<void>
}

const VERSION = 1
const PREFIX = 'envelope/'
/** An envelope has to be found for as long as the person keeps the phrase. */
const LIFETIME_MS = 100 * 365 * 24 * 60 * 60 * 1000
const TTL_MS = 60 * 60 * 1000

export async function loadEnvelopes (records: RecordStore, blocks: BlockStore): Promise<Envelopes> {
  const known = new Map<HeadName, StoredEnvelope>()
  for await (const [, value] of records.range({ prefix: PREFIX })) {
    const decoded = decode(value, 'stored envelope')
    checkVersion('stored envelope', decoded, VERSION)
    const f = fieldReader('stored envelope', decoded)
    const name = f.text('name') as HeadName
    known.set(name, { name, record: f.bytes('record'), block: { cid: f.cid('cid'), bytes: f.bytes('bytes') } })
  }
  return {
    get version () { return [...known.values()].map(({ name, block }) => `${name} ${block.cid.toString()}`).sort().join('\n') },
    async add ({ name, seed, block }, now) {
      const before = known.get(name)
      // Every device of the account publishes under this name: the clock keeps their numbers apart.
      const least = before === undefined ? 1n : (await readHeadRecord(name, before.record)).sequence + 1n
      const sequence = least > BigInt(now) ? least : BigInt(now)
      const record = await createHeadRecord(seed, block.cid, sequence, { lifetimeMs: LIFETIME_MS, ttlMs: TTL_MS, now })
      await blocks.put([block])
      await records.write([{ key: PREFIX + name, value: encode({ v: VERSION, name, record, cid: block.cid, bytes: block.bytes }) }], { durable: true })
      known.set(name, { name, record, block })
    },
    async publish (client, options) {
      for (const { name, record, block } of known.values()) {
        await client.registerEnvelope(name, options)
        await client.putBlocks([block], options)
        await client.putRecord(name, record, options)
      }
    }
  }
}

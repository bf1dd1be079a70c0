import { CID } from 'multiformats/cid'
import { rm } from 'node:fs/promises'
import { openDatabase, type Database, type Operation } from './database.js'
import { CorruptStoreError } from './errors.js'

/** Where a block's bytes are. */
export interface Location { readonly pack: number, readonly offset: number, readonly length: number }
export interface Located extends Location { readonly cid: CID }
/** A place in the packs. */
export interface Position { readonly pack: number, readonly offset: number }

/**
 * Which block is where: a LevelDB that can be rebuilt from the packs. The checkpoint says up to where the packs are known
 * to be in it, whatever happens to the machine; what comes behind is scanned when the store is opened.
 */
export interface BlockIndex {
  get (cid: CID): Promise<Location | undefined>
  getMany (cids: readonly CID[]): Promise<(Location | undefined)[]>
  hasMany (cids: readonly CID[]): Promise<boolean[]>
  set (blocks: readonly Located[]): Promise<void>
  /** Also remembers how many bytes in the packs belong to no block any more. */
  remove (cids: readonly CID[], deadBytes: number): Promise<void>
  all (): AsyncIterable<Located>
  checkpoint (): Promise<Position | undefined>
  deadBytes (): Promise<number>
  /** Sets the checkpoint; it and all that was written before survive a power cut. */
  setCheckpoint (position: Position, deadBytes: number): Promise<void>
  close (): Promise<void>
}

const BLOCK = 0x62
const CHECKPOINT = new TextEncoder().encode('m/checkpoint')
const DEAD = new TextEncoder().encode('m/dead')
/** Entries in one LevelDB batch. */
const BATCH = 4_096

export async function openBlockIndex (directory: string): Promise<BlockIndex> {
  const database = await openOrRebuild(directory)
  return {
    get: async cid => decodeLocation(await database.get(blockKey(cid))),
    getMany: async cids => (await database.getMany(cids.map(blockKey))).map(decodeLocation),
    hasMany: async cids => database.hasMany(cids.map(blockKey)),
    async set (blocks) {
      for (let i = 0; i < blocks.length; i += BATCH) {
        await database.write(blocks.slice(i, i + BATCH).map((block): Operation => ({ type: 'put', key: blockKey(block.cid), value: numbers(block.pack, block.offset, block.length) })))
      }
    },
    remove: async (cids, deadBytes) => database.write([...cids.map((cid): Operation => ({ type: 'del', key: blockKey(cid) })), { type: 'put', key: DEAD, value: float(deadBytes) }]),
    async * all () {
      for await (const [key, value] of database.range({ gte: Uint8Array.of(BLOCK), lt: Uint8Array.of(BLOCK + 1) })) {
        yield { cid: CID.decode(key.subarray(1)), ...decodeLocation(value)! }
      }
    },
    async checkpoint () {
      const found = decodeNumbers(await database.get(CHECKPOINT))
      return found === undefined ? undefined : { pack: found[0]!, offset: found[1]! }
    },
    async deadBytes () {
      const found = await database.get(DEAD)
      return found === undefined ? 0 : view(found).getFloat64(0)
    },
    setCheckpoint: async ({ pack, offset }, deadBytes) => database.write([{ type: 'put', key: CHECKPOINT, value: numbers(pack, offset) }, { type: 'put', key: DEAD, value: float(deadBytes) }], { sync: true }),
    close: async () => database.close()
  }
}

/** A damaged index is thrown away: without a checkpoint, opening the store scans all packs. */
async function openOrRebuild (directory: string): Promise<Database> {
  try { return await openDatabase(directory) } catch (error) {
    if (!(error instanceof CorruptStoreError)) throw error
    await rm(directory, { recursive: true })
    return openDatabase(directory)
  }
}

function blockKey (cid: CID): Uint8Array {
  const key = new Uint8Array(1 + cid.bytes.length)
  key[0] = BLOCK
  key.set(cid.bytes, 1)
  return key
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function numbers (...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4)
  values.forEach((value, index) => { view(bytes).setUint32(index * 4, value) })
  return bytes
}

function float (value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  view(bytes).setFloat64(0, value)
  return bytes
}

const decodeNumbers = (bytes: Uint8Array | undefined): number[] | undefined =>
  bytes === undefined ? undefined : Array.from({ length: bytes.length / 4 }, (_, index) => view(bytes).getUint32(index * 4))

function decodeLocation (bytes: Uint8Array | undefined): Location | undefined {
  const found = decodeNumbers(bytes)
  return found === undefined ? undefined : { pack: found[0]!, offset: found[1]!, length: found[2]! }
}

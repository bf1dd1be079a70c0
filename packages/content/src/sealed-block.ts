import { padme, unpadme, type PaddingKind, type Primitives } from '@holdfast/crypto'
import { checkVersion, CorruptBlockError, DAG_CBOR, decode, encode, equalBytes, fieldReader, LimitExceededError, MAX_BLOCK_BYTES, RAW, type Block } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'

const VERSION = 1
const SHA2_256 = 0x12
/** Entries of one file node or index block. Readers refuse more. */
export const MAX_LIST_ENTRIES = 256

/**
 * A key is made from what it seals, so it seals one plaintext and the nonce may be constant. It differs between the two
 * kinds of padding, since one chunk may occur with both.
 */
const NONCES: Record<PaddingKind, Uint8Array> = { file: new Uint8Array(12), chunk: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) }

/** A block with the key that opens it. */
export interface SealedBlock { readonly block: Block, readonly key: Uint8Array }

interface BlockRef { readonly cid: CID, readonly key: Uint8Array }
interface ChunkRef extends BlockRef { readonly length: number }

export interface Sealer {
  /** CHK-2, CHK-3. */
  sealChunk (plaintext: Uint8Array, kind: PaddingKind): Promise<SealedBlock>
  openChunk (ref: ChunkRef, bytes: Uint8Array, kind: PaddingKind): Promise<Uint8Array>
  /** A block `{v: 1, links, sealed}` whose key is made with `keyOfKind` from the DAG-CBOR of `value`. */
  sealList (keyOfKind: Uint8Array, links: readonly CID[], value: Record<string, unknown>): Promise<SealedBlock>
  openList (what: string, keyOfKind: Uint8Array, ref: BlockRef, bytes: Uint8Array): Promise<OpenList>
}
export interface OpenList { readonly links: readonly CID[], readonly value: unknown }

export function createSealer (primitives: Primitives, chunkKey: Uint8Array): Sealer {
  const createBlock = async (code: number, bytes: Uint8Array): Promise<Block> => {
    if (bytes.length > MAX_BLOCK_BYTES) throw new LimitExceededError('block size', bytes.length, MAX_BLOCK_BYTES)
    return { cid: CID.createV1(code, Digest.create(SHA2_256, await primitives.sha256(bytes))), bytes }
  }
  /** CHK-3: opens, and proves that the plaintext is the one that the key was made from. */
  const openSealed = async (what: string, keyOfKind: Uint8Array, ref: BlockRef, sealed: Uint8Array, kind: PaddingKind): Promise<Uint8Array> => {
    try {
      const plaintext = unpadme(await primitives.openAesGcm(ref.key, NONCES[kind], sealed), kind)
      if (equalBytes(await primitives.hmacSha256(keyOfKind, plaintext), ref.key)) return plaintext
    } catch (cause) {
      if (!(cause instanceof CorruptBlockError)) throw cause
      throw corrupt(what, ref.cid, cause)
    }
    throw corrupt(what, ref.cid)
  }
  return {
    async sealChunk (plaintext, kind) {
      // Padded first: what the source lent may change once this call has yielded.
      const padded = padme(plaintext, kind)
      const key = await primitives.hmacSha256(chunkKey, padded.subarray(0, plaintext.length))
      return { key, block: await createBlock(RAW, await primitives.sealAesGcm(key, NONCES[kind], padded)) }
    },
    async openChunk (ref, bytes, kind) {
      checkSize(bytes)
      const plaintext = await openSealed('chunk', chunkKey, ref, bytes, kind)
      if (plaintext.length !== ref.length) throw corrupt('chunk', ref.cid)
      return plaintext
    },
    async sealList (keyOfKind, links, value) {
      const plaintext = encode(value)
      const key = await primitives.hmacSha256(keyOfKind, plaintext)
      const sealed = await primitives.sealAesGcm(key, NONCES.file, padme(plaintext))
      return { key, block: await createBlock(DAG_CBOR, encode({ v: VERSION, links, sealed })) }
    },
    async openList (what, keyOfKind, ref, bytes) {
      checkSize(bytes)
      // The links are outside the seal; the CID covers them.
      if (!equalBytes(await primitives.sha256(bytes), ref.cid.multihash.digest)) throw corrupt(what, ref.cid)
      const map = decode(bytes, what)
      checkVersion(what, map, VERSION)
      const fields = fieldReader(what, map)
      const links = fields.array('links', MAX_LIST_ENTRIES).map(link => linkOf(what, link))
      return { links, value: decode(await openSealed(what, keyOfKind, ref, fields.bytes('sealed'), 'file'), what) }
    }
  }
}

const corrupt = (what: string, cid: CID, cause?: unknown): CorruptBlockError =>
  new CorruptBlockError(`${what} ${cid.toString()} does not open: it was damaged, or is another one than its key belongs to`, { cid: cid.toString() }, { cause })

function checkSize (bytes: Uint8Array): void {
  if (bytes.length > MAX_BLOCK_BYTES) throw new LimitExceededError('block size', bytes.length, MAX_BLOCK_BYTES)
}

function linkOf (what: string, value: unknown): CID {
  const cid = CID.asCID(value)
  if (cid === null || cid.version !== 1 || cid.multihash.code !== SHA2_256) throw new CorruptBlockError(`${what} has something other than links to blocks in its list`)
  return cid
}

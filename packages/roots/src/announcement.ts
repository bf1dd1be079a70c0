import {
  CorruptBlockError, LimitExceededError, MAX_ANNOUNCEMENT_BYTES, MAX_ANNOUNCEMENT_INLINE_BYTES, checkBlock, checkVersion, decode, encode, fieldReader,
  type Block, type HeadName
} from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { parseHeadName } from './head-record.js'
import { MAX_ANNOUNCEMENT_BLOCKS, MAX_RECORD_BYTES } from './limits.js'

const VERSION = 1

/** ANN-1: "this head has moved", with what is small enough to come along. */
export interface Announcement {
  readonly head: HeadName
  /** The IPNS record; `readHeadRecord` checks it. */
  readonly record: Uint8Array
  /** Root, body, trie nodes, changes and small file nodes, in any order; possibly none. */
  readonly blocks: readonly Block[]
}

/** DAG-CBOR `{v, head, record, blocks: [[link, bytes]…]}`. Throws LimitExceededError: then announce with fewer blocks. */
export function encodeAnnouncement ({ head, record, blocks }: Announcement): Uint8Array {
  checkLimits(record, blocks.map(block => block.bytes))
  const bytes = encode({ v: VERSION, head, record, blocks: blocks.map(block => [block.cid, block.bytes]) })
  if (bytes.length > MAX_ANNOUNCEMENT_BYTES) throw new LimitExceededError('announcement size', bytes.length, MAX_ANNOUNCEMENT_BYTES)
  return bytes
}

/** Reads an untrusted announcement; every block is checked against its CID. Throws CorruptBlockError, LimitExceededError, UnknownVersionError. */
export async function decodeAnnouncement (bytes: Uint8Array): Promise<Announcement> {
  if (bytes.length > MAX_ANNOUNCEMENT_BYTES) throw new LimitExceededError('announcement size', bytes.length, MAX_ANNOUNCEMENT_BYTES)
  const value = decode(bytes, 'announcement')
  checkVersion('announcement', value, VERSION)
  const f = fieldReader('announcement', value)
  const record = f.bytes('record')
  const pairs = f.array('blocks', MAX_ANNOUNCEMENT_BLOCKS).map(pairOf)
  checkLimits(record, pairs.map(pair => pair.bytes))
  return { head: headOf(f.text('head', 128)), record, blocks: await Promise.all(pairs.map(async pair => checkPair(pair))) }
}

function checkLimits (record: Uint8Array, blocks: readonly Uint8Array[]): void {
  if (record.length > MAX_RECORD_BYTES) throw new LimitExceededError('IPNS record size', record.length, MAX_RECORD_BYTES)
  if (blocks.length > MAX_ANNOUNCEMENT_BLOCKS) throw new LimitExceededError('blocks in an announcement', blocks.length, MAX_ANNOUNCEMENT_BLOCKS)
  const inline = blocks.reduce((sum, block) => sum + block.length, 0)
  if (inline > MAX_ANNOUNCEMENT_INLINE_BYTES) throw new LimitExceededError('bytes of blocks in an announcement', inline, MAX_ANNOUNCEMENT_INLINE_BYTES)
}

function headOf (text: string): HeadName {
  try { return parseHeadName(text) } catch (cause) { throw new CorruptBlockError('an announcement names no head', {}, { cause }) }
}

function pairOf (pair: unknown): Block {
  const [link, bytes] = Array.isArray(pair) && pair.length === 2 ? pair as unknown[] : []
  const cid = CID.asCID(link)
  if (cid === null || !(bytes instanceof Uint8Array)) throw new CorruptBlockError('an announcement has something other than a block')
  return { cid, bytes }
}

async function checkPair ({ cid, bytes }: Block): Promise<Block> {
  try { return await checkBlock(cid, bytes) } catch (cause) { throw new CorruptBlockError('an announcement has a block that is not what its CID says', { cid: cid.toString() }, { cause }) }
}

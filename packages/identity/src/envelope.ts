import { openSmall, sealSmall, type SealContext } from '@holdfast/crypto'
import { checkVersion, CorruptBlockError, decode, encode, encodeBlock, fieldReader, InvalidArgumentError, LimitExceededError, toHex, type Block, type Random } from '@holdfast/protocol'
import { ROOT_KEY_BYTES } from './account.js'
import { WrongUnlockError } from './errors.js'
import type { UnlockMethod } from './unlock.js'

/** What helps a new device to begin: where the account's nodes are. */
export interface EnvelopeHints {
  /** URLs of nodes. */
  readonly nodes: readonly string[]
}

export interface OpenedEnvelope { readonly rootKey: Uint8Array, readonly hints: EnvelopeHints }

export const MAX_ENVELOPE_NODES = 32
export const MAX_NODE_URL_LENGTH = 2_048
/** An envelope is small; anything larger is none. Bytes. */
export const MAX_ENVELOPE_BYTES = 256 << 10

const VERSION = 1
const WHAT = 'unlock envelope'

/**
 * KEY-1: wraps a root key for one unlocking method. A block of DAG-CBOR {v: 1, sealed}; the sealed part is
 * DAG-CBOR {v: 1, root: 32 bytes, nodes: [text]}. Each call gives another block (random nonce).
 */
export async function sealEnvelope (rootKey: Uint8Array, method: UnlockMethod, hints: EnvelopeHints, random: Random): Promise<Block> {
  if (rootKey.length !== ROOT_KEY_BYTES) throw new InvalidArgumentError(`a root key has ${ROOT_KEY_BYTES} bytes, not ${rootKey.length}`)
  if (hints.nodes.length > MAX_ENVELOPE_NODES) throw new LimitExceededError('nodes in an envelope', hints.nodes.length, MAX_ENVELOPE_NODES)
  for (const url of hints.nodes) if (url.length > MAX_NODE_URL_LENGTH) throw new LimitExceededError('length of a node URL', url.length, MAX_NODE_URL_LENGTH)
  const plain = encode({ v: VERSION, root: rootKey, nodes: [...hints.nodes] })
  return encodeBlock({ v: VERSION, sealed: sealSmall(method.wrapKey, plain, contextOf(method), random) })
}

/** Throws WrongUnlockError when this method does not open it, CorruptBlockError when it is no envelope, UnknownVersionError. */
export function openEnvelope (bytes: Uint8Array, method: UnlockMethod): OpenedEnvelope {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw new LimitExceededError('envelope size', bytes.length, MAX_ENVELOPE_BYTES)
  const outer = decode(bytes, WHAT)
  checkVersion(WHAT, outer, VERSION)
  const plain = openSealed(fieldReader(WHAT, outer).bytes('sealed'), method)
  checkVersion(WHAT, plain, VERSION)
  const f = fieldReader(WHAT, plain)
  return { rootKey: f.bytes('root', ROOT_KEY_BYTES), hints: { nodes: f.array('nodes', MAX_ENVELOPE_NODES).map(nodeUrl) } }
}

function openSealed (sealed: Uint8Array, method: UnlockMethod): unknown {
  let plain: Uint8Array
  try { plain = openSmall(method.wrapKey, sealed, contextOf(method)) } catch (cause) {
    if (cause instanceof CorruptBlockError) throw new WrongUnlockError(method.kind, { cause })
    throw cause
  }
  return decode(plain, WHAT)
}

function nodeUrl (value: unknown): string {
  if (typeof value !== 'string') throw new CorruptBlockError(`${WHAT} names a node that is no text`)
  if (value.length > MAX_NODE_URL_LENGTH) throw new LimitExceededError('length of a node URL', value.length, MAX_NODE_URL_LENGTH)
  return value
}

/** The position is the envelope's name, so that one envelope never stands in for another. */
const contextOf = (method: UnlockMethod): SealContext => ({ vault: null, epoch: 0, purpose: 'envelope', position: toHex(method.namePublicKey) })

import {
  CorruptBlockError, InvalidArgumentError, LimitExceededError, MAX_VECTOR_DEVICES, DAG_CBOR, checkBlock, checkCidKind, checkVersion, compareBytes, counterOf, createBlock,
  decode, deviceId, encode, equalBytes, fieldReader, fromHex, requireSignature, signedBytes, vaultId, type Block, type DeviceId, type FieldReader, type Signer, type VaultId, type VersionVector
} from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { MAX_ROOT_BYTES } from './limits.js'

const VERSION = 1

/** The signed block from which everything in a vault at one device's moment is reachable. */
export interface Root {
  readonly vault: VaultId
  readonly device: DeviceId
  /** How many roots the device has made for this vault, this one included: 1, 2, … */
  readonly counter: number
  /** Which root of each device this one contains; `vector[device]` is `counter`. */
  readonly vector: VersionVector
  readonly body: CID
  /** By the device's clock, milliseconds since the Unix epoch. */
  readonly at: number
}

/** What a root's signature covers. The vector is a list [device, counter] ordered by device. */
export const rootFields = (root: Root) => ({
  v: VERSION,
  vault: fromHex(root.vault),
  device: fromHex(root.device),
  counter: root.counter,
  vector: (Object.entries(root.vector) as [DeviceId, number][]).map(([device, counter]) => [fromHex(device), counter] as const).sort(([a], [b]) => compareBytes(a, b)),
  body: root.body,
  at: root.at
})

/** DAG-CBOR of the fields and `sig`. Throws InvalidArgumentError when the root is not by this signer or contradicts itself, LimitExceededError. */
export async function signRoot (root: Root, signer: Signer): Promise<Block> {
  if (deviceId(signer.publicKey) !== root.device) throw new InvalidArgumentError('a root is signed by its own device')
  if (counterOf(root.vector, root.device) !== root.counter) throw new InvalidArgumentError("a root's vector holds its own counter")
  const devices = Object.keys(root.vector).length
  if (devices > MAX_VECTOR_DEVICES) throw new LimitExceededError('devices in a version vector', devices, MAX_VECTOR_DEVICES)
  const fields = rootFields(root)
  return createBlock(DAG_CBOR, encode({ ...fields, sig: await signer.sign(signedBytes('root', fields)) }))
}

/**
 * Reads an untrusted root: CID, version, shape, limits, and the signature by the device that it names. Whether
 * that device is a member is for membership to say. There is one encoding of a root, so nobody but its device can
 * make a second block of it. Throws CorruptBlockError, LimitExceededError, UnknownVersionError, UnauthorisedError.
 */
export async function readRoot (block: Block): Promise<Root> {
  if (block.bytes.length > MAX_ROOT_BYTES) throw new LimitExceededError('root size', block.bytes.length, MAX_ROOT_BYTES)
  await checkBlock(block.cid, block.bytes)
  const value = decode(block.bytes, 'root')
  checkVersion('root', value, VERSION)
  const f = fieldReader('root', value)
  const root: Root = {
    vault: vaultId(f.bytes('vault', 16)),
    device: deviceId(f.bytes('device', 32)),
    counter: f.integer('counter', 1),
    vector: readVector(f),
    body: readBodyLink(f),
    at: f.integer('at')
  }
  const sig = f.bytes('sig', 64)
  if (counterOf(root.vector, root.device) !== root.counter) throw new CorruptBlockError("a root's vector does not hold its own counter")
  const fields = rootFields(root)
  if (!equalBytes(encode({ ...fields, sig }), block.bytes)) throw new CorruptBlockError('a root is not in the one encoding of its content')
  await requireSignature('root', fromHex(root.device), fields, sig)
  return root
}

function readVector (f: FieldReader): VersionVector {
  const vector: Record<DeviceId, number> = {}
  for (const entry of f.array('vector', MAX_VECTOR_DEVICES)) {
    if (!Array.isArray(entry) || entry.length !== 2) throw new CorruptBlockError('a version vector has something other than a pair')
    const pair = fieldReader('version vector', { device: entry[0] as unknown, counter: entry[1] as unknown })
    vector[deviceId(pair.bytes('device', 32))] = pair.integer('counter', 1)
  }
  return vector
}

function readBodyLink (f: FieldReader): CID {
  const body = f.cid('body')
  try { checkCidKind(body) } catch (cause) { throw new CorruptBlockError('a root links to a body that Holdfast never makes', {}, { cause }) }
  return body
}

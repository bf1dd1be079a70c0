import { base58btc } from 'multiformats/bases/base58'
import { InvalidArgumentError } from './errors.js'
import { deviceId, fromHex, type DeviceId } from './ids.js'

/** libp2p peer id of an Ed25519 key: identity multihash of its protobuf public key, in base58btc. Source: libp2p specs, peer-ids. */
const PREFIX = Uint8Array.from([0x00, 0x24, 0x08, 0x01, 0x12, 0x20])

export function peerIdOfKey (publicKey: Uint8Array): string {
  const bytes = new Uint8Array(PREFIX.length + 32)
  bytes.set(PREFIX)
  bytes.set(publicKey, PREFIX.length)
  return base58btc.baseEncode(bytes)
}

export const peerIdOfDevice = (device: DeviceId): string => peerIdOfKey(fromHex(device))

/** The 32-byte Ed25519 key inside a peer id (`12D3Koo…`). Throws InvalidArgumentError for other kinds of key. */
export function keyOfPeerId (peerId: string): Uint8Array {
  let bytes: Uint8Array
  try { bytes = base58btc.baseDecode(peerId) } catch { throw new InvalidArgumentError(`"${peerId}" is not a peer id`) }
  if (bytes.length !== PREFIX.length + 32 || !PREFIX.every((byte, i) => bytes[i] === byte)) throw new InvalidArgumentError(`"${peerId}" is not the peer id of an Ed25519 key`)
  return bytes.slice(PREFIX.length)
}

export const deviceOfPeerId = (peerId: string): DeviceId => deviceId(keyOfPeerId(peerId))

import { createSigner, deriveKey } from '@holdfast/crypto'
import { certifyDevice, deviceId, InvalidArgumentError, type DeviceCertificate, type DeviceId, type Random, type Signer, type VaultId } from '@holdfast/protocol'
import type { Account } from './account.js'

export const DEVICE_SEED_BYTES = 32

/** One installation's keys. Holds secrets; it never leaves the device. */
export interface DeviceKeys {
  readonly id: DeviceId
  /** Ed25519 seed, 32 bytes; the same key is the libp2p peer id. */
  readonly seed: Uint8Array
  readonly signer: Signer
}

export const generateDeviceSeed = (random: Random): Uint8Array => random.bytes(DEVICE_SEED_BYTES)

/** Throws InvalidArgumentError when the seed is not 32 bytes. */
export function openDevice (seed: Uint8Array): DeviceKeys {
  checkSeed(seed)
  const signer = createSigner(seed)
  return { id: deviceId(signer.publicKey), seed, signer }
}

/** A new device, certified by the account. `now` in milliseconds since the Unix epoch. */
export async function createDevice (account: Account, random: Random, now: number): Promise<DeviceKeys & { readonly certificate: DeviceCertificate }> {
  const device = openDevice(generateDeviceSeed(random))
  return { ...device, certificate: await certifyDevice(account.signer, device.id, now) }
}

/** HEAD-1: Ed25519 seed (32 bytes) of the IPNS name that this device publishes for a vault. */
export function headSeed (deviceSeed: Uint8Array, vault: VaultId): Uint8Array {
  checkSeed(deviceSeed)
  return deriveKey(deviceSeed, `head/${vault}`)
}

/** Key (32 bytes) that seals this device's records at rest. */
export function stateKey (deviceSeed: Uint8Array): Uint8Array {
  checkSeed(deviceSeed)
  return deriveKey(deviceSeed, 'state')
}

function checkSeed (seed: Uint8Array): void {
  if (seed.length !== DEVICE_SEED_BYTES) throw new InvalidArgumentError(`a device seed has ${DEVICE_SEED_BYTES} bytes, not ${seed.length}`)
}

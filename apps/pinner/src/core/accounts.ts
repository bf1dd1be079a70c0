import {
  checkCertificate, checkRevocation, deviceId, LimitExceededError, UnauthorisedError, equalBytes, toHex,
  type AccountId, type Clock, type DeviceCertificate, type DeviceId, type HeadName, type Random, type Revocation
} from '@holdfast/protocol'
import { headNameOf, parseHeadName } from '@holdfast/roots'
import { MAX_DEVICES_PER_ACCOUNT, MAX_ENVELOPES_PER_ACCOUNT } from './limits.js'
import { createMutex } from './mutex.js'
import { requireDevice, type Principal } from './principal.js'
import type { Registry } from './registry.js'

/** Who may ask this node for what: accounts, their devices, and the names of their unlock envelopes. */
export interface Accounts {
  /** A fresh one-time token; the former one stops working. Only its hash is kept, and only until the node stops. */
  newPairingToken (): Promise<string>
  principalOf (publicKey: Uint8Array): Principal
  /** `publicKey` has proved itself. The first device of an account spends the token. */
  pair (publicKey: Uint8Array, request: { token?: string, certificate: DeviceCertificate }): Promise<void>
  revoke (principal: Principal, revocation: Revocation): Promise<void>
  registerEnvelope (principal: Principal, name: HeadName): Promise<void>
}

const TOKEN_BYTES = 20

export function createAccounts ({ registry, clock, random, onChange }: { registry: Registry, clock: Clock, random: Random, onChange: () => void }): Accounts {
  const lock = createMutex()
  let tokenHash: Uint8Array | null = null

  const admitAccount = async (account: AccountId, token: string | undefined): Promise<boolean> => {
    if (registry.account.has(account)) return false
    if (token === undefined || tokenHash === null || !equalBytes(await hashToken(token), tokenHash)) {
      throw new UnauthorisedError('this account is not known to this node, and the pairing token is missing, wrong or spent', 'Start the node again and use the one-time token that it prints.', { account })
    }
    return true
  }
  return {
    async newPairingToken () {
      const token = toHex(random.bytes(TOKEN_BYTES))
      tokenHash = await hashToken(token)
      return token
    },
    principalOf: publicKey => principalOf(registry, publicKey),
    pair: async (publicKey, { token, certificate }) => lock.run(async () => {
      await checkPairing(registry, publicKey, certificate)
      const isNew = await admitAccount(certificate.account, token)
      const at = clock.now()
      await registry.write([
        ...(isNew ? [{ kind: 'account' as const, id: certificate.account, value: { id: certificate.account, pairedAt: at } }] : []),
        { kind: 'device', id: certificate.device, value: { certificate, pairedAt: registry.device.get(certificate.device)?.pairedAt ?? at } }
      ], { durable: true })
      if (isNew) tokenHash = null
      onChange()
    }),
    revoke: async (principal, revocation) => lock.run(async () => {
      requireDevice(principal)
      await checkRevocation(revocation)
      if (revocation.account !== principal.account) throw new UnauthorisedError('a device may only be revoked by its own account', 'Revoke it from a device of that account.', { device: revocation.device })
      if (isRevoked(registry, revocation.device, revocation.account)) return
      await registry.write([{ kind: 'revocation', id: revocationId(revocation.device, revocation.account), value: revocation }], { durable: true })
      onChange()
    }),
    registerEnvelope: async (principal, text) => lock.run(async () => {
      requireDevice(principal)
      const name = parseHeadName(text)
      const earlier = registry.envelope.get(name)
      if (registry.head.has(name) || (earlier !== undefined && earlier.account !== principal.account)) {
        throw new UnauthorisedError('this name belongs to someone else on this node', 'Use the name of your own envelope.', { name })
      }
      if (earlier !== undefined) return
      const count = countWhere(registry.envelope.values(), envelope => envelope.account === principal.account)
      if (count >= MAX_ENVELOPES_PER_ACCOUNT) throw new LimitExceededError('envelopes of an account', count + 1, MAX_ENVELOPES_PER_ACCOUNT)
      await registry.write([{ kind: 'envelope', id: name, value: { name, account: principal.account, record: null, sequence: -1, target: null } }], { durable: true })
    })
  }
}

function principalOf (registry: Registry, publicKey: Uint8Array): Principal {
  const id = deviceId(publicKey)
  const device = registry.device.get(id)
  if (device !== undefined && !isRevoked(registry, id, device.certificate.account)) return { kind: 'device', device: id, account: device.certificate.account }
  const envelope = registry.envelope.get(headNameOf(publicKey))
  if (envelope !== undefined) return { kind: 'envelope', name: envelope.name, account: envelope.account }
  return { kind: 'stranger', key: publicKey }
}

/** Kept for each account apart, so that no account can revoke, or block the revocation of, another's device. */
const revocationId = (device: DeviceId, account: AccountId): string => `${account}.${device}`
export const isRevoked = (registry: Registry, device: DeviceId, account: AccountId): boolean => registry.revocation.has(revocationId(device, account))

async function checkPairing (registry: Registry, publicKey: Uint8Array, certificate: DeviceCertificate): Promise<void> {
  if (certificate.device !== deviceId(publicKey)) throw new UnauthorisedError('a device can only be paired by its own key', 'Run the pairing on the device itself.', { device: certificate.device })
  await checkCertificate(certificate)
  if (isRevoked(registry, certificate.device, certificate.account)) throw new UnauthorisedError('this device was revoked by its account', 'A revoked device key stays revoked. Restore the account in a new home to get a new device.', { device: certificate.device })
  const known = registry.device.get(certificate.device)
  if (known !== undefined && known.certificate.account !== certificate.account) throw new UnauthorisedError('this device key belongs to another account on this node', 'Use a device key of its own for each account.', { device: certificate.device })
  const count = countWhere(registry.device.values(), device => device.certificate.account === certificate.account)
  if (known === undefined && count >= MAX_DEVICES_PER_ACCOUNT) throw new LimitExceededError('devices of an account', count + 1, MAX_DEVICES_PER_ACCOUNT)
}

export function countWhere<T> (items: Iterable<T>, matches: (item: T) => boolean): number {
  let count = 0
  for (const item of items) if (matches(item)) count++
  return count
}

/** The token is long and random, so a plain hash keeps it as safe as a slow one would. */
async function hashToken (token: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`holdfast/1/pairing ${token}`)))
}

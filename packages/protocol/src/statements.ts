import { CID } from 'multiformats/cid'
import { equalBytes } from './block.js'
import { CorruptBlockError, UnauthorisedError } from './errors.js'
import { checkVersion } from './block.js'
import { fieldReader } from './fields.js'
import { accountId, deviceId, fromHex, toHex, type AccountId, type DeviceId, type VaultId } from './ids.js'
import { requireSignature, signedBytes, type Signer } from './signature.js'

/**
 * Signed statements that a node reads too. They name keys, never people: a node learns that these keys belong
 * together, which it must know to keep strangers out, and nothing else.
 */

/** "This device key is one of my devices", by the account. */
export interface DeviceCertificate {
  readonly account: AccountId
  readonly device: DeviceId
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number
  readonly signature: Uint8Array
}

/** "This device key is mine no longer", by the account. Final: the key is never certified again. */
export interface Revocation {
  readonly account: AccountId
  readonly device: DeviceId
  readonly revokedAt: number
  readonly signature: Uint8Array
}

/** NODE-4: "this root and all it reaches are on my disk", by a node. */
export interface Receipt {
  readonly vault: VaultId
  readonly root: CID
  /** The node's Ed25519 public key, 32 bytes. */
  readonly node: Uint8Array
  /** When the node last checked, milliseconds since the Unix epoch. */
  readonly at: number
  readonly signature: Uint8Array
}

const VERSION = 1
const certificateFields = (c: Omit<DeviceCertificate, 'signature'>) => ({ v: VERSION, account: fromHex(c.account), device: fromHex(c.device), at: c.issuedAt })
const revocationFields = (r: Omit<Revocation, 'signature'>) => ({ v: VERSION, account: fromHex(r.account), device: fromHex(r.device), at: r.revokedAt })
const receiptFields = (r: Omit<Receipt, 'signature'>) => ({ v: VERSION, vault: fromHex(r.vault), root: r.root, node: r.node, at: r.at })

export async function certifyDevice (account: Signer, device: DeviceId, issuedAt: number): Promise<DeviceCertificate> {
  const unsigned = { account: accountId(account.publicKey), device, issuedAt }
  return { ...unsigned, signature: await account.sign(signedBytes('certificate', certificateFields(unsigned))) }
}

export async function revokeDevice (account: Signer, device: DeviceId, revokedAt: number): Promise<Revocation> {
  const unsigned = { account: accountId(account.publicKey), device, revokedAt }
  return { ...unsigned, signature: await account.sign(signedBytes('revocation', revocationFields(unsigned))) }
}

export async function signReceipt (node: Signer, facts: { vault: VaultId, root: CID, at: number }): Promise<Receipt> {
  const unsigned = { ...facts, node: node.publicKey }
  return { ...unsigned, signature: await node.sign(signedBytes('receipt', receiptFields(unsigned))) }
}

/** Throws UnauthorisedError when the account did not sign it. */
export const checkCertificate = async (c: DeviceCertificate): Promise<void> => requireSignature('certificate', fromHex(c.account), certificateFields(c), c.signature)
export const checkRevocation = async (r: Revocation): Promise<void> => requireSignature('revocation', fromHex(r.account), revocationFields(r), r.signature)
/** Throws UnauthorisedError unless this very node signed it. */
export async function checkReceipt (receipt: Receipt, node: Uint8Array): Promise<void> {
  if (!equalBytes(receipt.node, node)) throw new UnauthorisedError('this receipt is by another node', 'Pair the node again.', {})
  await requireSignature('receipt', node, receiptFields(receipt), receipt.signature)
}

/** Plain maps for DAG-CBOR; the decoders below read them back. */
export const certificateToMap = (c: DeviceCertificate) => ({ ...certificateFields(c), sig: c.signature })
export const revocationToMap = (r: Revocation) => ({ ...revocationFields(r), sig: r.signature })
export const receiptToMap = (r: Receipt) => ({ ...receiptFields(r), sig: r.signature })

export function certificateFromMap (value: unknown): DeviceCertificate {
  checkVersion('certificate', value, VERSION)
  const f = fieldReader('certificate', value)
  return { account: accountId(f.bytes('account', 32)), device: deviceId(f.bytes('device', 32)), issuedAt: f.integer('at'), signature: f.bytes('sig', 64) }
}

export function revocationFromMap (value: unknown): Revocation {
  checkVersion('revocation', value, VERSION)
  const f = fieldReader('revocation', value)
  return { account: accountId(f.bytes('account', 32)), device: deviceId(f.bytes('device', 32)), revokedAt: f.integer('at'), signature: f.bytes('sig', 64) }
}

export function receiptFromMap (value: unknown): Receipt {
  checkVersion('receipt', value, VERSION)
  const f = fieldReader('receipt', value)
  const root = f.cid('root')
  if (root.version !== 1) throw new CorruptBlockError('a receipt names a root that is no CIDv1')
  return { vault: toHex(f.bytes('vault', 16)) as VaultId, root, node: f.bytes('node', 32), at: f.integer('at'), signature: f.bytes('sig', 64) }
}

import { InvalidArgumentError } from './errors.js'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** 16 random bytes as 32 hex digits; the same bytes are its UUID. An entry keeps it through renames and moves. */
export type EntryId = Branded<'EntryId'>
/** 16 random bytes as 32 hex digits. */
export type PageId = Branded<'PageId'>
/** 16 bytes as 32 hex digits. */
export type VaultId = Branded<'VaultId'>
/** A device's Ed25519 public key, 32 bytes as 64 hex digits. The same key is its libp2p peer id. */
export type DeviceId = Branded<'DeviceId'>
/** An account's Ed25519 signing public key, 32 bytes as 64 hex digits. */
export type AccountId = Branded<'AccountId'>
/** An IPNS name: the CIDv1 (libp2p-key, base36) of an Ed25519 public key, `k51…`. */
export type HeadName = Branded<'HeadName'>
/** A block's CID as its canonical string (base32, `b…`). */
export type BlockId = Branded<'BlockId'>

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

export function toHex (bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte]
  return text
}

export function fromHex (text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw new InvalidArgumentError('not lower-case hexadecimal', undefined, { length: text.length })
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16)
  return bytes
}

function idFromBytes<Id extends string> (name: string, length: number): (bytes: Uint8Array) => Id {
  return bytes => {
    if (bytes.length !== length) throw new InvalidArgumentError(`${name} needs ${length} bytes, got ${bytes.length}`)
    return toHex(bytes) as Id
  }
}

export const entryId = idFromBytes<EntryId>('an entry id', 16)
export const pageId = idFromBytes<PageId>('a page id', 16)
export const vaultId = idFromBytes<VaultId>('a vault id', 16)
export const deviceId = idFromBytes<DeviceId>('a device id', 32)
export const accountId = idFromBytes<AccountId>('an account id', 32)

/** The parent of top-level entries: sixteen zero bytes, never a real entry. */
export const ROOT_ENTRY = '0'.repeat(32) as EntryId
/** The parent of deleted entries: fifteen zero bytes and a one, never a real entry. */
export const TRASH_ENTRY = ('0'.repeat(31) + '1') as EntryId

/** Entry ids are 128 random bits laid out as a UUID, so that software that wants one gets it unchanged. */
export function entryUuid (id: EntryId): string {
  return `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`
}

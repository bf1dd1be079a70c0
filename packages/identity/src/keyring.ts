import { openSmall, PASSPHRASE_COST, passphraseKey, sealSmall, type SealContext } from '@holdfast/crypto'
import { certificateFromMap, certificateToMap, checkVersion, CorruptBlockError, decode, encode, fieldReader, InvalidArgumentError, LimitExceededError, type DeviceCertificate, type FieldReader, type Random } from '@holdfast/protocol'
import { ROOT_KEY_BYTES } from './account.js'
import { DEVICE_SEED_BYTES } from './device.js'
import { PassphraseNeededError, WrongPassphraseError } from './errors.js'

/** The secrets that a device keeps at rest: everything else is derived from these or sealed under them. */
export interface Keyring {
  readonly rootKey: Uint8Array
  readonly deviceSeed: Uint8Array
  readonly certificate: DeviceCertificate
}

/** What stands between a thief of the file and the keys: a passphrase, or only the file's permissions. */
export type KeyringProtection = 'passphrase' | 'file'

/** A keyring is small; anything larger is none. */
export const MAX_KEYRING_BYTES = 64 << 10

const VERSION = 1
const WHAT = 'keyring'
const SALT_BYTES = 32
const CONTEXT: SealContext = { vault: null, epoch: 0, purpose: 'keyring', position: '' }

/**
 * Seals a keyring for the disk: DAG-CBOR {v: 1, scrypt: {N, r, p, salt}, sealed} with a passphrase, and
 * {v: 1, key, sealed} without one. In the second form the key lies beside what it seals: the file's permissions
 * (0600, the caller sets them) are then the only protection.
 */
export async function sealKeyring (keyring: Keyring, passphrase: string | null, random: Random): Promise<Uint8Array> {
  const plain = encode({ v: VERSION, root: keyring.rootKey, device: keyring.deviceSeed, certificate: certificateToMap(keyring.certificate) })
  if (passphrase === null) {
    const key = random.bytes(32)
    return encode({ v: VERSION, key, sealed: sealSmall(key, plain, CONTEXT, random) })
  }
  const salt = random.bytes(SALT_BYTES)
  const key = await passphraseKey(passphrase, salt, PASSPHRASE_COST)
  return encode({ v: VERSION, scrypt: { ...PASSPHRASE_COST, salt }, sealed: sealSmall(key, plain, CONTEXT, random) })
}

/** How these bytes are protected, so that a caller asks for a passphrase only when there is one. Throws CorruptBlockError. */
export const keyringProtection = (bytes: Uint8Array): KeyringProtection => readOuter(bytes).has('scrypt') ? 'passphrase' : 'file'

/**
 * Opens a keyring. A passphrase is ignored when the keyring has none. Throws PassphraseNeededError,
 * WrongPassphraseError, CorruptBlockError, LimitExceededError, UnknownVersionError.
 */
export async function openKeyring (bytes: Uint8Array, passphrase: string | null): Promise<Keyring> {
  const outer = readOuter(bytes)
  const guarded = outer.has('scrypt')
  if (guarded && passphrase === null) throw new PassphraseNeededError()
  const key = guarded ? await scryptKey(outer, passphrase!) : outer.bytes('key', 32)
  let plain: Uint8Array
  try { plain = openSmall(key, outer.bytes('sealed'), CONTEXT) } catch (cause) {
    if (guarded && cause instanceof CorruptBlockError) throw new WrongPassphraseError({ cause })
    throw cause
  }
  return readKeyring(decode(plain, WHAT))
}

function readOuter (bytes: Uint8Array): FieldReader {
  if (bytes.length > MAX_KEYRING_BYTES) throw new LimitExceededError('keyring size', bytes.length, MAX_KEYRING_BYTES)
  const outer = decode(bytes, WHAT)
  checkVersion(WHAT, outer, VERSION)
  return fieldReader(WHAT, outer)
}

function readKeyring (value: unknown): Keyring {
  checkVersion(WHAT, value, VERSION)
  const f = fieldReader(WHAT, value)
  return { rootKey: f.bytes('root', ROOT_KEY_BYTES), deviceSeed: f.bytes('device', DEVICE_SEED_BYTES), certificate: certificateFromMap(f.map('certificate')) }
}

/** The cost is the file's, so that it can rise later; `passphraseKey` bounds it, so that a planted keyring cannot take all memory. */
async function scryptKey (outer: FieldReader, passphrase: string): Promise<Uint8Array> {
  const f = fieldReader(`${WHAT} scrypt`, outer.map('scrypt'))
  const cost = { N: f.integer('N'), r: f.integer('r'), p: f.integer('p') }
  try { return await passphraseKey(passphrase, f.bytes('salt', SALT_BYTES), cost) } catch (cause) {
    // Nobody typed this cost: the file is damaged.
    if (cause instanceof InvalidArgumentError) throw new CorruptBlockError(`${WHAT} has an impossible scrypt cost`, cost, { cause })
    throw cause
  }
}

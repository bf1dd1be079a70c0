import { decode, encode, type Random } from '@holdfast/protocol'
import { beforeAll, describe, expect, it } from 'vitest'
import { createDevice, keyringProtection, MAX_KEYRING_BYTES, openAccount, openKeyring, sealKeyring, type Keyring } from './index.js'

const random: Random = { bytes: length => crypto.getRandomValues(new Uint8Array(length)) }
interface Guarded { v: number, scrypt: { N: number, r: number, p: number, salt: Uint8Array }, sealed: Uint8Array }

describe('keyrings at rest', () => {
  let keyring: Keyring
  let plain: Uint8Array
  let guarded: Uint8Array
  const withScrypt = (change: Partial<Record<string, unknown>>): Uint8Array => {
    const outer = decode(guarded) as Guarded
    return encode({ ...outer, scrypt: { ...outer.scrypt, ...change } })
  }
  beforeAll(async () => {
    const rootKey = random.bytes(32)
    const device = await createDevice(openAccount(rootKey), random, 1_700_000_000_000)
    keyring = { rootKey, deviceSeed: device.seed, certificate: device.certificate }
    plain = await sealKeyring(keyring, null, random)
    guarded = await sealKeyring(keyring, 'correct horse – é', random)
  })

  it('KEY-4 without a passphrase it opens by itself, and says so', async () => {
    expect(keyringProtection(plain)).toBe('file')
    expect(await openKeyring(plain, null)).toEqual(keyring)
    expect(await openKeyring(plain, 'not needed')).toEqual(keyring)
    expect(Buffer.from(plain).includes(Buffer.from(keyring.rootKey))).toBe(false)
  })

  it('KEY-4 with a passphrase it opens with that one alone, however its accents are composed', async () => {
    expect(keyringProtection(guarded)).toBe('passphrase')
    expect(await openKeyring(guarded, 'correct horse – e\u0301')).toEqual(keyring)
    await expect(openKeyring(guarded, 'wrong')).rejects.toMatchObject({ name: 'WrongPassphraseError', family: 'unauthorised', remedy: expect.stringContaining('recovery phrase') })
    await expect(openKeyring(guarded, null)).rejects.toMatchObject({ name: 'PassphraseNeededError', family: 'unauthorised' })
    expect(Buffer.from(guarded).includes(Buffer.from(keyring.rootKey))).toBe(false)
    expect(Buffer.from(guarded).includes(Buffer.from(keyring.deviceSeed))).toBe(false)
  })

  it('KEY-4 the empty passphrase is a passphrase', async () => {
    const empty = await sealKeyring(keyring, '', random)
    expect(keyringProtection(empty)).toBe('passphrase')
    await expect(openKeyring(empty, null)).rejects.toMatchObject({ name: 'PassphraseNeededError' })
    expect(await openKeyring(empty, '')).toEqual(keyring)
  })

  it('KEY-4 damage is corrupt, newer versions are named', async () => {
    const cut = plain.slice(0, -3)
    const flipped = plain.slice()
    flipped[plain.length - 20]! ^= 1
    await expect(openKeyring(cut, null)).rejects.toMatchObject({ name: 'CorruptBlockError', family: 'corrupt' })
    await expect(openKeyring(flipped, null)).rejects.toMatchObject({ name: 'CorruptBlockError', family: 'corrupt' })
    await expect(openKeyring(new Uint8Array(0), null)).rejects.toMatchObject({ name: 'CorruptBlockError' })
    await expect(openKeyring(encode({ v: 2 }), null)).rejects.toMatchObject({ name: 'UnknownVersionError' })
    await expect(openKeyring(encode({ v: 1, key: new Uint8Array(5), sealed: new Uint8Array(50) }), null)).rejects.toMatchObject({ name: 'CorruptBlockError' })
    expect(() => keyringProtection(encode('text'))).toThrow('not a map')
  })

  it('KEY-4 a planted cost cannot take all memory or time', async () => {
    const nameOf = async (bytes: Uint8Array): Promise<string> => openKeyring(bytes, 'x').then(() => 'opened', (error: Error) => error.name)
    expect(await nameOf(withScrypt({ N: 2 ** 30 }))).toBe('LimitExceededError')
    expect(await nameOf(withScrypt({ r: 2 ** 20 }))).toBe('LimitExceededError')
    expect(await nameOf(withScrypt({ p: 1_000 }))).toBe('LimitExceededError')
    expect(await nameOf(withScrypt({ N: 1_000 }))).toBe('CorruptBlockError')
    expect(await nameOf(withScrypt({ N: 0 }))).toBe('CorruptBlockError')
    expect(await nameOf(withScrypt({ N: 'many' }))).toBe('CorruptBlockError')
    expect(await nameOf(withScrypt({ salt: new Uint8Array(4) }))).toBe('CorruptBlockError')
    expect(await nameOf(new Uint8Array(MAX_KEYRING_BYTES + 1))).toBe('LimitExceededError')
  })
})

import { unwrapForPerson, wrapForPerson } from '@holdfast/crypto'
import { checkCertificate, toHex, type Random, type VaultId } from '@holdfast/protocol'
import { describe, expect, it } from 'vitest'
import { createDevice, generateRootKey, headSeed, openAccount, openDevice, stateKey } from './index.js'

const systemRandom: Random = { bytes: length => crypto.getRandomValues(new Uint8Array(length)) }
const ROOT_KEY = Uint8Array.from({ length: 32 }, (_, i) => i)
const vault = (digit: string): VaultId => digit.repeat(32) as VaultId

describe('accounts and devices', () => {
  it('KEY-1 a root key is 32 bytes of the randomness that was given', () => {
    const asked: number[] = []
    const random: Random = { bytes: length => { asked.push(length); return new Uint8Array(length).fill(9) } }
    expect(generateRootKey(random)).toEqual(new Uint8Array(32).fill(9))
    expect(asked).toEqual([32])
    expect(() => openAccount(new Uint8Array(31))).toThrow('32 bytes')
  })

  it('KEY-2 an account is the same wherever its root key is opened, and each purpose has a key of its own', async () => {
    const one = openAccount(ROOT_KEY)
    const two = openAccount(ROOT_KEY.slice())
    expect(one.id).toBe(two.id)
    expect(one.homeVault()).toEqual(two.homeVault())
    expect(await one.wrapPublicKey()).toEqual(await two.wrapPublicKey())
    const secrets = [ROOT_KEY, one.wrapSeed, one.homeVault().secret, await one.wrapPublicKey(), one.signer.publicKey].map(toHex)
    expect(new Set(secrets).size).toBe(secrets.length)
    expect(openAccount(generateRootKey(systemRandom)).id).not.toBe(one.id)
  })

  it('KEY-2 derivation does not change between versions', () => {
    const account = openAccount(ROOT_KEY)
    expect({ id: account.id, vault: account.homeVault().vault, secret: toHex(account.homeVault().secret) }).toMatchInlineSnapshot(`
      {
        "id": "698202ac45d7d3372459b63646afffd40dc4512ed72a613b90e36e32fc872235",
        "secret": "c9f11435dcfbbcad81afdec8b44b890c1e42d443533d8346321ecfc5213a83ef",
        "vault": "db1b908953692e2abedf7f1753753ee1",
      }
    `)
    expect({ head: toHex(headSeed(ROOT_KEY, vault('a'))), state: toHex(stateKey(ROOT_KEY)) }).toMatchInlineSnapshot(`
      {
        "head": "d122494cec6c5009ed2f75ead5e26d52b72246ee15ee9f4d54d75ee68ecb0175",
        "state": "609326d440f16c681f3430c84933feb2d5722b56414c0680b0712e8f1d778024",
      }
    `)
  })

  it('KEY-5 what another person wraps for the account, it opens', async () => {
    const account = openAccount(ROOT_KEY)
    const wrapped = await wrapForPerson(await account.wrapPublicKey(), Uint8Array.of(1, 2, 3), 'test')
    expect(await unwrapForPerson(account.wrapSeed, wrapped, 'test')).toEqual(Uint8Array.of(1, 2, 3))
  })

  it('KEY-2 a device has keys of its own, certified by the account', async () => {
    const account = openAccount(ROOT_KEY)
    const device = await createDevice(account, systemRandom, 1_700_000_000_000)
    await checkCertificate(device.certificate)
    expect(device.certificate).toMatchObject({ account: account.id, device: device.id, issuedAt: 1_700_000_000_000 })
    expect(openDevice(device.seed).id).toBe(device.id)
    expect((await createDevice(account, systemRandom, 0)).id).not.toBe(device.id)
    expect(() => openDevice(new Uint8Array(33))).toThrow('32 bytes')
  })

  it('HEAD-1 each device has another head name for each vault', () => {
    const seeds = [headSeed(ROOT_KEY, vault('a')), headSeed(ROOT_KEY, vault('b')), headSeed(new Uint8Array(32), vault('a')), stateKey(ROOT_KEY)].map(toHex)
    expect(new Set(seeds).size).toBe(seeds.length)
    expect(() => headSeed(new Uint8Array(16), vault('a'))).toThrow('32 bytes')
  })
})

import { scryptSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { hexOf } from '../../../test/vectors/load.js'
import { random } from '../testing/seed.js'
import { PASSPHRASE_COST, passphraseKey } from './index.js'

const cost = { N: 16, r: 1, p: 1 }
const salt = random.bytes(16)

test('KEY-1 is scrypt: the same key as another implementation, by default at N=2^17, r=8, p=1', async () => {
  const by = ({ N, r, p }: typeof cost): string => hexOf(scryptSync('correct horse', salt, 32, { N, r, p, maxmem: 1 << 28 }))
  expect(hexOf(await passphraseKey('correct horse', salt, { N: 64, r: 4, p: 2 }))).toBe(by({ N: 64, r: 4, p: 2 }))
  expect(PASSPHRASE_COST).toEqual({ N: 131_072, r: 8, p: 1 })
  expect(hexOf(await passphraseKey('correct horse', salt))).toBe(by(PASSPHRASE_COST))
})

test('KEY-1 a passphrase is the same however a keyboard composes it, and differs by case, space and salt', async () => {
  const key = async (text: string, by = salt): Promise<string> => hexOf(await passphraseKey(text, by, cost))
  expect(await key('caf\u00e9')).toBe(await key('cafe\u0301'))
  expect(new Set([await key('cafe'), await key('Cafe'), await key('cafe '), await key('cafe', random.bytes(16))]).size).toBe(4)
})

test('KEY-1 a forged cost cannot take all memory, and an impossible one is refused', async () => {
  const limit = { name: 'LimitExceededError' }
  await expect(passphraseKey('x', salt, { N: 2 ** 21, r: 8, p: 1 })).rejects.toMatchObject(limit)
  await expect(passphraseKey('x', salt, { N: 2, r: 2 ** 30, p: 1 })).rejects.toMatchObject(limit)
  await expect(passphraseKey('x', salt, { N: 2, r: 1, p: 17 })).rejects.toMatchObject(limit)
  for (const wrong of [{ N: 0 }, { N: 1 }, { N: 15 }, { N: 2.5 }, { r: 0 }, { p: -1 }, { r: Number.NaN }]) {
    await expect(passphraseKey('x', salt, { ...cost, ...wrong })).rejects.toMatchObject({ name: 'InvalidArgumentError' })
  }
  await expect(passphraseKey('x', salt.subarray(1), cost)).rejects.toMatchObject({ name: 'InvalidArgumentError' })
})

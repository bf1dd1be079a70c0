import { createDevice, generateRootKey, openAccount, type Keyring } from '@holdfast/identity'
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AccountExistsError, NoAccountError } from './errors.js'
import { hasKeyringFile, readKeyringFile, writeKeyringFile } from './keyring-file.js'
import { systemRandom } from './system.js'

let directory: string
beforeEach(async () => { directory = await mkdtemp(join(tmpdir(), 'hf-')) })
afterEach(async () => { await rm(directory, { recursive: true, force: true }) })

async function newKeyring (): Promise<Keyring> {
  const rootKey = generateRootKey(systemRandom)
  const { seed, certificate } = await createDevice(openAccount(rootKey), systemRandom, 1)
  return { rootKey, deviceSeed: seed, certificate }
}

describe('the keyring file', () => {
  test('KEY-1 what was written is read back, and is for its owner alone', async () => {
    const home = join(directory, 'a', 'home')
    const keyring = await newKeyring()
    await writeKeyringFile(home, keyring, null, systemRandom)
    expect(await readKeyringFile(home, null)).toEqual(keyring)
    expect((await stat(join(home, 'keyring'))).mode & 0o777).toBe(0o600)
    expect((await stat(home)).mode & 0o777).toBe(0o700)
    expect(await readdir(home)).toEqual(['keyring'])
  })

  test('KEY-1 a keyring is never replaced by another', async () => {
    const first = await newKeyring()
    await writeKeyringFile(directory, first, null, systemRandom)
    const before = await readFile(join(directory, 'keyring'))
    await expect(writeKeyringFile(directory, await newKeyring(), null, systemRandom)).rejects.toBeInstanceOf(AccountExistsError)
    expect(await readFile(join(directory, 'keyring'))).toEqual(before)
    expect(await readdir(directory)).toEqual(['keyring'])
  })

  test('KEY-1 no keyring is told as no account, a damaged one as damaged', async () => {
    expect(await hasKeyringFile(directory)).toBe(false)
    await expect(readKeyringFile(directory, null)).rejects.toBeInstanceOf(NoAccountError)
    await writeFile(join(directory, 'keyring'), 'nonsense')
    expect(await hasKeyringFile(directory)).toBe(true)
    await expect(readKeyringFile(directory, null)).rejects.toMatchObject({ family: 'corrupt' })
  })

  test('KEY-1 under a passphrase it opens with that alone', async () => {
    const keyring = await newKeyring()
    await writeKeyringFile(directory, keyring, 'right', systemRandom)
    await expect(readKeyringFile(directory, null)).rejects.toMatchObject({ name: 'PassphraseNeededError' })
    await expect(readKeyringFile(directory, 'wrong')).rejects.toMatchObject({ name: 'WrongPassphraseError' })
    expect(await readKeyringFile(directory, 'right')).toEqual(keyring)
    expect((await readFile(join(directory, 'keyring'))).includes(Buffer.from(keyring.rootKey))).toBe(false)
  })
})

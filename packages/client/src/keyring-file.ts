import { openKeyring, sealKeyring, type Keyring } from '@holdfast/identity'
import type { Random } from '@holdfast/protocol'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { homeLayout } from './home.js'
import { AccountExistsError, NoAccountError } from './errors.js'

const hasCode = (error: unknown, code: string): boolean => error instanceof Error && Reflect.get(error, 'code') === code

/** Throws NoAccountError, PassphraseNeededError, WrongPassphraseError, CorruptBlockError. */
export async function readKeyringFile (home: string, passphrase: string | null): Promise<Keyring> {
  let bytes: Uint8Array
  try { bytes = await readFile(homeLayout(home).keyring) } catch (error) {
    throw hasCode(error, 'ENOENT') ? new NoAccountError(home) : error
  }
  return openKeyring(bytes, passphrase)
}

export async function hasKeyringFile (home: string): Promise<boolean> {
  try { await readFile(homeLayout(home).keyring); return true } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** Writes the keyring for good: wholly or not at all, 0600, and never over another. Throws AccountExistsError. */
export async function writeKeyringFile (home: string, keyring: Keyring, passphrase: string | null, random: Random): Promise<void> {
  const { keyring: path } = homeLayout(home)
  const temporary = `${path}.${process.pid}.new`
  const sealed = await sealKeyring(keyring, passphrase, random)
  await mkdir(home, { recursive: true, mode: 0o700 })
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600)
  try {
    try { await file.writeFile(sealed); await file.sync() } finally { await file.close() }
    // A hard link, unlike a rename, refuses to replace what is there.
    await link(temporary, path)
  } catch (error) {
    throw hasCode(error, 'EEXIST') ? new AccountExistsError(home) : error
  } finally { await rm(temporary, { force: true }) }
  await syncDirectory(home)
}

async function syncDirectory (path: string): Promise<void> {
  // Windows has no handle on a directory to sync; its file systems keep names with the file.
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try { await directory.sync() } finally { await directory.close() }
}

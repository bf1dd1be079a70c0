import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CorruptBlockError, type Random, toHex } from '@holdfast/protocol'

/**
 * Reads a secret that only this user may read (mode 0600), or makes it. Written whole or not at all: a temporary file,
 * fsync, rename. Throws CorruptBlockError when the file is there and is not such a secret.
 */
export async function secretFile (path: string, random: Random, bytes: number): Promise<string> {
  const existing = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  })
  if (existing !== null) {
    const secret = existing.trim()
    if (!/^[0-9a-f]+$/.test(secret) || secret.length !== bytes * 2) throw new CorruptBlockError(`${path} does not hold the secret that belongs there`, { path })
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) await restrict(path)
    return secret
  }
  const secret = toHex(random.bytes(bytes))
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${toHex(random.bytes(6))}`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(`${secret}\n`)
      await file.sync()
    } finally { await file.close() }
    await rename(temporary, path)
  } finally { await rm(temporary, { force: true }) }
  return secret
}

async function restrict (path: string): Promise<void> {
  const file = await open(path, 'r')
  try { await file.chmod(0o600) } finally { await file.close() }
}

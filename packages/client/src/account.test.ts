import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createAccount, restoreAccount } from './account.js'
import { AccountExistsError, HomeLockedError, NoAccountError } from './errors.js'
import { openClient } from './open.js'

let directory: string
let home: string
beforeEach(async () => { directory = await mkdtemp(join(tmpdir(), 'hf-')); home = join(directory, 'home') })
afterEach(async () => { await rm(directory, { recursive: true, force: true }) })

async function textOf (source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}

describe('an account in a home', () => {
  test('KEY-1 a new account has a phrase of 24 words, opens again and keeps what it stored', async () => {
    const { account, device, phrase } = await createAccount({ home })
    expect(phrase.split(' ')).toHaveLength(24)
    expect((await readdir(home)).sort()).toEqual(['keyring', 'store'])
    const client = await openClient({ home })
    expect([client.account, client.device]).toEqual([account, device])
    const content = await client.filesystem.prepare([Buffer.from('kept')], { modified: 1, mode: 0o644 })
    await client.filesystem.commit([{ type: 'write', path: '/a/b', content }])
    await client.close()
    const again = await openClient({ home })
    try { expect(await textOf(again.filesystem.read('/a/b'))).toBe('kept') } finally { await again.close() }
  })

  test('KEY-1 a second account does not take the place of the first', async () => {
    await createAccount({ home })
    await expect(createAccount({ home })).rejects.toBeInstanceOf(AccountExistsError)
    await expect(restoreAccount({ home, phrase: Array(24).fill('zoo').join(' ') })).rejects.toMatchObject({ family: 'invalid' })
  })

  test('KEY-1 an attempt that did not finish is put aside, not built upon', async () => {
    await createAccount({ home })
    await rm(join(home, 'keyring'))
    await writeFile(join(home, 'store', 'mark'), '')
    await createAccount({ home })
    const names = await readdir(home)
    expect(names.filter(name => name.startsWith('store.unfinished-'))).toHaveLength(1)
    expect(await readdir(join(home, 'store'))).not.toContain('mark')
    await (await openClient({ home })).close()
  })

  test('KEY-1 an empty home has no account', async () => {
    await mkdir(home)
    await expect(openClient({ home })).rejects.toBeInstanceOf(NoAccountError)
  })

  test('KEY-1 a home that is open cannot be opened twice', async () => {
    await createAccount({ home })
    const client = await openClient({ home })
    try { await expect(openClient({ home })).rejects.toBeInstanceOf(HomeLockedError) } finally { await client.close() }
    await (await openClient({ home })).close()
  })

  test('KEY-3 a node that does not answer is told as such, and leaves no account behind', async () => {
    const { phrase } = await createAccount({ home })
    const other = join(directory, 'other')
    await expect(restoreAccount({ home: other, phrase, node: 'http://127.0.0.1:9' })).rejects.toMatchObject({ name: 'UnreachableError' })
    await expect(openClient({ home: other })).rejects.toBeInstanceOf(NoAccountError)
  })
})

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readLocalFile } from './local-files.js'

let directory: string
beforeEach(async () => { directory = await mkdtemp(join(tmpdir(), 'hf-')) })
afterEach(async () => { await rm(directory, { recursive: true, force: true }) })

describe('reading a local file', () => {
  test.each([[0, 0], [5, 5], [5, 0], [5, 4], [5, 100], [3 << 20, 3 << 20], [3 << 20, 0], [(2 << 20) + 1, 2 << 20], [1 << 20, 1 << 20]])(
    'CLI %i bytes come whole when it seems to have %i', async (length, seeming) => {
      const path = join(directory, 'f')
      const content = Buffer.alloc(length, 'abcdefg')
      await writeFile(path, content)
      const parts: Uint8Array[] = []
      for await (const part of readLocalFile(path, seeming, { signal: new AbortController().signal })) parts.push(part)
      expect(Buffer.concat(parts).equals(content)).toBe(true)
      expect(parts.every(part => part.length <= 1 << 20)).toBe(true)
    })
})

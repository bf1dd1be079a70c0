import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('NODE the core knows ports only: no Node, no HTTP, no timers, no libp2p', async () => {
  const directory = import.meta.dirname
  const files = (await readdir(directory)).filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  expect(files).toContain('pinner.ts')
  for (const name of files) {
    const source = await readFile(join(directory, name), 'utf8')
    const imports = [...source.matchAll(/from '([^']+)'/g)].map(match => match[1]!)
    expect(imports.filter(from => !/^(\.\/|@holdfast\/(protocol|roots)$|multiformats\/cid$)/.test(from)), name).toEqual([])
    expect(source, name).not.toMatch(/\b(setTimeout|setInterval|setImmediate|Date\.now|new Date|Math\.random|process\.|Buffer\.|fetch\()/)
  }
})

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')

/** Section 3 of the design: what each package may import. Imports go one way. */
const ALLOWED: Record<string, readonly string[]> = {
  protocol: [],
  crypto: ['protocol'],
  content: ['protocol', 'crypto'],
  manifest: ['protocol', 'crypto'],
  roots: ['protocol'],
  identity: ['protocol', 'crypto'],
  membership: ['protocol', 'crypto'],
  engine: ['protocol', 'crypto', 'content', 'manifest', 'roots', 'identity', 'membership'],
  filesystem: ['protocol', 'engine', 'manifest', 'content'],
  'storage-memory': ['protocol'],
  'storage-level': ['protocol'],
  network: ['protocol'],
  'node-client': ['protocol'],
  client: ['protocol', 'crypto', 'identity', 'membership', 'manifest', 'roots', 'engine', 'filesystem', 'network', 'node-client', 'storage-level'],
  mirror: ['protocol', 'filesystem'],
  cli: ['protocol', 'client', 'filesystem', 'mirror', 'engine', 'identity', 'pinner'],
  pinner: ['protocol', 'roots', 'network', 'storage-level']
}
/** A node that could import these could read data. */
const BANNED_FOR_THE_NODE = ['crypto', 'content', 'manifest', 'identity', 'membership', 'engine', 'filesystem', 'client']
/** Packages that a browser uses: they compile without Node's types and import nothing of Node's. */
const FOR_BROWSERS = ['protocol', 'crypto', 'content', 'manifest', 'roots', 'identity', 'membership', 'engine', 'filesystem', 'storage-memory', 'node-client']

const directoryOf = (name: string): string => join(root, name === 'cli' || name === 'pinner' ? 'apps' : 'packages', name)

function sources (directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap(entry => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return sources(path)
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts') && !entry.name.endsWith('.test-support.ts') ? [path] : []
  })
}

const importsOf = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import\(|import)\s*['"]([^'"]+)['"]/g)].map(match => match[1]!)

const packagesOf = (name: string): Set<string> =>
  new Set(sources(join(directoryOf(name), 'src')).flatMap(importsOf).filter(specifier => specifier.startsWith('@holdfast/')).map(specifier => specifier.split('/')[1]!))

const packages = [...readdirSync(join(root, 'packages')), ...readdirSync(join(root, 'apps'))].filter(name => !name.includes('.'))

describe('the shape of the code', () => {
  it('every package has its place in the list of allowed imports', () => {
    expect(packages.filter(name => ALLOWED[name] === undefined)).toEqual([])
  })

  it.each(packages)('imports of %s go one way', name => {
    expect([...packagesOf(name)].filter(imported => imported !== name && !ALLOWED[name]!.includes(imported))).toEqual([])
  })

  it('the node imports nothing that could read data, not even through another package', () => {
    const reached = new Set<string>()
    const visit = (name: string): void => {
      if (reached.has(name)) return
      reached.add(name)
      for (const imported of packagesOf(name)) visit(imported)
    }
    visit('pinner')
    expect([...reached].filter(name => BANNED_FOR_THE_NODE.includes(name))).toEqual([])
    expect(reached.size).toBeGreaterThan(3)
  })

  it.each(FOR_BROWSERS)('%s uses nothing of Node', name => {
    const config = JSON.parse(readFileSync(join(directoryOf(name), 'tsconfig.json'), 'utf8')) as { extends: string }
    expect(config.extends).toBe('../../packages/tsconfig.base.json')
    const found = sources(join(directoryOf(name), 'src')).flatMap(file => importsOf(file).filter(specifier => specifier.startsWith('node:')).map(specifier => `${relative(root, file)}: ${specifier}`))
    expect(found).toEqual([])
  })

  it('no source file names another package by a relative path', () => {
    const found = packages.flatMap(name => sources(join(directoryOf(name), 'src')).flatMap(file => importsOf(file).filter(specifier => specifier.startsWith('.') && relative(directoryOf(name), join(file, '..', specifier)).startsWith('..'))))
    expect(found).toEqual([])
  })
})

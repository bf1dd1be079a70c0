import { describe, expect, it } from 'vitest'
import { AgreedTree } from './agreed-tree.js'
import { ROOT, type AgreedEntry, type DiskFacts, type DiskNode, type Id, type VaultNode } from './model.js'
import { createNaming, exactNaming, suffixedName, type Naming } from './naming.js'
import { plan, type Plan } from './planner.js'

const facts = (over: Partial<DiskFacts> = {}): DiskFacts => ({ kind: 'file', size: 1, mtime: 1_000_000_000n, ctime: 1n, inode: 1n, born: 1n, mode: 0o644, ...over })
const agreedFile = (id: Id, parent: Id, name: string, over: Partial<AgreedEntry> = {}): AgreedEntry =>
  ({ id, parent, name, diskName: name, kind: 'file', digest: 'old', modified: 1000, mode: 0o644, facts: facts(), ...over })
const agreedDirectory = (id: Id, parent: Id, name: string): AgreedEntry =>
  ({ id, parent, name, diskName: name, kind: 'directory', modified: 1000, mode: 0o755, facts: facts({ kind: 'directory', mode: 0o755 }) })
const inVault = (id: Id, parent: Id, name: string, over: Partial<VaultNode> = {}): VaultNode =>
  ({ id, parent, name, kind: 'file', size: 1, digest: 'old', modified: 1000, mode: 0o644, conflicts: 0, ...over })
const onDisk = (id: Id, parent: Id, name: string, over: Partial<DiskFacts> = {}): DiskNode =>
  ({ id, parent, name, diskName: name, path: `/scanned/${name}`, facts: facts(over) })

function planned (given: { agreed?: AgreedEntry[], vault?: Record<Id, VaultNode | null>, disk?: Record<Id, DiskNode | null>, digests?: Record<Id, string>, naming?: Naming }): Plan {
  const naming = given.naming ?? exactNaming
  const agreed = new AgreedTree(naming)
  for (const entry of given.agreed ?? []) agreed.load(entry)
  return plan({ agreed, naming, vault: new Map(Object.entries(given.vault ?? {})), disk: new Map(Object.entries(given.disk ?? {})), digests: new Map(Object.entries(given.digests ?? {})) })
}

/** The plan in words. */
function words (plan: Plan): string[] {
  const side = (name: string, steps: Plan['vault'] | Plan['disk']): string[] => [...steps.shape, ...steps.contents, ...steps.attributes, ...steps.removals].map(step => {
    if (step.do === 'move') return `${name}: move ${step.from} to ${step.to}`
    const base = step.do === 'upload' ? ` over ${step.agreed?.digest ?? 'nothing'}` : ''
    return `${name}: ${step.do} ${step.path}${base}`
  })
  return [...side('vault', plan.vault), ...side('disk', plan.disk), ...plan.agree.map(entry => `agree on ${entry.id}`), ...plan.forget.map(id => `forget ${id}`)]
}

const a = agreedFile('a', ROOT, 'a')
const b = agreedFile('b', ROOT, 'b', { facts: facts({ inode: 2n }) })
const dir = agreedDirectory('dir', ROOT, 'dir')

describe('MAN-5 contents', () => {
  it('MAN-5 a file edited on the disk goes to the vault, one edited in the vault to the disk', () => {
    expect(words(planned({ agreed: [a], disk: { a: onDisk('a', ROOT, 'a', { size: 2 }) } }))).toEqual(['vault: upload /a over old'])
    expect(words(planned({ agreed: [a], vault: { a: inVault('a', ROOT, 'a', { digest: 'new' }) } }))).toEqual(['disk: write /a'])
  })

  it('MAN-5 a file edited on both sides goes to the vault with its base, and is not overwritten before', () => {
    expect(words(planned({ agreed: [a], disk: { a: onDisk('a', ROOT, 'a', { size: 2 }) }, vault: { a: inVault('a', ROOT, 'a', { digest: 'new' }) } })))
      .toEqual(['vault: upload /a over old'])
  })

  it('MAN-5 a file that is new on both sides is agreed on when equal, and else uploaded without a base', () => {
    const both = { disk: { 'new:/n': onDisk('new:/n', ROOT, 'n', { mtime: 1_000_000_000n }) }, vault: { n: inVault('n', ROOT, 'n', { digest: 'x' }) } }
    expect(words(planned(both))).toEqual(['vault: upload /n over nothing'])
    expect(words(planned({ ...both, disk: { 'new:/n': both.disk['new:/n']! }, digests: { n: 'x' } }))).toEqual(['agree on n'])
  })

  it('MAN-5 a file that could have changed within a tick of the clock is read again', () => {
    const racy = agreedFile('a', ROOT, 'a', { facts: facts({ racy: true }) })
    expect(words(planned({ agreed: [racy], disk: { a: onDisk('a', ROOT, 'a') } }))).toEqual(['vault: upload /a over old'])
  })
})

describe('MAN-4 deletes', () => {
  it('MAN-4 a delete on one side is done on the other, directories after what is in them', () => {
    const x = agreedFile('x', 'dir', 'x')
    expect(words(planned({ agreed: [dir, x], disk: { dir: null, x: null } }))).toEqual(['vault: remove /dir'])
    expect(words(planned({ agreed: [dir, x], vault: { dir: null, x: null } }))).toEqual(['disk: remove /dir/x', 'disk: remove /dir'])
    expect(words(planned({ agreed: [a], vault: { a: null }, disk: { a: null } }))).toEqual(['forget a'])
  })

  it('MAN-4 an edit wins over a delete and brings its directories back', () => {
    const x = agreedFile('x', 'dir', 'x')
    const y = agreedFile('y', 'dir', 'y')
    expect(words(planned({ agreed: [dir, x, y], disk: { dir: null, x: null, y: null }, vault: { x: inVault('x', 'dir', 'x', { digest: 'new' }) } })))
      .toEqual(['vault: remove /dir/y', 'disk: mkdir /dir', 'disk: write /dir/x'].sort((one, two) => ['v', 'd'].indexOf(one[0]!) - ['v', 'd'].indexOf(two[0]!)))
    expect(words(planned({ agreed: [dir, x, y], vault: { dir: null, x: null, y: null }, disk: { x: onDisk('x', 'dir', 'x', { size: 9 }) } })))
      .toEqual(['vault: mkdir /dir', 'vault: upload /dir/x over nothing', 'disk: remove /dir/y'])
  })

  it('MAN-4 what was only touched does not outlive its deletion', () => {
    expect(words(planned({ agreed: [a], vault: { a: null }, disk: { a: onDisk('a', ROOT, 'a', { mtime: 5n }) }, digests: { a: 'old' } }))).toEqual(['disk: remove /a'])
  })
})

describe('MAN-3 moves', () => {
  it('MAN-3 two files that swap names in the vault swap on the disk, by way of a parking place', () => {
    expect(words(planned({ agreed: [a, b], vault: { a: inVault('a', ROOT, 'b'), b: inVault('b', ROOT, 'a') } }))).toEqual([
      'disk: move /b to /.holdfast/parked/b', 'disk: move /a to /b', 'disk: move /.holdfast/parked/b to /a'
    ])
  })

  it('MAN-3 a chain of moves on the disk is one in the vault', () => {
    expect(words(planned({ agreed: [a, b], disk: { a: onDisk('a', ROOT, 'b'), b: onDisk('b', ROOT, 'c', { inode: 2n }) } }))).toEqual([
      'vault: move /b to /.holdfast-moving-b', 'vault: move /a to /b', 'vault: move /.holdfast-moving-b to /c'
    ])
  })

  it('MAN-3 a file goes into a directory that is new in the same plan', () => {
    expect(words(planned({ agreed: [a], vault: { d: { ...inVault('d', ROOT, 'd'), kind: 'directory' }, a: inVault('a', 'd', 'a') } }))).toEqual(['disk: mkdir /d', 'disk: move /a to /d/a'])
  })

  it('MAN-3 where both sides moved an entry, the place in the vault holds', () => {
    expect(words(planned({ agreed: [a], vault: { a: inVault('a', ROOT, 'v') }, disk: { a: onDisk('a', ROOT, 'd') } }))).toEqual(['disk: move /d to /v'])
  })

  it('MAN-3 a cycle made of one move on each side is broken by taking the move on the disk back', () => {
    const [one, two] = [agreedDirectory('one', ROOT, 'one'), agreedDirectory('two', ROOT, 'two')]
    const directory = { kind: 'directory' as const, mode: 0o755 }
    expect(words(planned({ agreed: [one, two], vault: { two: { ...inVault('two', 'one', 'two', directory), digest: undefined! } }, disk: { one: onDisk('one', 'two', 'one', directory) } }))
      .filter(step => step.includes('move'))).toEqual(['disk: move /two/one to /one', 'disk: move /two to /one/two'])
  })

  it('MAN-3 of two different things at one place, the one on the disk gets a suffix', () => {
    const steps = words(planned({ vault: { n: { ...inVault('n', ROOT, 'n.txt'), kind: 'directory', digest: undefined! } }, disk: { 'new:/n.txt': onDisk('new:/n.txt', ROOT, 'n.txt') } }))
    expect(steps).toContain('vault: upload /n (2).txt over nothing')
    expect(steps.filter(step => step.startsWith('disk: move')).at(-1)).toMatch(/ to \/n \(2\)\.txt$/)
  })
})

describe('MAN-3 names on a disk that folds case', () => {
  const naming = createNaming({ foldsCase: true, foldsUnicode: true })
  it('MAN-3 the second name gets a suffix on the disk alone', () => {
    const steps = planned({ naming, agreed: [agreedFile('a', ROOT, 'Read')], vault: { b: inVault('b', ROOT, 'READ', { digest: 'b' }) } })
    expect(words(steps)).toEqual(['disk: write /READ (2)'])
    expect(steps.disk.contents[0]?.place).toEqual({ parent: ROOT, name: 'READ', diskName: 'READ (2)' })
  })

  it('MAN-3 names that meet: case, ligatures, composed and decomposed', () => {
    for (const [one, two] of [['Straße', 'STRASSE'], ['é', 'e\u0301'], ['K', '\u212A']]) expect(naming.fold(one!)).toBe(naming.fold(two!))
    expect(naming.fold('a')).not.toBe(naming.fold('b'))
  })

  it('MAN-3 a suffix keeps the extension and fits 255 bytes', () => {
    expect(suffixedName('a.tar.gz', () => true)).toBe('a.tar (2).gz')
    expect(suffixedName('.hidden', name => name !== '.hidden (2)')).toBe('.hidden (3)')
    const long = suffixedName(`${'ü'.repeat(125)}.text`, () => true)
    expect(new TextEncoder().encode(long).length).toBeLessThanOrEqual(255)
    expect(long).toMatch(/ü \(2\)\.text$/)
  })
})

describe('MAN-1 attributes', () => {
  it('MAN-1 permissions and times go where they did not change; of both changed, those in the vault hold', () => {
    expect(words(planned({ agreed: [a], disk: { a: onDisk('a', ROOT, 'a', { mode: 0o600, ctime: 1n }) } }))).toEqual(['vault: attributes /a'])
    expect(words(planned({ agreed: [a], vault: { a: inVault('a', ROOT, 'a', { modified: 5 }) } }))).toEqual(['disk: attributes /a'])
    expect(words(planned({ agreed: [a], vault: { a: inVault('a', ROOT, 'a', { mode: 0o640 }) }, disk: { a: onDisk('a', ROOT, 'a', { mode: 0o600 }) } }))).toEqual(['disk: attributes /a'])
  })

  it('MAN-1 a time that the vault rounds is not sent back and forth', () => {
    const exact = agreedFile('a', ROOT, 'a', { modified: 1000, facts: facts({ mtime: 1_000_000_123n }) })
    expect(words(planned({ agreed: [exact], vault: { a: inVault('a', ROOT, 'a', { modified: 1000.0001 }) } }))).toEqual(['agree on a'])
  })
})

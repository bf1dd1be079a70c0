import { describe, expect, it } from 'vitest'
import { createTestWorld } from '../../engine/src/world.test-support.js'
import { folderOf, type Folder } from './folder.test-support.js'

async function setUp (): Promise<Folder & { reopen: () => Promise<Folder> }> {
  const world = createTestWorld({ nodes: 0 })
  const device = await world.device()
  return { ...folderOf(world, device), reopen: async () => folderOf(world, await device.restart()) }
}

describe('commit', () => {
  it('MAN-1: operations see the effect of earlier ones, and missing parents are made', async () => {
    const folder = await setUp()
    const content = await folder.prepare([new Uint8Array(3)], { modified: 5, mode: 0o600 })
    const results = await folder.commit([
      { type: 'write', path: '/a/b/c', content },
      { type: 'move', from: '/a/b', to: '/x/y' },
      { type: 'attributes', path: '/x/y/c', mode: 0o644 },
      { type: 'link', path: '/x/link', target: '../a' },
      { type: 'mkdir', path: '/x/link2', mode: 0o700 }
    ])
    expect(results.map(entry => entry.kind)).toEqual(['file', 'directory', 'file', 'link', 'directory'])
    const expected = ['/a/', '/x/', '/x/link', '/x/link2/', '/x/y/', '/x/y/c']
    expect(await folder.tree()).toEqual(expected)
    const again = await folder.reopen()
    expect(await again.tree()).toEqual(expected)
    expect(await again.stat('/x/y/c')).toMatchObject({ mode: 0o644, modified: 5, size: 3, id: results[0]!.id })
    expect(await again.stat('/x/link')).toMatchObject({ kind: 'link', target: '../a' })
  })

  it('MAN-2: what was planned for something that was moved meanwhile is refused, and nothing of it happens', async () => {
    const folder = await setUp()
    const { id: file } = await folder.save('/old/file', 'text')
    const { id: parent } = await folder.stat('/old')
    const content = await folder.prepare([new Uint8Array(3)], { modified: 5, mode: 0o600 })
    await folder.commit([{ type: 'move', from: '/old', to: '/new' }])
    await folder.save('/file', 'another')
    for (const operation of [
      { type: 'write', path: '/old/more', content, expected: { parent } },
      { type: 'mkdir', path: '/old/more', expected: { parent: 'made by nobody' } },
      { type: 'move', from: '/file', to: '/moved', expected: { entry: file } },
      { type: 'move', from: '/file', to: '/old/file', expected: { parent } },
      { type: 'remove', path: '/file', expected: { entry: file } }
    ] as const) await expect(folder.commit([{ type: 'mkdir', path: '/first' }, operation])).rejects.toMatchObject({ name: 'ChangedError', family: 'invalid' })
    expect(await folder.tree()).toEqual(['/file', '/new/', '/new/file'])
    // Where it is as expected, or made by the same commit, it is done.
    await folder.commit([{ type: 'write', path: '/new/more', content, expected: { parent } }, { type: 'mkdir', path: '/made' }, { type: 'mkdir', path: '/made/below', expected: { parent: 'new:/made' } }, { type: 'move', from: '/new/file', to: '/made/file', expected: { entry: file } }])
    expect(await folder.tree()).toEqual(['/file', '/made/', '/made/below/', '/made/file', '/new/', '/new/more'])
  })

  it('MAN-4: nothing is removed that whoever removes it has not seen', async () => {
    const folder = await setUp()
    await folder.save('/d/file', 'one')
    const seen = [await folder.stat('/d'), await folder.stat('/d/file')]
    const remove = async (): Promise<unknown> => folder.commit([{ type: 'remove', path: '/d', expected: { all: seen } }])
    await folder.save('/d/file', 'two')
    await expect(remove()).rejects.toMatchObject({ name: 'ChangedError', path: '/d/file' })
    await folder.save('/d/file', 'one')
    await folder.save('/d/more', 'more')
    await expect(remove()).rejects.toMatchObject({ name: 'ChangedError', path: '/d/more' })
    await folder.commit([{ type: 'remove', path: '/d/more' }])
    await remove()
    expect(await folder.tree()).toEqual([])
  })

  it('MAN-1: when one operation is refused, none of them happened', async () => {
    const folder = await setUp()
    await folder.save('/file', 'text')
    const content = await folder.prepare([new Uint8Array(3)], { modified: 5, mode: 0o600 })
    await expect(folder.commit([{ type: 'write', path: '/new/one', content }, { type: 'remove', path: '/file' }, { type: 'mkdir', path: '/new/one/below' }])).rejects.toMatchObject({ name: 'WrongKindError', family: 'invalid' })
    expect(await folder.tree()).toEqual(['/file'])
    expect(await folder.trash()).toEqual([])
    expect(await (await folder.reopen()).tree()).toEqual(['/file'])
  })

  it('MAN-1: each misuse is refused by name', async () => {
    const folder = await setUp()
    await folder.save('/d/file', 'text')
    const content = await folder.prepare([new Uint8Array(3)], { modified: 5, mode: 0o600 })
    const refused = async (operation: Parameters<Folder['commit']>[0][number], name: string): Promise<void> =>
      expect(folder.commit([operation]), JSON.stringify(operation)).rejects.toMatchObject({ name, family: 'invalid' })
    await refused({ type: 'write', path: '/d', content }, 'WrongKindError')
    await refused({ type: 'write', path: '/', content }, 'InvalidArgumentError')
    await refused({ type: 'write', path: '/d/file/x', content }, 'WrongKindError')
    await refused({ type: 'mkdir', path: '/d/file' }, 'WrongKindError')
    await refused({ type: 'link', path: '/d', target: 'x' }, 'WrongKindError')
    await refused({ type: 'move', from: '/none', to: '/x' }, 'NotFoundError')
    await refused({ type: 'move', from: '/d/file', to: '/d' }, 'ExistsError')
    await refused({ type: 'remove', path: '/none' }, 'NotFoundError')
    await refused({ type: 'remove', path: '/' }, 'InvalidArgumentError')
    await refused({ type: 'move', from: '/', to: '/x' }, 'InvalidArgumentError')
    await refused({ type: 'attributes', path: '/none', mode: 1 }, 'NotFoundError')
    await refused({ type: 'mkdir', path: '/../x' }, 'InvalidArgumentError')
    await expect(folder.readdir('/d/file')).rejects.toMatchObject({ name: 'WrongKindError' })
    await expect(folder.text('/d')).rejects.toMatchObject({ name: 'WrongKindError' })
    expect(await folder.tree()).toEqual(['/d/', '/d/file'])
  })

  it('MAN-3: a directory is not moved into itself, however deep, and nothing is made on the way', async () => {
    const folder = await setUp()
    await folder.commit([{ type: 'mkdir', path: '/a/b' }])
    for (const to of ['/a/a', '/a/b/c', '/a/new/deep/c']) await expect(folder.commit([{ type: 'move', from: '/a', to }])).rejects.toMatchObject({ name: 'InvalidArgumentError', family: 'invalid' })
    expect(await folder.tree()).toEqual(['/a/', '/a/b/'])
    // Onto itself is nothing to do.
    await folder.commit([{ type: 'move', from: '/a', to: '/a' }])
    expect(await folder.tree()).toEqual(['/a/', '/a/b/'])
  })

  it('MAN-1: a file and a link in each other\'s place: the one before is in the trash', async () => {
    const folder = await setUp()
    await folder.save('/x', 'text')
    await folder.commit([{ type: 'link', path: '/x', target: 'elsewhere' }])
    expect(await folder.stat('/x')).toMatchObject({ kind: 'link', target: 'elsewhere' })
    await folder.save('/x', 'again')
    expect(await folder.text('/x')).toBe('again')
    expect((await folder.trash()).map(entry => entry.kind).sort()).toEqual(['file', 'link'])
  })
})

describe('what a write follows', () => {
  it('MAN-5: a write after what is shown replaces it, and the version before is in the history', async () => {
    const folder = await setUp()
    const first = await folder.save('/f', 'one')
    const second = await folder.save('/f', 'two')
    expect(second).toMatchObject({ id: first.id, versions: 1, conflicts: 0 })
    expect(await Promise.all((await folder.history('/f')).map(async ({ version }) => textOf(folder.readVersion('/f', version))))).toEqual(['two', 'one'])
  })

  it('MAN-5: a write by someone who had not seen what is shown keeps both, and their text is merged', async () => {
    const folder = await setUp()
    const base = await folder.save('/f', 'one\ntwo\nthree\n')
    await folder.save('/f', 'one\ntwo\nthree!\n')
    const written = await folder.save('/f', 'one!\ntwo\nthree\n', { base: base.digest! })
    expect(written.versions).toBe(2)
    await folder.settle()
    expect(await folder.text('/f')).toBe('one!\ntwo\nthree!\n')
    expect((await folder.stat('/f')).versions).toBe(1)
  })

  it('MAN-5: a write by someone who believed that there was nothing keeps both', async () => {
    const folder = await setUp()
    await folder.save('/f', new Uint8Array([0, 1, 2]))
    expect(await folder.save('/f', new Uint8Array([0, 9]), { base: null })).toMatchObject({ size: 2, versions: 2, conflicts: 1 })
    await folder.settle()
    expect(await folder.stat('/f')).toMatchObject({ size: 2, versions: 2 })
    expect((await folder.history('/f')).filter(version => version.current)).toHaveLength(2)
    // Whoever saves after seeing both has decided.
    expect(await folder.save('/f', new Uint8Array([7]))).toMatchObject({ versions: 1 })
    expect(await folder.history('/f')).toHaveLength(3)
  })

  it('MAN-5: the same bytes are no second version, whatever the writer believed', async () => {
    const folder = await setUp()
    await folder.save('/f', 'same')
    expect(await folder.save('/f', 'same', { base: null })).toMatchObject({ versions: 1 })
    expect(await folder.history('/f')).toHaveLength(1)
  })
})

async function textOf (source: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const piece of source) text += decoder.decode(piece, { stream: true })
  return text
}

import { describe, expect, it } from 'vitest'
import { createTestWorld, syncAll, type TestDevice, type TestWorld } from '../../engine/src/world.test-support.js'
import { folderOf, type Folder } from './folder.test-support.js'

interface Pair { world: TestWorld, a: TestDevice, b: TestDevice, left: Folder, right: Folder, both: () => Promise<void> }

async function pair (): Promise<Pair> {
  const world = createTestWorld()
  const [a, b] = [await world.device(), await world.device()]
  const [left, right] = [folderOf(world, a), folderOf(world, b)]
  return {
    world, a, b, left, right,
    async both () {
      await syncAll(a, b)
      expect(await right.tree()).toEqual(await left.tree())
      expect(b.body()).toBe(a.body())
      expect([...a.errors(), ...b.errors()]).toEqual([])
    }
  }
}

/** Both devices edit one file, and each hears of the other's edit before its merge can be heard of. */
async function diverge (first: string | Uint8Array, mine: string | Uint8Array, theirs: string | Uint8Array): Promise<Pair> {
  const pairOf = await pair()
  const { world, left, right, both } = pairOf
  await left.save('/f', first)
  await both()
  world.clock.advance(1_000)
  await left.save('/f', mine)
  world.clock.advance(1_000)
  await right.save('/f', theirs)
  return pairOf
}

describe('two devices', () => {
  it('MAN-5: that merge one text alone make the same version', async () => {
    const { a, b, left, right, world } = await diverge('1\n2\n3\n4\n5\n', '1\nleft\n3\n4\n5\n', '1\n2\n3\nright\n5\n')
    await a.engine.sync()
    await b.engine.sync() // b merges
    const [node] = world.nodes
    const heads = new Map(node!.heads)
    const merged = (await right.history('/f'))[0]!
    expect(merged).toMatchObject({ device: null, current: true })
    // What b published of its merge does not reach a: only the two edits do.
    node!.sabotage = { heads: async () => [...heads].map(([head, { device, record }]) => ({ head, device, record })) }
    await a.engine.sync()
    node!.sabotage = {}
    await syncAll(a, b)
    for (const folder of [left, right]) {
      expect(await folder.text('/f')).toBe('1\nleft\n3\nright\n5\n')
      expect((await folder.history('/f')).map(version => [version.version, version.current])).toHaveLength(4)
      expect((await folder.history('/f'))[0]!.version).toBe(merged.version)
      expect((await folder.stat('/f')).versions).toBe(1)
    }
    expect(b.body()).toBe(a.body())
  })

  it('MAN-5: that changed the same lines keep both lines', async () => {
    const { left, right, both } = await diverge('1\n2\n3\n', '1\nleft\n3\n', '1\nright\n3\n')
    await both()
    for (const folder of [left, right]) {
      const lines = (await folder.text('/f')).split('\n')
      expect(lines.slice().sort()).toEqual(['', '1', '3', 'left', 'right'])
      expect([lines[0], lines[3]]).toEqual(['1', '3'])
    }
  })

  it('MAN-5: what cannot be merged shows the newer, says "2 versions", and keeps the other', async () => {
    const [one, two] = [new Uint8Array([0, 1, 1]), new Uint8Array([0, 2, 2, 2])]
    const { left, right, both, a, b } = await diverge(new Uint8Array([0]), one, two)
    await both()
    for (const folder of [left, right]) {
      expect(await folder.stat('/f')).toMatchObject({ size: 4, versions: 2, conflicts: 1 })
      expect((await folder.history('/f')).filter(version => version.current).map(version => version.size).sort((a, b) => a - b)).toEqual([3, 4])
      expect(await folder.tree()).toEqual(['/f'])
    }
    expect([a, b].map(device => device.events.some(event => event.type === 'conflict'))).toEqual([true, true])
    expect(a.engine.status().vaults[0]!.conflicts).toBe(1)
    // One of them chooses; the choice is the one version everywhere.
    const other = (await left.history('/f')).find(version => version.size === 3)!
    await left.restoreVersion('/f', other.version)
    await both()
    for (const folder of [left, right]) expect(await folder.stat('/f')).toMatchObject({ size: 3, versions: 1, conflicts: 0 })
  })

  it('MAN-5: an edit and a change of permissions are no conflict', async () => {
    const { world, left, right, both } = await pair()
    await left.save('/f', new Uint8Array([0]))
    await both()
    world.clock.advance(1_000)
    await left.save('/f', new Uint8Array([0, 1]))
    world.clock.advance(1_000)
    await right.commit([{ type: 'attributes', path: '/f', mode: 0o755 }])
    await both()
    for (const folder of [left, right]) expect(await folder.stat('/f')).toMatchObject({ size: 2, mode: 0o755, versions: 1, conflicts: 0 })
  })

  it('MAN-3: directories of one name are one; moved, it moves with all that is in it', async () => {
    const { left, right, both } = await pair()
    await left.save('/d/left', 'left')
    await right.save('/d/right', 'right')
    await both()
    expect(await left.tree()).toEqual(['/d/', '/d/left', '/d/right'])
    await left.commit([{ type: 'move', from: '/d', to: '/e' }])
    await both()
    expect(await right.tree()).toEqual(['/e/', '/e/left', '/e/right'])
    // Not into itself either, by whichever of the two.
    for (const folder of [left, right]) await expect(folder.commit([{ type: 'move', from: '/e', to: '/e/sub/e' }])).rejects.toMatchObject({ family: 'invalid' })
    await right.commit([{ type: 'remove', path: '/e' }])
    await both()
    expect(await left.tree()).toEqual([])
    for (const top of await left.trash()) await left.restoreTrash(top.id)
    await both()
    expect((await right.tree()).map(path => path.split('/').at(-1)).filter(name => name !== '').toSorted((a, b) => a! < b! ? -1 : 1)).toEqual(['left', 'right'])
  })

  it('MAN-3: equal files of one name are one; edited, moved and deleted, it stays one', async () => {
    const { left, right, both } = await pair()
    await left.save('/f', 'same')
    await right.save('/f', 'same')
    await both()
    expect(await left.tree()).toEqual(['/f'])
    await right.commit([{ type: 'move', from: '/f', to: '/g' }])
    await both()
    expect(await left.tree()).toEqual(['/g'])
    await left.save('/g', 'edited')
    await both()
    expect(await right.tree()).toEqual(['/g'])
    expect(await right.text('/g')).toBe('edited')
    await right.commit([{ type: 'remove', path: '/g' }])
    await both()
    expect(await left.tree()).toEqual([])
  })

  it('MAN-3: different files of one name are both shown, and a save to either stays with it', async () => {
    const { left, right, both } = await pair()
    await left.save('/f.txt', 'left')
    await right.save('/f.txt', 'right')
    await both()
    expect(await left.tree()).toEqual(['/f (2).txt', '/f.txt'])
    const texts = [await left.text('/f.txt'), await left.text('/f (2).txt')]
    expect(texts.slice().sort()).toEqual(['left', 'right'])
    await right.save('/f (2).txt', 'second')
    await both()
    expect([await left.text('/f.txt'), await left.text('/f (2).txt')]).toEqual([texts[0], 'second'])
  })

  it('MAN-4: an edit beside a deletion wins, and so does a new file in a deleted directory', async () => {
    const { left, right, both } = await pair()
    await left.save('/d/edited', 'one')
    await left.save('/d/untouched', 'one')
    await both()
    await left.commit([{ type: 'remove', path: '/d' }])
    await right.save('/d/edited', 'two')
    await right.save('/d/new', 'new')
    await both()
    expect(await left.tree()).toEqual(['/d/', '/d/edited', '/d/new'])
    expect(await left.text('/d/edited')).toBe('two')
  })

  it('MAN-3: two moves that would make a ring end as a tree, the same on both', async () => {
    const { left, right, both } = await pair()
    await left.commit([{ type: 'mkdir', path: '/a' }, { type: 'mkdir', path: '/b' }])
    await both()
    await left.commit([{ type: 'move', from: '/a', to: '/b/a' }])
    await right.commit([{ type: 'move', from: '/b', to: '/a/b' }])
    await both()
    expect(await left.tree()).toHaveLength(2)
  })

  it('LOG-1: a device whose clock is at the end of time does not stop the others', async () => {
    const { world, left, right, both, b } = await pair()
    await left.save('/f', 'one\n')
    await both()
    // One day is allowed for; a millennium is not.
    world.clock.advance(2 ** 47)
    await right.save('/f', 'two\n')
    world.clock.advance(-(2 ** 47))
    await both()
    expect(await left.text('/f')).toBe('two\n')
    await left.save('/f', 'three\n')
    await left.save('/g', 'new\n')
    await both()
    expect(await right.text('/f')).toBe('three\n')
    expect(b.engine.vault.index.registers((await left.stat('/g')).id)!.places[0]!.stamp.when).toBeLessThan(world.clock.now() + 2 * 86_400_000)
  })
})

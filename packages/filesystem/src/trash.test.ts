import { describe, expect, it } from 'vitest'
import { createTestWorld, syncAll } from '../../engine/src/world.test-support.js'
import { folderOf } from './folder.test-support.js'

describe('the trash', () => {
  it('MAN-4: what is deleted comes back with its id, its contents and what lay in it', async () => {
    const world = createTestWorld({ nodes: 0 })
    const folder = folderOf(world, await world.device())
    const file = await folder.save('/d/e/file', 'text')
    await folder.commit([{ type: 'remove', path: '/d' }])
    expect(await folder.tree()).toEqual([])
    const [top, ...others] = await folder.trash()
    expect(others).toEqual([])
    expect(top).toMatchObject({ kind: 'directory', name: 'd', path: '/d' })
    expect((await folder.restoreTrash(top!.id)).path).toBe('/d')
    expect(await folder.tree()).toEqual(['/d/', '/d/e/', '/d/e/file'])
    expect(await folder.stat('/d/e/file')).toEqual(file)
    expect(await folder.text('/d/e/file')).toBe('text')
    expect(await folder.trash()).toEqual([])
  })

  it('MAN-4: comes back under a free name, and to the root when its directory is gone', async () => {
    const world = createTestWorld({ nodes: 0 })
    const folder = folderOf(world, await world.device())
    await folder.save('/d/a.txt', 'old')
    await folder.commit([{ type: 'remove', path: '/d/a.txt' }])
    await folder.save('/d/a.txt', 'new')
    const [old] = await folder.trash()
    expect((await folder.restoreTrash(old!.id)).path).toBe('/d/a (2).txt')
    await folder.commit([{ type: 'remove', path: '/d/a (2).txt' }, { type: 'remove', path: '/d' }])
    expect((await folder.restoreTrash(old!.id)).path).toBe('/a (2).txt')
    expect(await folder.text('/a (2).txt')).toBe('old')
    await expect(folder.restoreTrash(old!.id)).rejects.toMatchObject({ name: 'NotFoundError' })
  })

  it('MAN-4: emptied, it is empty on every device, and what it says it freed is what it held', async () => {
    const world = createTestWorld()
    const [a, b] = [await world.device(), await world.device()]
    const [left, right] = [folderOf(world, a), folderOf(world, b)]
    await left.save('/d/one', '12345')
    await left.save('/two', '123')
    await left.save('/kept', 'kept')
    await left.commit([{ type: 'remove', path: '/d' }, { type: 'remove', path: '/two' }])
    await syncAll(a, b)
    expect((await right.trash()).map(entry => entry.path).sort()).toEqual(['/d', '/two'])
    expect(await right.emptyTrash()).toEqual({ entries: 3, bytes: 8 })
    await syncAll(a, b)
    expect(await left.trash()).toEqual([])
    expect(await left.tree()).toEqual(['/kept'])
    expect(await left.emptyTrash()).toEqual({ entries: 0, bytes: 0 })
    expect(a.body()).toBe(b.body())
  })

  it('MAN-4: an edit that whoever emptied the trash had not seen brings the file back', async () => {
    const world = createTestWorld()
    const [a, b] = [await world.device(), await world.device()]
    const [left, right] = [folderOf(world, a), folderOf(world, b)]
    await left.save('/d/file', 'one')
    await syncAll(a, b)
    await right.save('/d/file', 'edited')
    await left.commit([{ type: 'remove', path: '/d' }])
    await left.emptyTrash()
    await syncAll(a, b)
    for (const folder of [left, right]) {
      expect(await folder.tree()).toEqual(['/d/', '/d/file'])
      expect(await folder.text('/d/file')).toBe('edited')
    }
  })
})

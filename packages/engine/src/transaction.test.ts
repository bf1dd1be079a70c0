import { LimitExceededError, ROOT_ENTRY, TRASH_ENTRY } from '@holdfast/protocol'
import { describe, expect, it } from 'vitest'
import { createTestWorld, names, read, save, type TestDevice } from './world.test-support.js'

const directory = { kind: 'directory' as const, modified: 0, mode: 0o755 }
const makeDirectory = async ({ engine: { vault } }: TestDevice, name: string): Promise<unknown> =>
  vault.transact(transaction => transaction.create(ROOT_ENTRY, name, { ...directory, stamp: transaction.stamp() }))

/** Everything that a failed commit must leave as it was. */
const look = (device: TestDevice): unknown => {
  const { engine } = device
  return { body: device.body(), names: names(device), size: engine.vault.index.size, bytes: engine.vault.index.bytes, pending: engine.status().vaults[0]!.pendingBlocks, trash: engine.vault.index.trash().length }
}

describe('one commit', () => {
  it('MAN-2: happens wholly or not at all, whichever of its writes fails', async () => {
    const { clock, device: newDevice } = createTestWorld({ nodes: 0 })
    const device = await newDevice()
    await save(device, clock, 'kept', 'before')
    let failures = 0
    for (let nth = 1; ; nth++) {
      const before = look(device)
      let left = nth
      let hit = false
      device.disk.beforeWrite = () => { if (--left === 0) { hit = true; throw new LimitExceededError('disk', nth, 0) } }
      const attempt = makeDirectory(device, `d${nth}`)
      if (await attempt.then(() => false, () => true)) {
        failures++
        expect(look(device)).toEqual(before)
      }
      device.disk.beforeWrite = () => undefined
      if (!hit) break
      // The very next one works, on the page that the failed one had begun to write.
      await makeDirectory(device, `after ${nth}`)
    }
    expect(failures).toBe(3) // blocks, flush, records
    const again = await device.restart()
    expect(names(again)).toEqual(['after 1', 'after 2', 'after 3', 'd4', 'kept'])
    expect(again.body()).toBe(device.body())
    expect(await read(again, 'kept')).toBe('before')
  })

  it('MAN-2: a body that throws half-way undoes what it had done, in the index too', async () => {
    const { clock, device: newDevice } = createTestWorld({ nodes: 0 })
    const device = await newDevice()
    const entry = await save(device, clock, 'file', 'text')
    const before = look(device)
    await expect(device.engine.vault.transact(transaction => {
      const parent = transaction.create(ROOT_ENTRY, 'new', { ...directory, stamp: transaction.stamp() })
      transaction.place(entry, parent, 'moved')
      transaction.trash(parent)
      throw new RangeError('the caller')
    })).rejects.toThrow(RangeError)
    expect(look(device)).toEqual(before)
    expect(device.engine.vault.index.path(entry)).toBe('/file')
  })

  it('MAN-3: a directory goes neither into itself nor into what lies in it; nothing changes', async () => {
    const { device: newDevice } = createTestWorld({ nodes: 0 })
    const device = await newDevice()
    const { vault } = device.engine
    const [outer, inner] = await vault.transact(transaction => {
      const a = transaction.create(ROOT_ENTRY, 'a', { ...directory, stamp: transaction.stamp() })
      return [a, transaction.create(a, 'b', { ...directory, stamp: transaction.stamp() })]
    })
    const before = look(device)
    for (const target of [outer, inner]) {
      await expect(vault.transact(transaction => transaction.place(outer, target, 'c'))).rejects.toMatchObject({ name: 'InvalidArgumentError', family: 'invalid' })
    }
    expect(look(device)).toEqual(before)
  })

  it.each([['an empty name', ''], ['a dot', '.'], ['two dots', '..'], ['a slash', 'a/b'], ['a NUL', 'a\0b'], ['256 bytes', 'é'.repeat(128)]])('MAN-1: %s is refused as a name', async (_, name) => {
    const { device: newDevice } = createTestWorld({ nodes: 0 })
    const device = await newDevice()
    const before = look(device)
    await expect(makeDirectory(device, name)).rejects.toMatchObject({ family: 'invalid' })
    expect(look(device)).toEqual(before)
    await makeDirectory(device, 'é'.repeat(127))
  })

  it('MAN-2: one commit may fill a page and go on in the next', async () => {
    const { device: newDevice } = createTestWorld({ nodes: 0 })
    const device = await newDevice()
    await device.engine.vault.transact(transaction => {
      for (let i = 0; i < 2_100; i++) transaction.create(ROOT_ENTRY, `d${i}`, { ...directory, stamp: transaction.stamp() })
    })
    expect(names(await device.restart())).toHaveLength(2_100)
  })

  it('MAN-4: what is purged is in nobody\'s trash', async () => {
    const { clock, device: newDevice } = createTestWorld({ nodes: 0 })
    const device = await newDevice()
    const entry = await save(device, clock, 'gone', 'text')
    await device.engine.vault.transact(transaction => transaction.trash(entry))
    expect(device.engine.vault.index.get(entry)).toMatchObject({ trashed: true, parent: TRASH_ENTRY })
    await device.engine.vault.transact(transaction => transaction.purge(entry))
    expect((await device.restart()).engine.vault.index.trash().filter(top => top.before !== null)).toEqual([])
  })

  it('MAN-2: a call that was aborted before its turn changes nothing', async () => {
    const { device: newDevice } = createTestWorld({ nodes: 0 })
    const device = await newDevice()
    const before = look(device)
    await expect(device.engine.vault.transact(transaction => transaction.create(ROOT_ENTRY, 'x', { ...directory, stamp: transaction.stamp() }), { signal: AbortSignal.abort() })).rejects.toThrow()
    expect(look(device)).toEqual(before)
  })
})

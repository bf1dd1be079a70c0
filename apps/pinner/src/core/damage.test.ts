import { BlockNotFoundError, blockId, decode, encode, type Block, type BlockStore, type VaultId } from '@holdfast/protocol'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  collect, createMemoryBlockStore, createMemoryRecordStore, createSigner, createTestAccount, createTestClock, createTestDevice, createTestFile, createTestRandom, createTestRoot, createTestVault, idsOf, registrationOf,
  type TestDevice, type TestFile, type TestRoot
} from '../../../../test/compliance/node-world.js'
import { AUDIT_EVERY_MS } from './limits.js'
import { createPinner, type Pinner } from './pinner.js'
import type { Principal } from './principal.js'

const DAY = 86_400_000
const random = createTestRandom(77)

/** A store on a failing disk: it knows a CID as stored whatever became of the bytes, as the one with packs does. */
function createFailingDisk (): BlockStore & { rot (block: Block): void, lose (block: Block): void } {
  const inner = createMemoryBlockStore()
  const spoiled = new Map<string, Uint8Array | 'gone'>()
  return {
    ...inner,
    async get (cid, options) {
      const instead = spoiled.get(blockId(cid))
      if (instead === 'gone') throw new BlockNotFoundError(cid.toString())
      return instead ?? inner.get(cid, options)
    },
    async delete (cids, options) {
      for (const cid of cids) spoiled.delete(blockId(cid))
      await inner.delete(cids, options)
    },
    rot ({ cid, bytes }) { spoiled.set(blockId(cid), Uint8Array.from(bytes, (byte, i) => i === 0 ? byte ^ 1 : byte)) },
    lose ({ cid }) { spoiled.set(blockId(cid), 'gone') }
  }
}

let disk: ReturnType<typeof createFailingDisk>
let records: ReturnType<typeof createMemoryRecordStore>
let clock: ReturnType<typeof createTestClock>
let pinner: Pinner
let device: TestDevice
let vault: VaultId
let file: TestFile
let made: TestRoot
const who = (): Principal => pinner.principalOf(device.signer.publicKey)
const open = async (): Promise<void> => { pinner = await createPinner({ blocks: disk, records, clock, random, signer: createSigner(new Uint8Array(32).fill(3)) }, { uploadGraceMs: DAY }) }
const missing = async (): Promise<string[]> => {
  const answer = await pinner.receipt(who(), vault, made.root.cid)
  return 'missing' in answer ? idsOf(answer.missing.map(cid => ({ cid }))) : []
}
const served = async (): Promise<string[]> => idsOf(await collect(pinner.getBlocks(who(), made.blocks.map(block => block.cid))))

beforeEach(async () => {
  disk = createFailingDisk()
  records = createMemoryRecordStore()
  clock = createTestClock()
  await open()
  device = await createTestDevice(createTestAccount(random), random)
  vault = createTestVault(random)
  await pinner.pair(device.signer.publicKey, { token: await pinner.newPairingToken(), certificate: device.certificate })
  await pinner.registerVault(who(), registrationOf(device, vault))
  file = await createTestFile(random, [300, 400])
  made = await createTestRoot(device, vault, [file, await createTestFile(random, [500])], { counter: 1 })
  await pinner.putBlocks(who(), made.blocks)
  await pinner.acceptRecord(device.head, made.record)
  expect(await missing()).toEqual([])
})

describe('a damaged disk', () => {
  test.each(['rot', 'lose'] as const)('NODE-4 an upload replaces every block that the disk lets %s, whatever kind it is', async how => {
    for (const block of made.blocks) {
      disk[how](block)
      await pinner.putBlocks(who(), [block])
      expect(await served()).toEqual(idsOf(made.blocks))
      expect(await missing()).toEqual([])
    }
    expect(pinner.usage(who()).usedBytes).toBe(made.blocks.reduce((sum, { bytes }) => sum + bytes.length, 0))
  })
  test.each(['rot', 'lose'] as const)('CHK-3 NODE-4 a block that the disk lets %s is left out, missing, and complete again once it is brought', async how => {
    for (const block of made.blocks) {
      disk[how](block)
      expect(await served()).toEqual(idsOf(made.blocks.filter(other => other !== block)))
      await expect(pinner.getBlock(who(), block.cid)).rejects.toMatchObject({ name: 'BlockNotFoundError' })
      expect(await missing()).toEqual(idsOf([block]))
      await pinner.putBlocks(who(), [block])
      expect(await missing()).toEqual([])
    }
  })
  test.each(['rot', 'lose'] as const)('NODE-4 after a start the first receipt finds what the disk let %s meanwhile', async how => {
    const errors: unknown[] = []
    for (const block of file.chunks) disk[how](block)
    await open()
    pinner.on(event => { if (event.type === 'error') errors.push(event.error) })
    expect(await missing()).toEqual(idsOf(file.chunks))
    expect(errors.map(String)).toEqual([expect.stringContaining('2 blocks')])
  })
  test('NODE-4 a receipt looks again after a while, not each time', async () => {
    await disk.delete([file.chunks[0]!.cid])
    clock.advance(AUDIT_EVERY_MS - 1)
    expect(await missing()).toEqual([])
    clock.advance(1)
    expect(await missing()).toEqual(idsOf([file.chunks[0]!]))
  })
  test('NODE-4 an audit that reads all finds rot between two looks', async () => {
    disk.rot(file.chunks[1]!)
    expect(await missing()).toEqual([])
    await pinner.audit({ thorough: true })
    expect(await missing()).toEqual(idsOf([file.chunks[1]!]))
  })
  test('NODE-4 what a lost block reached is not swept before the block is brought again', async () => {
    disk.lose(file.node)
    for (let i = 0; i < 4; i++) {
      clock.advance(DAY)
      await pinner.collectGarbage()
    }
    expect(await missing()).toEqual(idsOf([file.node]))
    await pinner.putBlocks(who(), [file.node])
    expect(await missing()).toEqual([])
    const next = await createTestRoot(device, vault, [], { counter: 2 })
    await pinner.putBlocks(who(), next.blocks)
    await pinner.acceptRecord(device.head, next.record)
    for (let i = 0; i < 4; i++) {
      clock.advance(DAY)
      await pinner.collectGarbage()
    }
    expect(await disk.has(file.node.cid)).toBe(false)
  })
  test('NODE-4 a kill while marks are taken back leaves enough to find the loss again', async () => {
    for (let dieAt = 0; dieAt < 4; dieAt++) {
      disk.rot(file.chunks[0]!)
      let left = dieAt
      pinner = await createPinner({
        blocks: disk, clock, random, signer: createSigner(new Uint8Array(32).fill(3)),
        records: { ...records, write: async (changes, options) => { if (left-- <= 0) throw new Error('killed'); return records.write(changes, options) } }
      })
      await pinner.getBlock(who(), file.chunks[0]!.cid).catch(() => undefined)
      await open()
      expect(await missing()).toEqual(idsOf([file.chunks[0]!]))
      await pinner.putBlocks(who(), file.chunks)
      expect(await missing()).toEqual([])
    }
  })
})

test('NODE-4 a head that an earlier version wrote, without the counter of its pinned root, is read', async () => {
  for await (const [key, value] of records.range({ prefix: 'pinner/head/' })) {
    const { pinnedSequence, ...older } = decode(value, 'head') as Record<string, unknown>
    expect(pinnedSequence).toBe(1)
    await records.write([{ key, value: encode(older) }])
  }
  await open()
  expect(await missing()).toEqual([])
  const next = await createTestRoot(device, vault, [], { counter: 2 })
  await pinner.putBlocks(who(), next.blocks)
  await pinner.acceptRecord(device.head, next.record)
  await pinner.receipt(who(), vault, next.root.cid)
  expect(pinner.pinnedRoots({ kind: 'operator' })).toEqual([{ name: device.head, root: next.root.cid }])
})

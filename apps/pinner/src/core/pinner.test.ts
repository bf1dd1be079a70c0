import { createBlock, peerIdOfDevice, RAW, revokeDevice, type Block, type BlockStore, type HeadName, type HoldfastError, type RecordStore, type VaultId } from '@holdfast/protocol'
import { headNameOf } from '@holdfast/roots'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  collect, createMemoryBlockStore, createMemoryRecordStore, createSigner, createTestAccount, createTestClock, createTestDevice, createTestFile, createTestRandom, createTestRoot, createTestVault, registrationOf,
  type TestClock, type TestDevice, type TestFile, type TestRoot
} from '../../../../test/compliance/node-world.js'
import { createPinner, type Pinner, type PinnerOptions } from './pinner.js'
import type { Principal } from './principal.js'

const DAY = 86_400_000
// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const seed = process.env['HOLDFAST_TEST_SEED']
const runs = { numRuns: 40, ...(seed === undefined ? {} : { seed: Number(seed) }) }
const random = createTestRandom(7)
const failure = async (work: Promise<unknown>): Promise<HoldfastError> => work.then(() => { throw new Error('it was allowed') }, (error: unknown) => error as HoldfastError)

interface World { blocks: BlockStore, records: RecordStore, clock: TestClock, pinner: Pinner, reads: string[], restart (options?: PinnerOptions & { quotaBytes?: number }): Promise<void> }

async function createWorld (): Promise<World> {
  const inner = createMemoryBlockStore()
  const reads: string[] = []
  const blocks: BlockStore = { ...inner, get: async (cid, options) => { reads.push(cid.toString()); return inner.get(cid, options) } }
  const records = createMemoryRecordStore()
  const clock = createTestClock()
  const signer = createSigner(new Uint8Array(32).fill(9))
  const world: World = {
    blocks, records, clock, reads, pinner: undefined as unknown as Pinner,
    async restart ({ quotaBytes, ...options } = {}) {
      world.pinner = await createPinner({ blocks, records, clock, random, signer, quotaBytes: quotaBytes ?? null }, { uploadGraceMs: DAY, headGraceMs: 7 * DAY, ...options })
    }
  }
  await world.restart()
  return world
}

let world: World
let device: TestDevice
let vault: VaultId
const who = (one = device): Principal => world.pinner.principalOf(one.signer.publicKey)

async function join (one: TestDevice): Promise<void> {
  await world.pinner.pair(one.signer.publicKey, { token: await world.pinner.newPairingToken(), certificate: one.certificate })
  await world.pinner.registerVault(who(one), registrationOf(one, vault))
}
async function publish (one: TestDevice, made: TestRoot, blocks: readonly Block[] = made.blocks): Promise<void> {
  await world.pinner.putBlocks(who(one), blocks)
  await world.pinner.acceptRecord(one.head, made.record)
}
const receipted = async (one: TestDevice, made: TestRoot): Promise<boolean> => 'receipt' in await world.pinner.receipt(who(one), vault, made.root.cid)
const present = async (blocks: readonly Block[]): Promise<number> => (await Promise.all(blocks.map(async block => world.blocks.has(block.cid)))).filter(Boolean).length
const collectOften = async (times: number, step: number): Promise<void> => {
  for (let i = 0; i < times; i++) { world.clock.advance(step); await world.pinner.collectGarbage() }
}

beforeEach(async () => {
  world = await createWorld()
  device = await createTestDevice(createTestAccount(random), random)
  vault = createTestVault(random)
  await join(device)
})

describe('pinning', () => {
  test('NODE-4 an incomplete newer root does not displace the complete older one', async () => {
    const older = await createTestRoot(device, vault, [await createTestFile(random, [300])], { counter: 1 })
    await publish(device, older)
    expect(await receipted(device, older)).toBe(true)
    const newer = await createTestRoot(device, vault, [await createTestFile(random, [400])], { counter: 2 })
    await publish(device, newer, newer.blocks.slice(0, 2))
    await collectOften(5, 2 * DAY)
    expect(await present(older.blocks)).toBe(older.blocks.length)
    expect(await receipted(device, newer)).toBe(false)
    await world.pinner.putBlocks(who(), newer.blocks)
    expect(await receipted(device, newer)).toBe(true)
    await collectOften(3, 2 * DAY)
    expect(await present(newer.blocks)).toBe(newer.blocks.length)
    expect(await world.blocks.has(older.root.cid)).toBe(false)
  })
  test('NODE-4 a receipt for the next root reads only what is new', async () => {
    const files = await Promise.all(Array.from({ length: 2_000 }, async () => createTestFile(random, [10])))
    const first = await createTestRoot(device, vault, files, { counter: 1 })
    await publish(device, first)
    expect(await receipted(device, first)).toBe(true)
    const second = await createTestRoot(device, vault, [...files, await createTestFile(random, [10])], { counter: 2 })
    await publish(device, second)
    world.reads.length = 0
    expect(await receipted(device, second)).toBe(true)
    // Root, body, the trie's changed path and one file node.
    expect(world.reads.length).toBeLessThan(10)
    world.reads.length = 0
    expect(await receipted(device, second)).toBe(true)
    expect(world.reads.length).toBe(0)
  })
  test('NODE-4 names what is missing, never more than a request may hold, until all is there', async () => {
    const files = await Promise.all(Array.from({ length: 4_200 }, async () => createTestFile(random, [])))
    const made = await createTestRoot(device, vault, files, { counter: 1 })
    const nodes = new Set(files.map(file => file.node.cid.toString()))
    await publish(device, made, made.blocks.filter(block => !nodes.has(block.cid.toString())))
    const answer = await world.pinner.receipt(who(), vault, made.root.cid)
    expect('missing' in answer && answer.missing.length).toBe(4_096)
    await world.pinner.putBlocks(who(), files.map(file => file.node))
    expect(await receipted(device, made)).toBe(true)
  })
  test('NODE-4 complete means flushed: blocks are flushed before their completeness is written', async () => {
    const order: string[] = []
    const blocks = createMemoryBlockStore()
    const records = createMemoryRecordStore()
    world.pinner = await createPinner({
      blocks: { ...blocks, flush: async () => { order.push('flush') } },
      records: { ...records, write: async (changes, options) => { order.push(options?.durable === true ? 'durable' : 'write'); return records.write(changes, options) } },
      clock: world.clock, random, signer: createSigner(random.bytes(32))
    })
    await join(device)
    const made = await createTestRoot(device, vault, [], { counter: 1 })
    await publish(device, made)
    order.length = 0
    expect(await receipted(device, made)).toBe(true)
    expect(order).toEqual(['flush', 'durable', 'durable'])
  })
  test('HEAD-2 an announcement\'s blocks are stored only when its record is accepted', async () => {
    const made = await createTestRoot(device, vault, [await createTestFile(random, [10])], { counter: 1 })
    const stranger = await createTestDevice(createTestAccount(random), random)
    const forged = await createTestRoot({ ...stranger, headSeed: stranger.headSeed }, vault, [await createTestFile(random, [10])], { counter: 1 })
    expect(await failure(world.pinner.acceptRecord(stranger.head, forged.record, { blocks: forged.blocks }))).toMatchObject({ name: 'UnauthorisedError' })
    expect(await failure(world.pinner.acceptRecord(device.head, forged.record, { blocks: forged.blocks }))).toMatchObject({ name: 'UnauthorisedError' })
    expect(await present(forged.blocks)).toBe(0)
    expect(await world.pinner.acceptRecord(device.head, made.record, { blocks: made.blocks })).toBe(true)
    expect(await world.pinner.acceptRecord(device.head, made.record, { blocks: made.blocks })).toBe(false)
    expect(await receipted(device, made)).toBe(true)
  })
  test('HEAD-2 a revoked device publishes nothing more; what it published stays', async () => {
    const made = await createTestRoot(device, vault, [await createTestFile(random, [10])], { counter: 1 })
    const next = await createTestRoot(device, vault, [], { counter: 2 })
    await publish(device, made)
    await world.pinner.putBlocks(who(), next.blocks)
    const other = await createTestDevice(device.account, random)
    await join(other)
    await world.pinner.revoke(who(other), await revokeDevice(device.account.signer, device.id, 5))
    expect(world.pinner.allowsPeer(peerIdOfDevice(device.id))).toBe(false)
    expect(await failure(world.pinner.acceptRecord(device.head, next.record))).toMatchObject({ name: 'UnauthorisedError' })
    await collectOften(3, 2 * DAY)
    expect(await present(made.blocks)).toBe(made.blocks.length)
  })
})

describe('garbage', () => {
  test('HEAD-2 a dominated head is unpinned after its grace period, its root block kept', async () => {
    const other = await createTestDevice(device.account, random)
    await join(other)
    const mine = await createTestRoot(device, vault, [await createTestFile(random, [111])], { counter: 1 })
    const theirs = await createTestRoot(other, vault, [await createTestFile(random, [222])], { counter: 1, others: mine.vector })
    await publish(device, mine)
    await publish(other, theirs)
    expect([await receipted(device, mine), await receipted(other, theirs)]).toEqual([true, true])
    await collectOften(6, DAY)
    expect(await present(mine.blocks)).toBe(mine.blocks.length)
    await collectOften(6, DAY)
    expect(await world.blocks.has(mine.root.cid)).toBe(true)
    expect(await present(mine.blocks)).toBeLessThan(mine.blocks.length)
    expect(await present(theirs.blocks)).toBe(theirs.blocks.length)
    // Whoever still relies on the root gets it kept again, after bringing back what went.
    expect(await receipted(device, mine)).toBe(false)
    await world.pinner.putBlocks(who(), mine.blocks)
    expect(await receipted(device, mine)).toBe(true)
  })
  test('HEAD-2 a head is not dominated by an incomplete root', async () => {
    const other = await createTestDevice(device.account, random)
    await join(other)
    const mine = await createTestRoot(device, vault, [await createTestFile(random, [111])], { counter: 1 })
    const hollow = await createTestRoot(other, vault, [await createTestFile(random, [222])], { counter: 1, others: mine.vector })
    await publish(device, mine)
    await publish(other, hollow, [hollow.root])
    await collectOften(12, 2 * DAY)
    expect(await present(mine.blocks)).toBe(mine.blocks.length)
  })
  test('NODE-3 uploads that no root reaches go after their grace period, and their bytes are free again', async () => {
    const stray = await Promise.all([1, 2, 3].map(async size => createBlock(RAW, random.bytes(size * 100))))
    await world.pinner.putBlocks(who(), stray)
    world.clock.advance(DAY - 1)
    expect(await world.pinner.collectGarbage()).toMatchObject({ blocks: 0, waiting: 3 })
    await world.pinner.putBlocks(who(), [stray[0]!])
    world.clock.advance(1)
    expect(await world.pinner.collectGarbage()).toMatchObject({ blocks: 2, bytes: 500 })
    expect(await Promise.all(stray.map(async block => world.blocks.has(block.cid)))).toEqual([true, false, false])
    expect(world.pinner.usage(who())).toMatchObject({ usedBytes: 100, blocks: 1 })
  })
  test('NODE-3 a block without a record (after a power cut) is counted, then swept', async () => {
    const lost = await createBlock(RAW, random.bytes(123))
    await world.blocks.put([lost])
    await world.pinner.collectGarbage()
    expect(world.pinner.usage(who()).usedBytes).toBe(123)
    await collectOften(1, DAY)
    expect(await world.blocks.has(lost.cid)).toBe(false)
  })
  test('HEAD-2 a malformed block below a root stops no collection', async () => {
    const bad = await createBlock(0x71, Uint8Array.of(0xff, 0xff))
    const file = { node: bad, chunks: [] } as TestFile
    const made = await createTestRoot(device, vault, [file], { counter: 1 })
    await publish(device, made)
    expect(await failure(world.pinner.receipt(who(), vault, made.root.cid))).toMatchObject({ family: 'corrupt' })
    await collectOften(2, DAY)
    expect(await present(made.blocks)).toBe(made.blocks.length)
  })
})

describe('quotas', () => {
  test('NODE-3 uploads and complete roots stop at the quota of a vault', async () => {
    await world.restart({ vaultQuotaBytes: 10_000 })
    expect(await failure(world.pinner.putBlocks(who(), [await createBlock(RAW, random.bytes(10_001))]))).toMatchObject({ name: 'QuotaExceededError', data: { limitBytes: 10_000 } })
    const made = await createTestRoot(device, vault, [await createTestFile(random, [8_000])], { counter: 1 })
    await publish(device, made)
    expect(await receipted(device, made)).toBe(true)
    expect(await failure(world.pinner.putBlocks(who(), [await createBlock(RAW, random.bytes(2_000))]))).toMatchObject({ name: 'QuotaExceededError' })
  })
  test('NODE-3 the quota in all holds for parallel uploads, and equal blocks count once', async () => {
    await world.restart({ quotaBytes: 1_000 })
    const block = await createBlock(RAW, random.bytes(600))
    await Promise.all([1, 2, 3].map(async () => world.pinner.putBlocks(who(), [block, block])))
    expect(world.pinner.usage(who())).toMatchObject({ usedBytes: 600, blocks: 1 })
    const [one, two] = [await createBlock(RAW, random.bytes(300)), await createBlock(RAW, random.bytes(300))]
    const results = await Promise.allSettled([one, two].map(async next => world.pinner.putBlocks(who(), [next])))
    expect(results.map(result => result.status).sort()).toEqual(['fulfilled', 'rejected'])
  })
})

describe('limits', () => {
  test('ANN-2 more blocks than a request may name are refused', async () => {
    const { cid } = await createBlock(RAW, random.bytes(3))
    expect(await failure(collect(world.pinner.getBlocks(who(), Array.from({ length: 4_097 }, () => cid))))).toMatchObject({ name: 'LimitExceededError' })
  })
  test('HEAD-2 a topic and a record are bounded', async () => {
    const one = { ...registrationOf(device, vault), topic: 'x'.repeat(257) }
    expect(await failure(world.pinner.registerVault(who(), one))).toMatchObject({ name: 'LimitExceededError' })
    expect(await failure(world.pinner.acceptRecord(device.head, new Uint8Array(10_241)))).toMatchObject({ name: 'LimitExceededError' })
  })
  const fresh = (): { head: HeadName, headKey: Uint8Array } => {
    const headKey = createSigner(random.bytes(32)).publicKey
    return { head: headNameOf(headKey), headKey }
  }
  /** Does this until it is refused, and counts how often it was not. */
  const fill = async (most: number, add: () => Promise<unknown>): Promise<number> => {
    for (let done = 0; done <= most; done++) {
      try { await add() } catch (error) {
        expect(error).toMatchObject({ name: 'LimitExceededError' })
        return done
      }
    }
    throw new Error('there was no limit')
  }
  test('HEAD-2 the heads of a vault are bounded', async () => {
    expect(await fill(1_000, async () => world.pinner.registerVault(who(), { vault, topic: 't', ...fresh() }))).toBe(999)
    // What is registered may still change.
    await world.pinner.registerVault(who(), { ...registrationOf(device, vault), topic: 'another' })
  })
  test('HEAD-2 the vaults of an account are bounded', async () => {
    expect(await fill(1_000, async () => world.pinner.registerVault(who(), { vault: createTestVault(random), topic: 't', ...fresh() }))).toBe(999)
  })
  test('KEY-3 the envelopes of an account are bounded', async () => {
    expect(await fill(100, async () => world.pinner.registerEnvelope(who(), fresh().head))).toBe(100)
  })
  test('NODE-1 the devices of an account are bounded', async () => {
    expect(await fill(1_000, async () => {
      const one = await createTestDevice(device.account, random)
      await world.pinner.pair(one.signer.publicKey, { certificate: one.certificate })
    })).toBe(999)
    await world.pinner.pair(device.signer.publicKey, { certificate: device.certificate })
  })
})

describe('survival', () => {
  test('NODE-4 a restart at any moment keeps every registration and every receipted block', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof(
      fc.record({ do: fc.constant('publish' as const), device: fc.nat(1), fresh: fc.boolean(), upload: fc.integer({ min: 0, max: 10 }) }),
      fc.record({ do: fc.constant('receipt' as const), device: fc.nat(1) }),
      fc.record({ do: fc.constant('collect' as const), days: fc.nat(4) }),
      fc.record({ do: fc.constant('restart' as const) })
    ), { minLength: 5, maxLength: 30 }), async steps => {
      world = await createWorld()
      const devices = [device, await createTestDevice(device.account, random)]
      for (const one of devices) await join(one)
      const state = devices.map(() => ({ counter: 0, files: [] as TestFile[], made: null as TestRoot | null, safe: null as TestRoot | null }))
      for (const step of steps) {
        if (step.do === 'publish') {
          const one = state[step.device]!
          if (step.fresh) one.files = [...one.files.slice(-3), await createTestFile(random, [20])]
          const made = await createTestRoot(devices[step.device]!, vault, one.files, { counter: ++one.counter })
          one.made = made
          await publish(devices[step.device]!, made, [made.root, ...made.blocks.slice(0, step.upload)])
        } else if (step.do === 'receipt') {
          const one = state[step.device]!
          if (one.made === null) continue
          if (!await receipted(devices[step.device]!, one.made)) {
            await world.pinner.putBlocks(who(devices[step.device]), one.made.blocks)
            expect(await receipted(devices[step.device]!, one.made)).toBe(true)
          }
          one.safe = one.made
        } else if (step.do === 'collect') {
          // A newer root that is wholly here takes over from the receipted one.
          for (const one of state) if (one.made !== null && await present(one.made.blocks) === one.made.blocks.length) one.safe = one.made
          world.clock.advance(step.days * DAY)
          await world.pinner.collectGarbage()
        } else await world.restart()
        // Neither head contains the other, so what was receipted last is there until a newer root of it is.
        for (const { safe } of state) if (safe !== null) expect(await present(safe.blocks)).toBe(safe.blocks.length)
        const sizes = await collect(world.blocks.list()).then(async cids => Promise.all(cids.map(async cid => (await world.blocks.get(cid)).length)))
        expect(world.pinner.usage(who()).usedBytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
      }
    }), runs)
  })
  test('NODE-4 a kill during collection, at any write, loses nothing that is pinned', async () => {
    const made = await createTestRoot(device, vault, [await createTestFile(random, [50, 60])], { counter: 2 })
    for (let dieAt = 0; dieAt < 12; dieAt++) {
      world = await createWorld()
      await join(device)
      const old = await createTestRoot(device, vault, [await createTestFile(random, [50, 70])], { counter: 1 })
      await publish(device, old)
      await receipted(device, old)
      await publish(device, made)
      await receipted(device, made)
      let left = dieAt
      const die = async (): Promise<void> => { if (left-- <= 0) throw new Error('killed') }
      const mortal = await createPinner({
        blocks: { ...world.blocks, delete: async (cids, options) => { await die(); return world.blocks.delete(cids, options) } },
        records: { ...world.records, write: async (changes, options) => { await die(); return world.records.write(changes, options) } },
        clock: world.clock, random, signer: createSigner(new Uint8Array(32).fill(9))
      }, { uploadGraceMs: DAY })
      for (let i = 0; i < 3; i++) {
        world.clock.advance(DAY)
        await mortal.collectGarbage().catch((error: unknown) => { expect(String(error)).toMatch('killed') })
      }
      await world.restart()
      expect(await receipted(device, made)).toBe(true)
      expect(await present(made.blocks)).toBe(made.blocks.length)
      await collectOften(3, DAY)
      expect(await world.blocks.has(old.root.cid)).toBe(false)
      expect(await present(made.blocks)).toBe(made.blocks.length)
    }
  })
  test('NODE-4 blocks swept under a walk are not called complete', async () => {
    const file = await createTestFile(random, [500, 600])
    await world.pinner.putBlocks(who(), [file.node, ...file.chunks])
    world.clock.advance(DAY)
    const gate = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    let gated = true
    const pinner = await createPinner({
      blocks: {
        ...world.blocks,
        // The walk learns that the chunk is there; then, before it goes on, the chunk is swept.
        async has (cid, options) {
          const found = await world.blocks.has(cid, options)
          if (gated) { reached.resolve(); await gate.promise }
          return found
        }
      },
      records: world.records, clock: world.clock, random, signer: createSigner(random.bytes(32))
    }, { uploadGraceMs: DAY })
    const pinning = failure(pinner.addPin({ kind: 'operator' }, file.node.cid, true))
    await reached.promise
    expect(await pinner.collectGarbage()).toMatchObject({ blocks: 3 })
    gated = false
    gate.resolve()
    expect(await pinning).toMatchObject({ name: 'BlockNotFoundError' })
    expect(pinner.pins({ kind: 'operator' })).toEqual([])
  })
  test('NODE-4 blocks that became complete between being found old and being swept stay', async () => {
    const made = await createTestRoot(device, vault, [await createTestFile(random, [500, 600])], { counter: 1 })
    await world.pinner.putBlocks(who(), made.blocks)
    world.clock.advance(DAY)
    const gate = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    let scans = -Infinity
    world.pinner = await createPinner({
      blocks: world.blocks, clock: world.clock, random, signer: createSigner(random.bytes(32)),
      records: {
        ...world.records,
        async * range (range, options) {
          scans++
          const isSweep = scans === 2
          yield * world.records.range(range, options)
          if (isSweep) { reached.resolve(); await gate.promise }
        }
      }
    }, { uploadGraceMs: 0 })
    scans = 0
    const collecting = world.pinner.collectGarbage()
    await reached.promise
    await world.pinner.acceptRecord(device.head, made.record)
    expect(await receipted(device, made)).toBe(true)
    gate.resolve()
    await collecting
    expect(await present(made.blocks)).toBe(made.blocks.length)
  })
  test('NODE-4 a receipted root stays when its device moved on to one that never came whole', async () => {
    const first = await createTestRoot(device, vault, [await createTestFile(random, [300])], { counter: 1 })
    const second = await createTestRoot(device, vault, [await createTestFile(random, [400])], { counter: 2 })
    await publish(device, first)
    await world.pinner.putBlocks(who(), [second.root])
    const [receipt] = await Promise.all([world.pinner.receipt(who(), vault, first.root.cid), world.pinner.acceptRecord(device.head, second.record)])
    expect(receipt).toHaveProperty('receipt')
    await collectOften(4, DAY)
    expect(await present(first.blocks)).toBe(first.blocks.length)
  })
  test('NODE-4 a root receipted during a collection keeps what an interrupted collection had let go', async () => {
    // Raw blocks come before DAG-CBOR in the order of ids: a batch of chunks is let go before the file node is.
    const file = await createTestFile(random, Array.from({ length: 700 }, () => 8))
    const roots: TestRoot[] = []
    for (const [i, files] of [[file], [], [file]].entries()) roots.push(await createTestRoot(device, vault, files, { counter: i + 1 }))
    for (const made of roots.slice(0, 2)) {
      await publish(device, made)
      expect(await receipted(device, made)).toBe(true)
    }
    let writes = 0
    const mortal = await createPinner({
      blocks: world.blocks, clock: world.clock, random, signer: createSigner(random.bytes(32)),
      records: { ...world.records, write: async (changes, options) => { if (++writes > 1) throw new Error('killed'); return world.records.write(changes, options) } }
    })
    await expect(mortal.collectGarbage()).rejects.toThrow('killed')
    world.clock.advance(DAY)

    const gate = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    let gated = false
    world.pinner = await createPinner({
      blocks: world.blocks, clock: world.clock, random, signer: createSigner(random.bytes(32)),
      records: {
        ...world.records,
        async * range (range, options) {
          if (gated) { gated = false; reached.resolve(); await gate.promise }
          yield * world.records.range(range, options)
        }
      }
    }, { uploadGraceMs: DAY })
    gated = true
    const collecting = world.pinner.collectGarbage()
    await reached.promise
    const ofFile = new Set([file.node, ...file.chunks].map(block => block.cid.toString()))
    await publish(device, roots[2]!, roots[2]!.blocks.filter(block => !ofFile.has(block.cid.toString())))
    expect(await receipted(device, roots[2]!)).toBe(true)
    gate.resolve()
    await collecting
    expect(await present(roots[2]!.blocks)).toBe(roots[2]!.blocks.length)
    await collectOften(2, DAY)
    expect(await present(roots[2]!.blocks)).toBe(roots[2]!.blocks.length)
    expect(await receipted(device, roots[2]!)).toBe(true)
  })
})

import { createSigner } from '@holdfast/crypto'
import {
  checkReceipt, encodeBlock, keyOfPeerId, MAX_BLOCKS_PER_REQUEST, revokeDevice, type Block, type HoldfastError, type NodeClient
} from '@holdfast/protocol'
import { createHeadRecord, headNameOf } from '@holdfast/roots'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collect, createTestAccount, createTestDevice, createTestFile, createTestRandom, createTestRoot, createTestVault, idsOf, rawBlock, registrationOf, type TestDevice } from './node-world.js'

/** A node under test and the ways into it. */
export interface NodeUnderTest {
  /** A client that proves this 32-byte Ed25519 seed. */
  client (seed: Uint8Array): NodeClient
  newPairingToken (): Promise<string>
  /** The node's limit on stored bytes, small enough for a test to pass: at least 24 MiB, at most 64 MiB. */
  readonly quotaBytes: number
  stop (): Promise<void>
}

/** What every NodeClient owes the engine, whatever carries it. Run against HTTP and against the core in process. */
export function nodeClientCompliance (name: string, start: () => Promise<NodeUnderTest>): void {
  describe(`NodeClient over ${name}`, () => {
    const random = createTestRandom(20_261_122)
    let node: NodeUnderTest
    beforeAll(async () => { node = await start() })
    afterAll(async () => { await node.stop() })

    const paired = async (): Promise<{ device: TestDevice, client: NodeClient }> => {
      const device = await createTestDevice(createTestAccount(random), random)
      const client = node.client(device.seed)
      await client.pair({ token: await node.newPairingToken(), certificate: device.certificate })
      return { device, client }
    }
    const failure = async (work: Promise<unknown>): Promise<HoldfastError> => work.then(() => { throw new Error('it was allowed') }, (error: unknown) => error as HoldfastError)

    pairing({ random, node: () => node, paired, failure })
    blocks({ random, node: () => node, paired, failure })
    roots({ random, node: () => node, paired, failure })
    envelopes({ random, node: () => node, paired, failure })
  })
}

interface Suite { random: ReturnType<typeof createTestRandom>, node: () => NodeUnderTest, paired: () => Promise<{ device: TestDevice, client: NodeClient }>, failure: (work: Promise<unknown>) => Promise<HoldfastError> }

function pairing ({ random, node, paired, failure }: Suite): void {
  test('NODE-1 the first device of an account spends the one-time token', async () => {
    const token = await node().newPairingToken()
    const device = await createTestDevice(createTestAccount(random), random)
    const description = await node().client(device.seed).pair({ token, certificate: device.certificate })
    expect(keyOfPeerId(description.peerId)).toHaveLength(32)
    const stranger = await createTestDevice(createTestAccount(random), random)
    expect(await failure(node().client(stranger.seed).pair({ token, certificate: stranger.certificate }))).toMatchObject({ name: 'UnauthorisedError', family: 'unauthorised', remedy: expect.stringContaining('token') })
  })
  test('NODE-1 later devices of a known account need no token', async () => {
    const { device } = await paired()
    const second = await createTestDevice(device.account, random)
    const client = node().client(second.seed)
    await client.pair({ certificate: second.certificate })
    expect((await client.describe()).peerId).toMatch(/^12D3Koo/)
  })
  test('NODE-1 a device is paired by its own key only', async () => {
    const { device } = await paired()
    const second = await createTestDevice(device.account, random)
    const thief = await createTestDevice(createTestAccount(random), random)
    expect(await failure(node().client(thief.seed).pair({ certificate: second.certificate }))).toMatchObject({ name: 'UnauthorisedError' })
  })
  test('NODE-1 a key that nobody paired is refused everywhere', async () => {
    const { device } = await paired()
    const stranger = await createTestDevice(createTestAccount(random), random)
    const client = node().client(stranger.seed)
    const vault = createTestVault(random)
    const block = await rawBlock(random.bytes(10))
    const revocation = await revokeDevice(stranger.account.signer, stranger.id, 2)
    for (const ask of [
      async () => client.describe(), async () => client.usage(), async () => client.heads(vault), async () => client.registerVault(registrationOf(stranger, vault)),
      async () => client.registerEnvelope(stranger.head), async () => client.putBlocks([block]), async () => collect(client.getBlocks([block.cid])), async () => client.getRecord(device.head),
      async () => client.putRecord(stranger.head, new Uint8Array(10)), async () => client.receipt(vault, block.cid), async () => client.revoke(revocation)
    ]) expect(await failure(ask()), ask.toString()).toMatchObject({ name: 'UnauthorisedError', remedy: expect.stringMatching(/pair/) })
  })
  test('NODE-1 a revoked device is refused from then on, and never paired again', async () => {
    const { device, client } = await paired()
    const second = await createTestDevice(device.account, random)
    const lost = node().client(second.seed)
    await lost.pair({ certificate: second.certificate })
    await lost.usage()
    await client.revoke(await revokeDevice(device.account.signer, second.id, 2))
    expect(await failure(lost.usage())).toMatchObject({ name: 'UnauthorisedError' })
    expect(await failure(lost.pair({ certificate: second.certificate }))).toMatchObject({ name: 'UnauthorisedError' })
    await client.usage()
  })
  test('NODE-1 no account revokes the device of another', async () => {
    const { device, client } = await paired()
    const other = await paired()
    expect(await failure(other.client.revoke(await revokeDevice(device.account.signer, device.id, 2)))).toMatchObject({ name: 'UnauthorisedError' })
    await other.client.revoke(await revokeDevice(other.device.account.signer, device.id, 2))
    await client.usage()
  })
}

function blocks ({ random, node, paired, failure }: Suite): void {
  test('ANN-2 blocks come back as they went, more than one request holds; what is not there is left out', async () => {
    const { client } = await paired()
    const stored: Block[] = []
    for (let i = 0; i < MAX_BLOCKS_PER_REQUEST + 10; i++) stored.push(await rawBlock(random.bytes(12)))
    const absent = await rawBlock(random.bytes(12))
    const progress: number[] = []
    await client.putBlocks(stored, { onProgress: ({ done }) => { progress.push(done) } })
    expect(progress.at(-1)).toBe(stored.length * 12)
    const got = await collect(client.getBlocks([absent.cid, ...stored.map(block => block.cid)]))
    expect(idsOf(got)).toEqual(idsOf(stored))
    const bytes = new Map(got.map(block => [block.cid.toString(), block.bytes]))
    expect(stored.every(block => Buffer.compare(bytes.get(block.cid.toString())!, block.bytes) === 0)).toBe(true)
  })
  test('ANN-2 blocks of the greatest size travel, in several requests', async () => {
    const { client } = await paired()
    const large = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8, 9].map(async i => rawBlock(new Uint8Array(1 << 20).fill(i))))
    await client.putBlocks((async function * () { yield * large })())
    expect(idsOf(await collect(client.getBlocks(large.map(block => block.cid))))).toEqual(idsOf(large))
  })
  test('ANN-2 a block with other bytes than its CID says is refused and not stored', async () => {
    const { client } = await paired()
    const good = await rawBlock(random.bytes(100))
    expect(await failure(client.putBlocks([{ cid: good.cid, bytes: random.bytes(100) }]))).toMatchObject({ name: 'CorruptBlockError', family: 'corrupt' })
    expect(await collect(client.getBlocks([good.cid]))).toEqual([])
  })
  test('ANN-2 a block over 1 MiB is refused', async () => {
    const { client } = await paired()
    const { cid } = await rawBlock(random.bytes(4))
    expect(await failure(client.putBlocks([{ cid, bytes: new Uint8Array((1 << 20) + 1) }]))).toMatchObject({ name: 'LimitExceededError' })
  })
  test('ANN-2 an aborted call ends with the reason', async () => {
    const { client } = await paired()
    const reason = new Error('stop')
    expect(await failure(client.putBlocks([await rawBlock(random.bytes(4))], { signal: AbortSignal.abort(reason) }))).toBe(reason)
  })
  test('NODE-3 over the quota is an error that names it, and loses nothing', async () => {
    const { client } = await paired()
    const first = await rawBlock(random.bytes(50))
    await client.putBlocks([first])
    const flood = async function * (): AsyncGenerator<Block> {
      for (let i = 0; i <= node().quotaBytes >> 20; i++) yield rawBlock(new Uint8Array(1 << 20).fill(100 + i))
    }
    expect(await failure(client.putBlocks(flood()))).toMatchObject({ name: 'QuotaExceededError', family: 'retryable', data: { limitBytes: node().quotaBytes } })
    expect(await collect(client.getBlocks([first.cid]))).toHaveLength(1)
    const usage = await client.usage()
    expect(usage.usedBytes).toBeLessThanOrEqual(node().quotaBytes)
    expect(usage.quotaBytes).toBe(node().quotaBytes)
  })
}

function roots ({ random, paired, failure }: Suite): void {
  test('HEAD-2 NODE-4 a registered head is accepted, what is missing is named, then receipted', async () => {
    const { device, client } = await paired()
    const vault = createTestVault(random)
    await client.registerVault(registrationOf(device, vault))
    expect(await client.heads(vault)).toEqual([{ head: device.head, device: device.id, record: null }])
    const made = await createTestRoot(device, vault, [await createTestFile(random, [100, 200])], { counter: 1 })
    await client.putBlocks([made.root])
    await client.putRecord(device.head, made.record)
    expect(await client.getRecord(device.head)).toEqual(made.record)
    let sent = 1
    for (;;) {
      const answer = await client.receipt(vault, made.root.cid)
      if ('receipt' in answer) {
        expect(answer.receipt).toMatchObject({ vault })
        expect(answer.receipt.root.equals(made.root.cid)).toBe(true)
        await checkReceipt(answer.receipt, keyOfPeerId((await client.describe()).peerId))
        break
      }
      const wanted = new Set(idsOf(answer.missing.map(cid => ({ cid }))))
      const upload = made.blocks.filter(block => wanted.has(block.cid.toString()))
      expect(upload.length).toBe(wanted.size)
      sent += upload.length
      await client.putBlocks(upload)
    }
    expect(sent).toBe(made.blocks.length)
    const [head] = await client.heads(vault)
    expect(head!.record).toEqual(made.record)
    expect((await client.usage()).vaults.find(usage => usage.vault === vault)!.usedBytes).toBe(made.blocks.reduce((sum, block) => sum + block.bytes.length, 0))
  })
  test('HEAD-2 what is not a root of the registered device is refused', async () => {
    const { device, client } = await paired()
    const vault = createTestVault(random)
    const second = await createTestDevice(device.account, random)
    const unregistered = await createTestRoot(device, vault, [], { counter: 1 })
    await client.putBlocks(unregistered.blocks)
    expect(await failure(client.putRecord(device.head, unregistered.record))).toMatchObject({ name: 'UnauthorisedError' })
    await client.registerVault(registrationOf(device, vault))
    const cases = {
      'another vault': await createTestRoot(device, createTestVault(random), [], { counter: 1 }),
      'another device': await createTestRoot({ ...second, headSeed: device.headSeed }, vault, [], { counter: 1 }),
      'another signer': await createTestRoot({ ...device, headSeed: second.headSeed }, vault, [], { counter: 1 }),
      'another sequence': await createTestRoot(device, vault, [], { counter: 1, sequence: 2 })
    }
    for (const [what, made] of Object.entries(cases)) {
      await client.putBlocks(made.blocks)
      expect(await failure(client.putRecord(device.head, made.record)), what).toMatchObject({ name: 'UnauthorisedError' })
    }
    expect(await client.heads(vault)).toEqual([{ head: device.head, device: device.id, record: null }])
  })
  test('HEAD-2 a lower sequence, and another root of the same one, are refused', async () => {
    const { device, client } = await paired()
    const vault = createTestVault(random)
    await client.registerVault(registrationOf(device, vault))
    const [first, second] = [await createTestRoot(device, vault, [], { counter: 1 }), await createTestRoot(device, vault, [], { counter: 2 })]
    const fork = await createTestRoot(device, vault, [await createTestFile(random, [])], { counter: 2 })
    for (const made of [first, second, fork]) await client.putBlocks(made.blocks)
    await client.putRecord(device.head, second.record)
    await client.putRecord(device.head, second.record)
    expect(await failure(client.putRecord(device.head, first.record))).toMatchObject({ name: 'UnauthorisedError', data: { evidence: 'rollback' } })
    expect(await failure(client.putRecord(device.head, fork.record))).toMatchObject({ name: 'UnauthorisedError', data: { evidence: 'fork' } })
    expect(await client.getRecord(device.head)).toEqual(second.record)
  })
  test('HEAD-2 a vault belongs to the account that registered it first', async () => {
    const { device, client } = await paired()
    const other = await paired()
    const vault = createTestVault(random)
    await client.registerVault(registrationOf(device, vault))
    await client.registerVault(registrationOf(device, vault))
    expect(await failure(other.client.registerVault(registrationOf(other.device, vault)))).toMatchObject({ name: 'UnauthorisedError' })
    expect(await failure(other.client.heads(vault))).toMatchObject({ name: 'UnauthorisedError' })
    expect(await failure(other.client.receipt(vault, (await rawBlock(random.bytes(3))).cid))).toMatchObject({ name: 'UnauthorisedError' })
  })
  test('NODE-4 no receipt for a root that no head named', async () => {
    const { device, client } = await paired()
    const vault = createTestVault(random)
    await client.registerVault(registrationOf(device, vault))
    const made = await createTestRoot(device, vault, [], { counter: 1 })
    await client.putBlocks(made.blocks)
    expect(await failure(client.receipt(vault, made.root.cid))).toMatchObject({ name: 'BlockNotFoundError', family: 'retryable' })
  })
  test('HEAD-1 a name without a record gives null', async () => {
    const { device, client } = await paired()
    expect(await client.getRecord(device.head)).toBeNull()
  })
}

function envelopes ({ random, node, paired, failure }: Suite): void {
  test('KEY-3 an envelope key reads its record and block, and nothing else', async () => {
    const { device, client } = await paired()
    const seed = random.bytes(32)
    const name = headNameOf(createSigner(seed).publicKey)
    const block = await encodeBlock({ v: 1, sealed: random.bytes(100) })
    const other = await rawBlock(random.bytes(20))
    await client.registerEnvelope(name)
    await client.putBlocks([block, other])
    const record = await createHeadRecord(seed, block.cid, 1n, { now: Date.now(), lifetimeMs: 86_400_000, ttlMs: 1000 })
    await client.putRecord(name, record)

    const holder = node().client(seed)
    expect(await holder.getRecord(name)).toEqual(record)
    expect(idsOf(await collect(holder.getBlocks([block.cid])))).toEqual(idsOf([block]))
    const vault = createTestVault(random)
    const registration = { vault, topic: 't', head: name, headKey: createSigner(seed).publicKey }
    for (const ask of [
      async () => collect(holder.getBlocks([other.cid])), async () => holder.putBlocks([other]), async () => holder.getRecord(device.head), async () => holder.putRecord(name, record),
      async () => holder.usage(), async () => holder.heads(vault), async () => holder.registerVault(registration), async () => holder.registerEnvelope(device.head)
    ]) expect(await failure(ask()), ask.toString()).toMatchObject({ name: 'UnauthorisedError' })
  })
  test('KEY-3 an envelope that points to a block that is not here is refused', async () => {
    const { client } = await paired()
    const seed = random.bytes(32)
    const name = headNameOf(createSigner(seed).publicKey)
    await client.registerEnvelope(name)
    const { cid } = await rawBlock(random.bytes(20))
    expect(await failure(client.putRecord(name, await createHeadRecord(seed, cid, 1n, { now: Date.now(), lifetimeMs: 86_400_000, ttlMs: 1000 })))).toMatchObject({ name: 'BlockNotFoundError' })
  })
}

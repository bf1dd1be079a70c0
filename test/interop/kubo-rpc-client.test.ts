import { createBlock, DAG_CBOR, encode, encodeBlock, RAW, type Block } from '@holdfast/protocol'
import { create, type KuboRPCClient } from 'kubo-rpc-client'
import { CID } from 'multiformats/cid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collect, createTestFile, createTestRandom, createTestRoot, createTestVault, registrationOf } from '../compliance/node-world.js'
import { startTestNode, type TestNode } from '../compliance/running-node.js'

const random = createTestRandom(14)
let world: TestNode
let kubo: KuboRPCClient
beforeAll(async () => {
  world = await startTestNode({ uploadGraceMs: 0, quotaBytes: 64 << 20 })
  kubo = create({ url: world.node.url, headers: { authorization: `Bearer ${world.node.apiKey}` } })
})
afterAll(async () => {
  await world.end()
  expect(world.errors).toEqual([])
})

/** A DAG of two levels, more than one read of the stream long. */
async function dag (): Promise<{ root: Block, blocks: Block[] }> {
  const leaves = await Promise.all([100_000, 200_000, 300, 4].map(async size => createBlock(RAW, random.bytes(size))))
  const middle = await encodeBlock({ v: 1, links: leaves.slice(0, 2).map(leaf => leaf.cid), filler: random.bytes(8) })
  const root = await encodeBlock({ v: 1, links: [middle.cid, ...leaves.slice(2).map(leaf => leaf.cid)] })
  return { root, blocks: [root, middle, ...leaves] }
}
async function put (blocks: readonly Block[]): Promise<void> {
  for (const { cid, bytes } of blocks) {
    const stored = await kubo.block.put(bytes, { format: cid.code === RAW ? 'raw' : 'dag-cbor' })
    expect(stored.toString()).toBe(cid.toString())
  }
}

test('NODE kubo-rpc-client: id and version', async () => {
  const id = await kubo.id()
  expect(id.id.toString()).toBe(world.node.peerId)
  expect(id.addresses.map(String)).toEqual(world.node.addresses())
  expect((await kubo.version()).version).toBe('0.1.0')
})
test('NODE-1 kubo-rpc-client: without the key it is refused with a message', async () => {
  await expect(create({ url: world.node.url }).id()).rejects.toThrow('needs authorisation')
})
test('NODE kubo-rpc-client: block put, get and stat', async () => {
  const { blocks } = await dag()
  await put(blocks)
  for (const { cid, bytes } of blocks) {
    expect(Buffer.compare(await kubo.block.get(cid), bytes)).toBe(0)
    const stat = await kubo.block.stat(cid)
    expect([stat.cid.toString(), stat.size]).toEqual([cid.toString(), bytes.length])
  }
  await expect(kubo.block.get((await createBlock(RAW, random.bytes(9))).cid)).rejects.toThrow('is not here')
  await expect(kubo.block.put(random.bytes(9), { mhtype: 'sha2-512' })).rejects.toThrow('sha2-256')
  expect((await createBlock(DAG_CBOR, encode({}))).cid.code).toBe(DAG_CBOR)
})
test('ROOT-2 kubo-rpc-client: dag export, then import of what came, pins its root', async () => {
  const { root, blocks } = await dag()
  await put(blocks)
  const car = await collect(kubo.dag.export(root.cid))
  expect(Buffer.concat(car).length).toBeGreaterThan(300_000)
  await collect(kubo.repo.gc())
  await expect(kubo.block.get(root.cid)).rejects.toThrow('is not here')
  const imported = await collect(kubo.dag.import((async function * () { yield * car })(), { pinRoots: true }))
  expect(imported.map(({ root: { cid, pinErrorMsg } }) => [cid.toString(), pinErrorMsg])).toEqual([[root.cid.toString(), '']])
  await collect(kubo.repo.gc())
  for (const block of blocks) expect(Buffer.compare(await kubo.block.get(block.cid), block.bytes)).toBe(0)
})
test('ROOT-2 kubo-rpc-client: a pinned root that is not whole is reported, as Kubo does', async () => {
  const { root } = await dag()
  await put([root])
  const car = await collect(kubo.dag.export((await createBlock(RAW, new Uint8Array(0))).cid)).catch((error: unknown) => String(error))
  expect(car).toMatch('is not here')
  await expect(kubo.pin.add(root.cid)).rejects.toThrow('is not here')
})
test('NODE kubo-rpc-client: pin add, ls, update, rm and repo gc', async () => {
  const [one, two] = [await dag(), await dag()]
  await put([...one.blocks, ...two.blocks])
  expect((await kubo.pin.add(one.root.cid)).toString()).toBe(one.root.cid.toString())
  const direct = two.blocks[2]!
  await kubo.pin.add(direct.cid, { recursive: false })
  const list = async (options: Parameters<typeof kubo.pin.ls>[0] = {}): Promise<string[]> => (await collect(kubo.pin.ls(options))).map(pin => `${pin.type} ${pin.cid.toString()}`)
  expect(await list()).toEqual(expect.arrayContaining([`recursive ${one.root.cid.toString()}`, `direct ${direct.cid.toString()}`]))
  expect(await list({ type: 'direct' })).toEqual([`direct ${direct.cid.toString()}`])
  expect(await list({ paths: one.root.cid })).toEqual([`recursive ${one.root.cid.toString()}`])
  await expect(list({ paths: two.root.cid })).rejects.toThrow('is not pinned')

  expect((await kubo.pin.update(one.root.cid, two.root.cid)).map(String)).toEqual([one.root.cid.toString(), two.root.cid.toString()])
  const swept = (await collect(kubo.repo.gc())).map(({ cid }) => String(cid))
  expect(one.blocks.every(block => swept.includes(block.cid.toString()))).toBe(true)
  expect(swept).not.toContain(two.root.cid.toString())
  for (const block of two.blocks) await kubo.block.get(block.cid)
  expect((await kubo.pin.rm(two.root.cid)).toString()).toBe(two.root.cid.toString())
  await collect(kubo.repo.gc())
  await expect(kubo.block.get(two.root.cid)).rejects.toThrow('is not here')
  expect((await kubo.block.get(direct.cid)).length).toBe(direct.bytes.length)
})
test('NODE-3 kubo-rpc-client: repo stat, and the quota as an error', async () => {
  const before = await kubo.repo.stat()
  await kubo.block.put(random.bytes(1000))
  const after = await kubo.repo.stat()
  expect([after.numObjects - before.numObjects, after.repoSize - before.repoSize, after.storageMax]).toEqual([1n, 1000n, BigInt(64 << 20)])
})
test('HEAD-2 kubo-rpc-client: routing put and get of a registered head', async () => {
  const { device, client } = await world.pairedDevice(random)
  const vault = createTestVault(random)
  const made = await createTestRoot(device, vault, [await createTestFile(random, [50])], { counter: 1 })
  const key = `/ipns/${device.head}`
  await expect(collect(kubo.routing.put(key, made.record))).rejects.toThrow('no vault registered this name')
  await client.registerVault(registrationOf(device, vault))
  await client.putBlocks(made.blocks)
  const [stored] = await collect(kubo.routing.put(key, made.record))
  expect(stored).toMatchObject({ name: 'VALUE' })
  const events = await collect(kubo.routing.get(key))
  expect(events.map(event => event.name === 'VALUE' ? Buffer.compare(event.value, made.record) : event)).toEqual([0])
  const receipt = await client.receipt(vault, made.root.cid)
  expect(receipt).toHaveProperty('receipt')
  const pins = await collect(kubo.pin.ls({ type: 'recursive' }))
  expect(pins.map(pin => pin.cid.toString())).toContain(made.root.cid.toString())
  await expect(kubo.pin.rm(CID.parse(made.root.cid.toString()))).rejects.toThrow('is not pinned')
})

import { createSigner } from '@holdfast/crypto'
import { blockId, encodeBlock, isHoldfastError, revokeDevice, type ErrorFamily, type HeadName } from '@holdfast/protocol'
import { decodeBody, updateTrie, walkTrie, type Body } from '@holdfast/roots'
import { signReceipt } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { beforeEach, describe, expect, it } from 'vitest'
import { damaged, names, read, save, syncAll, type TestDevice } from '../../packages/engine/src/world.test-support.js'
import { createHostileWorld, forgeHead, headOf, nameOf, offer, shownRoot, type HostileNode, type HostileWorld } from './hostile-world.js'

let world: HostileWorld
let node: HostileNode
/** The device that is lied to, and another honest one of the same account. */
let victim: TestDevice
let friend: TestDevice

beforeEach(async () => {
  world = await createHostileWorld()
  node = world.node
  victim = await world.join()
  friend = await world.join()
  await save(friend, world.clock, 'shared', 'before')
  await syncAll(friend, victim)
  expect(names(victim)).toEqual(['shared'])
})

const look = (device: TestDevice): unknown => ({ body: device.body(), names: names(device), entries: device.engine.vault.index.size, members: device.engine.devices() })

/** What the node says is refused with an error of this family that says what to do; nothing changes; honest work goes on. */
async function refuses (family: ErrorFamily, name: string): Promise<void> {
  const before = look(victim)
  const { failures } = await victim.engine.sync()
  expect(failures.length).toBeGreaterThan(0)
  for (const failure of failures) {
    expect({ name: failure.name, family: failure.family }).toEqual({ name, family })
    expect(failure.message.length).toBeGreaterThan(10)
    expect(failure.remedy).toMatch(/[.]$/)
  }
  expect(look(victim)).toEqual(before)
  expect(look(await victim.restart())).toEqual(before)
  await goesOn()
}

async function goesOn (): Promise<void> {
  node.repent()
  world.clock.advance(1_000)
  await save(victim, world.clock, 'from victim', 'after')
  if (friend.engine.devices().find(device => device.id === friend.keys.id)?.revokedAt === null) await save(friend, world.clock, 'from friend', 'after')
  await syncAll(victim, friend)
  const report = await victim.engine.sync()
  expect(report).toMatchObject({ settled: true, reachableNodes: 1, failures: [] })
  expect(names(victim)).toContain('from victim')
}

/** The victim and the friend again hold the same, new work of both included. */
async function together (): Promise<void> {
  await goesOn()
  expect(names(victim)).toEqual(expect.arrayContaining(['from friend', 'from victim', 'shared']))
  expect(victim.body()).toBe(friend.body())
}

/** Work of the friend that the node has and the victim has not heard of. */
async function news (): Promise<{ cid: CID, blocks: CID[], body: Body }> {
  const before = new Set(victim.disk.held.keys())
  await save(friend, world.clock, 'news', 'news')
  await friend.engine.sync()
  const { cid, body, root } = await shownRoot(friend)
  const log: CID[] = []
  for await (const one of walkTrie(body.log, async block => friend.disk.blocks.get(block))) if (!before.has(blockId(one))) log.push(one)
  return { cid, body, blocks: [cid, root.body, body.log, ...log] }
}

describe('blocks', () => {
  it.each([[0, 'root'], [1, 'body'], [2, 'log trie'], [3, 'change']])('ANN-2 a node that gives other bytes for block %i (the %s) is refused as corrupt', async n => {
    const { blocks } = await news()
    const cid = blocks[n]!
    node.forged.set(blockId(cid), damaged(friend.disk.held.get(blockId(cid))!))
    await refuses('corrupt', 'CorruptBlockError')
    await together()
    expect(await read(victim, 'news')).toBe('news')
  })

  it.each([[0, 'root'], [1, 'body'], [2, 'log trie'], [3, 'change']])('ANN-2 a node that withholds block %i (the %s) is asked again later', async n => {
    const { blocks } = await news()
    node.withheld.add(blockId(blocks[n]!))
    await refuses('retryable', 'BlockNotFoundError')
    await together()
  })

  it('CHK-3 a file whose content the node gives wrong is refused as corrupt, and its good copy is taken later', async () => {
    await save(friend, world.clock, 'file', 'contents')
    await friend.engine.sync()
    const { content } = friend.engine.vault.index.lookup('/file')!
    if (content.kind !== 'file') throw new Error('a file was saved')
    const id = blockId(content.node)
    node.forged.set(id, damaged(friend.disk.held.get(id)!))
    const report = await victim.engine.sync()
    expect(report.settled).toBe(false)
    expect(report.failures.map(failure => failure.family)).toEqual(['corrupt'])
    await expect(read(victim, 'file')).rejects.toMatchObject({ family: 'corrupt' })
    expect(victim.disk.held.has(id)).toBe(false)
    node.repent()
    expect(await victim.engine.sync()).toMatchObject({ settled: true, failures: [] })
    expect(await read(victim, 'file')).toBe('contents')
  })
})

describe('heads', () => {
  it('ROOT-3 an old head of an honest device is left alone: nothing goes back', async () => {
    const old = node.pinner.heads({ kind: 'operator' }, victim.engine.vault.id).find(head => head.head === nameOf(world, friend))!
    await save(friend, world.clock, 'news', 'news')
    await syncAll(friend, victim)
    const before = look(victim)
    node.heads = [old]
    expect(await victim.engine.sync()).toMatchObject({ failures: [] })
    expect(look(victim)).toEqual(before)
    await together()
  })

  it('ROOT-3 two roots of one device with one counter are told as a fork, with both as evidence, and nothing is lost', async () => {
    const { root, body } = await shownRoot(friend)
    const empty = { ...body, log: body.members }
    const fork = await forgeHead(world, { by: friend, body: empty, counter: root.counter, vector: root.vector })
    offer(node, fork)
    const before = look(victim)
    await victim.engine.sync()
    expect(look(victim)).toEqual(before)
    const told = victim.events.filter(event => event.type === 'evidence')
    expect(told).toMatchObject([{ kind: 'fork', device: friend.keys.id }])
    expect(told[0]!.type === 'evidence' && told[0]!.roots).toContain(blockId(fork.root.cid))
    const kept: string[] = []
    for await (const [key] of victim.disk.records.range({ prefix: `vault/${victim.engine.vault.id}/evidence/` })) kept.push(key)
    expect(kept).toHaveLength(1)
    // The node's own check sees it as well.
    await expect(node.pinner.acceptRecord(fork.head, fork.record, { blocks: fork.blocks })).rejects.toMatchObject({ family: 'unauthorised', data: { evidence: 'fork' } })
    await together()
  })

  it('ROOT-3 a higher counter over a vector that went back is told as a rollback, and nothing is lost', async () => {
    await save(victim, world.clock, 'seen', 'seen')
    await syncAll(victim, friend)
    await save(friend, world.clock, 'after', 'after')
    await syncAll(friend, victim)
    const { root, body } = await shownRoot(friend)
    expect(Object.keys(root.vector).length).toBeGreaterThan(1)
    const back = await forgeHead(world, { by: friend, body, counter: root.counter + 1, vector: {} as never })
    offer(node, back)
    const before = look(victim)
    await victim.engine.sync()
    expect(look(victim)).toEqual(before)
    expect(victim.events.filter(event => event.type === 'evidence')).toMatchObject([{ kind: 'rollback', device: friend.keys.id }])
    node.repent()
    await save(victim, world.clock, 'from victim', 'after')
    expect(await victim.engine.sync()).toMatchObject({ settled: true, failures: [] })
  })

  it('HEAD-1 a root under the name of another device is refused', async () => {
    const { root, body } = await shownRoot(friend)
    const other = await world.join()
    await syncAll(other, friend, victim)
    offer(node, await forgeHead(world, { by: friend, under: other, body: { ...body, log: body.members }, counter: root.counter + 9 }))
    await refuses('unauthorised', 'UnauthorisedError')
    const head = await forgeHead(world, { by: friend, under: other, body, counter: root.counter + 9 })
    await expect(node.pinner.acceptRecord(head.head, head.record, { blocks: head.blocks })).rejects.toMatchObject({ family: 'unauthorised' })
    await together()
  })

  it('HEAD-2 a root signed by a stranger is refused, by the device and by the node', async () => {
    const elsewhere = await createHostileWorld(2)
    const stranger = await elsewhere.join()
    const { root, body } = await shownRoot(friend)
    const head = await forgeHead(world, { by: stranger, body: { ...body, log: body.members }, counter: root.counter + 1, vector: root.vector })
    offer(node, head)
    await refuses('unauthorised', 'UnauthorisedError')
    await expect(node.pinner.acceptRecord(head.head, head.record, { blocks: head.blocks })).rejects.toMatchObject({ family: 'unauthorised' })
    await together()
  })

  it('HEAD-2 a record whose signature is not of its name is refused', async () => {
    const { cid, root } = await shownRoot(friend)
    const other = await world.join()
    const honest = await headOf(world, other, cid, BigInt(root.counter + 1))
    offer(node, { ...honest, head: nameOf(world, friend) })
    await refuses('unauthorised', 'UnauthorisedError')
    await together()
  })

  it.each<[string, ErrorFamily, string, (text: string) => Promise<{ cid: CID, bytes: Uint8Array }>]>([
    ['is no root', 'corrupt', 'CorruptBlockError', async text => encodeBlock({ v: 1, text })],
    ['is of a version to come', 'invalid', 'UnknownVersionError', async text => encodeBlock({ v: 2, text })]
  ])('ROOT-1 a head that points to a block that %s is refused', async (_, family, name, make) => {
    const block = await make('anything')
    offer(node, { ...await headOf(world, friend, block.cid, 99n), blocks: [block] })
    await refuses(family, name)
    await together()
  })

  it('ROOT-1 a root with another counter than its record is refused', async () => {
    const { root, body } = await shownRoot(friend)
    offer(node, await forgeHead(world, { by: friend, body, counter: root.counter + 1, sequence: BigInt(root.counter + 2) }))
    await refuses('corrupt', 'CorruptBlockError')
    await together()
  })

  it('ROOT-1 a body that is something else is refused', async () => {
    const { root } = await shownRoot(friend)
    const body = await encodeBlock({ v: 1, log: 'none' })
    offer(node, await forgeHead(world, { by: friend, body: body.cid, counter: root.counter + 1, vector: root.vector, blocks: [body] }))
    await refuses('corrupt', 'CorruptBlockError')
    await together()
  })
})

describe('changes', () => {
  it('LOG-1 a root whose log lacks what its changes build on is refused as a whole', async () => {
    await save(friend, world.clock, 'one', 'one')
    await friend.engine.sync()
    const first = (await shownRoot(friend)).body
    await save(friend, world.clock, 'one', 'two')
    await friend.engine.sync()
    const { body, root, read: readOf } = await shownRoot(friend)
    const known = new Set<string>()
    for await (const cid of walkTrie(decodeBody(await readOf((await shownRoot(victim)).root.body)).log, async cid => victim.disk.blocks.get(cid))) known.add(blockId(cid))
    const missing: CID[] = []
    for await (const cid of walkTrie(first.log, readOf)) if (!known.has(blockId(cid))) missing.push(cid)
    expect(missing).toHaveLength(1)
    const log = await updateTrie(body.log, { add: [], remove: missing }, readOf)
    offer(node, await forgeHead(world, { by: friend, body: { ...body, log: log.root }, counter: root.counter + 1, vector: root.vector, blocks: log.blocks }))
    await refuses('corrupt', 'CorruptBlockError')
    await together()
    expect(await read(victim, 'one')).toBe('two')
  })

  it('LOG-1 a block in the log that is no change of this vault is refused', async () => {
    const { body, root, read: readOf } = await shownRoot(friend)
    const rubbish = await encodeBlock({ v: 1, kind: 'change', anything: new Uint8Array(40) })
    const log = await updateTrie(body.log, { add: [rubbish.cid], remove: [] }, readOf)
    offer(node, await forgeHead(world, { by: friend, body: { ...body, log: log.root }, counter: root.counter + 1, vector: root.vector, blocks: [...log.blocks, rubbish] }))
    await refuses('corrupt', 'CorruptBlockError')
    await together()
  })

  it('LOG-1 work of a revoked device is refused, by the device and by the node; what it did before stays', async () => {
    await victim.engine.revoke(friend.keys.id)
    await victim.engine.sync()
    await save(friend, world.clock, 'stolen', 'stolen')
    await friend.engine.sync() // refused by the node; the friend still thinks that it may
    const { body, root } = await shownRoot(friend)
    const head = await forgeHead(world, { by: friend, body, counter: root.counter + 1, vector: root.vector, blocks: [...friend.disk.held].map(([id, bytes]) => ({ cid: CID.parse(id), bytes })) })
    offer(node, head)
    await refuses('unauthorised', 'UnauthorisedError')
    await expect(node.pinner.acceptRecord(head.head, head.record, { blocks: head.blocks })).rejects.toMatchObject({ family: 'unauthorised' })
    expect(names(victim)).toEqual(['from victim', 'shared'])
    expect(await read(victim, 'shared')).toBe('before')
    expect(victim.engine.devices().find(device => device.id === friend.keys.id)!.revokedAt).not.toBeNull()
  })

  it('MEM a revocation that another account signed is refused by the node', async () => {
    const stranger = (await createHostileWorld(3)).account
    const revocation = await revokeDevice(stranger.signer, friend.keys.id, world.clock.now())
    await expect(node.pinner.revoke(node.pinner.principalOf(victim.keys.signer.publicKey), revocation)).rejects.toMatchObject({ family: 'unauthorised' })
    await together()
  })
})

describe('receipts', () => {
  it.each(['another node\'s', 'one of an older root', 'one of another vault'])('NODE-4 a receipt that is %s is not believed', async kind => {
    const { vault } = victim.engine.status().vaults.map(({ id }) => ({ vault: id }))[0]!
    const old = (await shownRoot(victim)).cid
    const answer = await node.pinner.receipt(node.pinner.principalOf(victim.keys.signer.publicKey), vault, (await shownRoot(friend)).cid)
    await save(victim, world.clock, 'unsafe', 'unsafe')
    const pending = victim.engine.status().vaults[0]!.pendingBlocks
    expect(pending).toBeGreaterThan(0)
    const forger = createSigner(world.random.bytes(32))
    node.sabotage = {
      receipt: async (asked, root) => kind === 'another node\'s'
        ? { receipt: await signReceipt(forger, { vault: asked, root, at: world.clock.now() }) }
        : kind === 'one of an older root' ? answer : { receipt: { ...('receipt' in answer ? answer.receipt : raise()), root: old, vault: '0'.repeat(32) as never } }
    }
    const report = await victim.engine.sync()
    expect(report.settled).toBe(false)
    expect(report.failures.map(failure => failure.family)).toEqual(['unauthorised'])
    expect(victim.engine.status().vaults[0]!.pendingBlocks).toBe(pending)
    await together()
    expect(victim.engine.status().vaults[0]!.pendingBlocks).toBe(0)
  })
})

describe('what a node tells', () => {
  it('HEAD-1 a name that is no name, or an empty record, is refused and the next head is taken', async () => {
    await news()
    const honest = node.pinner.heads({ kind: 'operator' }, victim.engine.vault.id)
    node.heads = [{ head: 'nonsense' as HeadName, device: 'x', record: new Uint8Array(9) }, { head: nameOf(world, friend), device: 'x', record: new Uint8Array() }, ...honest]
    const { failures } = await victim.engine.sync()
    expect(failures.length).toBeGreaterThanOrEqual(2)
    for (const failure of failures) expect(isHoldfastError(failure) && failure.name !== 'InternalError', String(failure)).toBe(true)
    expect(names(victim)).toContain('news')
    await together()
  })
})

function raise (): never { throw new Error('the node gave no receipt') }

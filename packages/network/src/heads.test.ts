import type { HeadName } from '@holdfast/protocol'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { createIPNSRecord, marshalIPNSRecord } from 'ipns'
import { base36 } from 'multiformats/bases/base36'
import { afterEach, expect, test } from 'vitest'
import { connect, createTestPeers, LOOPBACK, randomBlock, until, type TestPeer } from '../test-support.js'

const peers = createTestPeers()
afterEach(async () => peers.close())

const named = (name: string) => expect.objectContaining({ name })

async function createHead () {
  const key = await generateKeyPairFromSeed('Ed25519', crypto.getRandomValues(new Uint8Array(32)))
  const name = key.publicKey.toCID().toString(base36) as HeadName
  const record = async (sequence: bigint, lifetimeMs = 60_000): Promise<Uint8Array> => {
    const { cid } = await randomBlock(50)
    return new Uint8Array(marshalIPNSRecord(await createIPNSRecord(key, `/ipfs/${cid.toString()}`, sequence, lifetimeMs)))
  }
  return { name, record }
}

/** A device's answer to the question where a head is, asked until it is the expected one. */
async function resolves (peer: TestPeer, name: HeadName, record: Uint8Array): Promise<void> {
  let found: Uint8Array | null = null
  await until(() => found !== null && Buffer.compare(found, record) === 0, async () => { found = await peer.network.heads.resolve(name) })
}

test('HEAD-1 a node passes on, without its key, a record that a device signed; another device resolves it byte for byte', async () => {
  const head = await createHead()
  const node = await peers.start({ listen: [LOOPBACK] })
  const reader = await peers.start()
  await connect(reader, node)
  const first = await head.record(1n)
  await node.network.heads.broadcast(head.name, first)
  await resolves(reader, head.name, first)
  expect(Object.getPrototypeOf(await reader.network.heads.resolve(head.name))).toBe(Uint8Array.prototype)
})

test('HEAD-1 whoever follows a name is sent its newer records', async () => {
  const head = await createHead()
  const node = await peers.start({ listen: [LOOPBACK] })
  const [writer, reader] = [await peers.start(), await peers.start()]
  await connect(writer, node)
  await connect(reader, node)
  const [first, second] = [await head.record(1n), await head.record(2n)]
  await node.network.heads.broadcast(head.name, first)
  await resolves(reader, head.name, first)
  await resolves(writer, head.name, first)
  await writer.network.heads.broadcast(head.name, second)
  await resolves(reader, head.name, second)
})

test('HEAD-1 an older record broadcast later does not take the place of a newer', async () => {
  const head = await createHead()
  const node = await peers.start({ listen: [LOOPBACK] })
  const reader = await peers.start()
  await connect(reader, node)
  const [first, second] = [await head.record(1n), await head.record(2n)]
  await node.network.heads.broadcast(head.name, second)
  await node.network.heads.broadcast(head.name, first)
  expect(await node.network.heads.resolve(head.name)).toEqual(second)
  await resolves(reader, head.name, second)
})

test('HEAD-1 a name that nobody has a record of resolves to null', async () => {
  const { name } = await createHead()
  const node = await peers.start({ listen: [LOOPBACK] })
  const reader = await peers.start()
  expect(await reader.network.heads.resolve(name)).toBeNull()
  await connect(reader, node)
  expect(await reader.network.heads.resolve(name)).toBeNull()
})

test('HEAD-2 forged, expired, oversized and misnamed records are not broadcast', async () => {
  const [head, other] = [await createHead(), await createHead()]
  const node = await peers.start({ listen: [LOOPBACK] })
  const record = await head.record(1n)
  const forged = record.slice()
  forged[forged.length - 5]! ^= 1
  const { heads } = node.network
  await expect(heads.broadcast(head.name, forged)).rejects.toThrow(named('UnauthorisedError'))
  await expect(heads.broadcast(other.name, record)).rejects.toThrow(named('UnauthorisedError'))
  await expect(heads.broadcast(head.name, await head.record(1n, -1000))).rejects.toThrow(named('UnauthorisedError'))
  await expect(heads.broadcast(head.name, new Uint8Array(10_241))).rejects.toThrow(named('LimitExceededError'))
  await expect(heads.broadcast('k51nonsense' as HeadName, record)).rejects.toThrow(named('CorruptBlockError'))
  await expect(heads.resolve('k51nonsense' as HeadName)).rejects.toThrow(named('CorruptBlockError'))
  expect(await heads.resolve(head.name)).toBeNull()
})

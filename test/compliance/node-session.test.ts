import { createNodeClient } from '@holdfast/node-client'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDevice, createTestRandom } from './node-world.js'
import { startTestNode, type TestNode } from './running-node.js'

const random = createTestRandom(15)
let world: TestNode
beforeAll(async () => { world = await startTestNode() })
afterAll(async () => { await world.end() })

test('NODE-1 one handshake serves many requests, also ones at the same time', async () => {
  const { device } = await world.pairedDevice(random)
  const asked: string[] = []
  const counting: typeof fetch = async (input, init) => { asked.push(new Request(input, init).url); return fetch(input, init) }
  const client = createNodeClient({ url: world.node.url, seed: device.seed, fetch: counting })
  await Promise.all(Array.from({ length: 10 }, async () => client.usage()))
  await client.usage()
  expect(asked.filter(url => url.endsWith('/api/v1/auth'))).toHaveLength(2)
})
test('NODE-1 a node that is not the one expected is refused', async () => {
  const { device } = await world.pairedDevice(random)
  const other = await startTestNode()
  const client = createNodeClient({ url: world.node.url, seed: device.seed, peerId: other.node.peerId })
  await expect(client.usage()).rejects.toMatchObject({ name: 'UnauthorisedError', message: expect.stringContaining(other.node.peerId) })
  await other.end()
})
test('NODE-1 a node with a new key is asked for a new token by itself', async () => {
  const { device, client } = await world.pairedDevice(random)
  await client.usage()
  const { port } = new URL(world.node.url)
  await world.node.stop()
  await rm(join(world.directory, 'node-key'))
  await world.restart({ listen: `127.0.0.1:${port}` })
  await client.usage()
  expect((await client.describe()).peerId).toBe(world.node.peerId)
  expect(device.id).toHaveLength(64)
})
test('NODE-1 with a certificate a device of a known account pairs itself', async () => {
  const { device } = await world.pairedDevice(random)
  const second = await createTestDevice(device.account, random)
  const client = createNodeClient({ url: world.node.url, seed: second.seed, certificate: second.certificate })
  expect((await client.usage()).vaults).toEqual([])
})

import { encode, keyOfPeerId } from '@holdfast/protocol'
import { generateKeyPairFromSeed, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { ClientInitiatedHandshake } from '@libp2p/http-peer-id-auth'
import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestRandom, type TestDevice } from '../../../../test/compliance/node-world.js'
import { startTestNode, type TestNode } from '../../../../test/compliance/running-node.js'

const random = createTestRandom(11)
let world: TestNode
let device: TestDevice
beforeAll(async () => {
  world = await startTestNode({ hosts: ['node.example.org'] })
  device = (await world.pairedDevice(random)).device
})
afterAll(async () => { await world.end() })

/** fetch does not let a test choose the Host header. */
async function ask (path: string, headers: Record<string, string>, method = 'GET'): Promise<{ status: number, headers: Record<string, string | string[] | undefined> }> {
  return new Promise((resolve, reject) => {
    httpRequest(world.node.url + path, { method, headers }, response => {
      response.resume()
      response.on('end', () => { resolve({ status: response.statusCode!, headers: response.headers }) })
    }).on('error', reject).end()
  })
}

/** The handshake as the client's side of the specification has it, with a Host header of choice. */
async function shakeHands (host: string, hostname: string): Promise<{ status: number, bearer: string | null }> {
  const handshake = new ClientInitiatedHandshake(await generateKeyPairFromSeed('Ed25519', device.seed), hostname)
  const challenged = await ask('/api/v1/auth', { host, authorization: handshake.getChallenge() })
  const header = challenged.headers['www-authenticate'] as string
  if (!header.includes('sig=')) return { status: challenged.status, bearer: null }
  const proved = await ask('/api/v1/auth', { host, authorization: await handshake.verifyServer(header) })
  return { status: proved.status, bearer: proved.status === 204 ? handshake.decodeBearerToken(proved.headers['authentication-info'] as string) : null }
}

const ROUTES: [method: string, path: string][] = [
  ['GET', '/api/v1/auth'], ['GET', '/api/v1/node'], ['POST', '/api/v1/pair'], ['POST', '/api/v1/revocations'], ['POST', '/api/v1/envelopes'], ['POST', `/api/v1/vaults/${'0'.repeat(32)}/heads`],
  ['GET', `/api/v1/vaults/${'0'.repeat(32)}/heads`], ['POST', `/api/v1/vaults/${'0'.repeat(32)}/receipts`], ['POST', '/api/v1/blocks'], ['GET', '/api/v1/usage'], ['GET', '/ipfs/bafkqaaa'],
  ['HEAD', '/ipfs/bafkqaaa'], ['GET', '/routing/v1/ipns/k51'], ['PUT', '/routing/v1/ipns/k51'], ['GET', '/metrics'],
  ...['id', 'version', 'block/put', 'block/get', 'block/stat', 'dag/import', 'dag/export', 'pin/add', 'pin/rm', 'pin/ls', 'pin/update', 'repo/stat', 'repo/gc', 'routing/put', 'routing/get']
    .map((command): [string, string] => ['POST', `/api/v0/${command}`])
]

test('NODE-1 every call but health needs authorisation', async () => {
  expect((await ask('/healthz', {})).status).toBe(200)
  for (const [method, path] of ROUTES) {
    const { status, headers } = await ask(path, {}, method)
    expect(status, `${method} ${path}`).toBe(401)
    expect(headers['www-authenticate'], path).toMatch(/^libp2p-PeerID challenge-client=/)
  }
})
test('NODE-1 a message that claims a paired key without proving it is refused', async () => {
  const publicKey = Buffer.from(publicKeyToProtobuf((await generateKeyPairFromSeed('Ed25519', device.seed)).publicKey)).toString('base64url')
  const parts = { 'challenge-server': 'eA==', 'public-key': `${publicKey}`, opaque: 'eA==', sig: 'eA==' }
  const entries = Object.entries(parts).map(([name, value]) => `${name}="${value}"`)
  for (const order of [entries, entries.toReversed(), [entries[3]!, entries[0]!, entries[2]!, entries[1]!]]) {
    for (const separator of [', ', ',', ' ']) {
      const answer = await ask('/api/v1/usage', { authorization: `libp2p-PeerID ${order.join(separator)}` })
      expect(answer.status).toBe(401)
      expect(answer.headers['authentication-info']).toBeUndefined()
    }
  }
})
test('NODE-1 a token works for the host it was given for, and no other', async () => {
  const { status, bearer } = await shakeHands('node.example.org', 'node.example.org')
  expect(status).toBe(204)
  expect((await ask('/api/v1/usage', { host: 'node.example.org:80', authorization: bearer! })).status).toBe(200)
  expect((await ask('/api/v1/usage', { host: 'localhost', authorization: bearer! })).status).toBe(401)
})
test('NODE-1 a host name that is not this node\'s gets no proof of the node\'s key', async () => {
  // What someone in between would pass on: the client means evil.example.
  expect(await shakeHands('evil.example', 'evil.example')).toEqual({ status: 401, bearer: null })
  await expect(shakeHands('localhost', 'evil.example')).rejects.toThrow()
})
test('NODE-1 tokens that are damaged, of another node or no tokens at all are refused', async () => {
  const { bearer } = await shakeHands('localhost', 'localhost')
  const token = /bearer="([^"]+)"/.exec(bearer!)![1]!
  const inner = JSON.parse(Buffer.from(token, 'base64url').toString()) as { val: string, sig: string }
  const forged = Buffer.from(JSON.stringify({ ...inner, val: Buffer.from(JSON.stringify({ peer: world.node.peerId, h: 'localhost', t: Date.now() })).toString('base64url') })).toString('base64url')
  const stale = Buffer.from(JSON.stringify({ ...inner, sig: Buffer.alloc(64).toString('base64url') })).toString('base64url')
  for (const value of [forged, stale, '', 'x', token.slice(0, -8), 'a'.repeat(4_000)]) {
    expect((await ask('/api/v1/usage', { host: 'localhost', authorization: `libp2p-PeerID bearer="${value}"` })).status).toBe(401)
  }
  for (const header of ['Bearer ', `Bearer ${'0'.repeat(64)}`, 'Basic eDp5', 'libp2p-PeerID', 'libp2p-PeerID x="y"']) {
    expect((await ask('/api/v1/usage', { host: 'localhost', authorization: header })).status, header).toBe(401)
  }
})
test('NODE-1 the API key is the operator\'s; device keys are not', async () => {
  expect((await world.operator('/metrics')).status).toBe(200)
  const { bearer } = await shakeHands('localhost', 'localhost')
  for (const path of ['/api/v0/pin/ls', '/api/v0/repo/gc', '/api/v0/pin/add?arg=bafkqaaa']) {
    expect((await ask(path, { host: 'localhost', authorization: bearer! }, 'POST')).status, path).toBe(403)
  }
  expect((await ask('/metrics', { host: 'localhost', authorization: bearer! })).status).toBe(403)
  const paired = await world.operator('/api/v1/pair', { method: 'POST', body: encode({ v: 1 }) as BodyInit })
  expect(paired.status).toBe(403)
  expect(keyOfPeerId(world.node.peerId)).toHaveLength(32)
})

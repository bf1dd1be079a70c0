import { createBlock, encode, encodeBlock, RAW, type Block, type NodeClient } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collect, createTestFile, createTestRandom, createTestRoot, createTestVault, registrationOf, type TestDevice } from '../../../../test/compliance/node-world.js'
import { startTestNode, type TestNode } from '../../../../test/compliance/running-node.js'
import { openCar, writeCar } from './car.js'

const random = createTestRandom(12)
let world: TestNode
let device: TestDevice
let client: NodeClient
beforeAll(async () => {
  world = await startTestNode({ allowedOrigins: ['https://files.example.org'] })
  ;({ device, client } = await world.pairedDevice(random))
})
afterAll(async () => {
  await world.end()
  expect(world.errors).toEqual([])
})
const asJson = async (response: Response): Promise<Record<string, unknown>> => await response.json() as Record<string, unknown>
const carOf = async (roots: CID[], blocks: readonly Block[]): Promise<Uint8Array<ArrayBuffer>> => Buffer.concat(await collect(writeCar(roots, blocks)))
const readCarOf = async (bytes: Uint8Array): Promise<{ roots: string[], blocks: string[] }> => {
  const { roots, blocks } = await openCar((async function * () { yield bytes })())
  return { roots: roots.map(String), blocks: (await collect(blocks)).map(block => block.cid.toString()) }
}
const post = async (path: string, body: BodyInit, type = 'application/octet-stream'): Promise<Response> => world.operator(path, { method: 'POST', body, headers: { 'content-type': type } })
const multipart = (bytes: Uint8Array<ArrayBuffer>): FormData => {
  const form = new FormData()
  form.append('file', new Blob([bytes]))
  return form
}
const vault = createTestVault(random)

describe('limits', () => {
  const tooLarge = async (response: Response): Promise<void> => {
    expect(response.status).toBe(413)
    expect(await asJson(response)).toMatchObject({ name: 'LimitExceededError', family: 'invalid', Type: 'error' })
  }
  test('NODE-1 small bodies are bounded', async () => {
    const big = encode({ v: 1, filler: new Uint8Array(65 << 10) })
    for (const path of ['/api/v1/revocations', '/api/v1/envelopes', `/api/v1/vaults/${vault}/heads`, `/api/v1/vaults/${vault}/receipts`]) await tooLarge(await post(path, big as BodyInit))
  })
  test('NODE-1 a pairing is bounded', async () => {
    const long = { ...device.certificate, signature: new Uint8Array(70_000) }
    await expect(client.pair({ certificate: long })).rejects.toMatchObject({ name: 'LimitExceededError' })
  })
  test('ANN-2 a list of blocks is bounded in bytes and in number', async () => {
    const { cid } = await createBlock(RAW, random.bytes(3))
    await tooLarge(await post('/api/v1/blocks', encode(new Uint8Array(257 << 10)) as BodyInit))
    await tooLarge(await post('/api/v1/blocks', encode(Array.from({ length: 4_097 }, () => cid)) as BodyInit))
  })
  test('HEAD-1 a record is bounded', async () => {
    await tooLarge(await world.operator(`/routing/v1/ipns/${device.head}`, { method: 'PUT', body: new Uint8Array((10 << 10) + 1) }))
    await tooLarge(await world.operator(`/api/v0/routing/put?arg=/ipns/${device.head}`, { method: 'POST', body: multipart(new Uint8Array((10 << 10) + 1)) }))
  })
  test('CHK-1 a block is bounded, alone and in a CAR', async () => {
    await tooLarge(await world.operator('/api/v0/block/put', { method: 'POST', body: multipart(new Uint8Array((1 << 20) + 1)) }))
    const { cid } = await createBlock(RAW, random.bytes(3))
    await tooLarge(await post('/api/v0/dag/import', await carOf([], [{ cid, bytes: new Uint8Array((1 << 20) + 1) }]) as BodyInit))
  })
  test('ANN-2 a CAR cannot make the node buffer more than a block, whatever length it states', async () => {
    const header = await carOf([], [])
    // A section of 2^48 bytes, of which none come.
    const stated = Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0x01, 0x55, 0x12, 0x20)
    await tooLarge(await post('/api/v0/dag/import', Buffer.concat([header, stated, new Uint8Array(40)])))
    // A header of as much.
    await tooLarge(await post('/api/v0/dag/import', Buffer.concat([stated, new Uint8Array(40)])))
  })
  test('ANN-2 the roots of a CAR are bounded', async () => {
    const { cid } = await createBlock(RAW, random.bytes(3))
    await tooLarge(await post('/api/v0/dag/import', await carOf(Array.from({ length: 1_001 }, () => cid), []) as BodyInit))
  })
  test('NODE-1 request headers are bounded', async () => {
    expect((await world.operator('/api/v1/usage', { headers: { 'x-filler': 'x'.repeat(20_000) } })).status).toBe(431)
  })
})

describe('damage', () => {
  test('ANN-2 what is not a CAR, or a cut one, is refused', async () => {
    const block = await createBlock(RAW, random.bytes(300))
    const whole = await carOf([], [block])
    for (const bytes of [new Uint8Array(0), random.bytes(200), whole.subarray(0, -1), Buffer.concat([whole, Uint8Array.of(0)])]) {
      const response = await post('/api/v0/dag/import', bytes as BodyInit)
      expect(response.status).toBeGreaterThanOrEqual(400)
      expect(response.status).toBeLessThan(500)
    }
  })
  test('NODE-1 bodies of a wrong shape are refused with the field that is wrong', async () => {
    for (const [path, body] of [['/api/v1/envelopes', { v: 1 }], [`/api/v1/vaults/${vault}/receipts`, { v: 1, root: 'x' }], ['/api/v1/blocks', { v: 1 }], ['/api/v1/blocks', ['x']]] as const) {
      const response = await post(path, encode(body) as BodyInit)
      expect(response.status, path).toBe(400)
    }
    expect(await asJson(await post('/api/v1/envelopes', encode({ v: 2 }) as BodyInit))).toMatchObject({ name: 'UnknownVersionError' })
    expect((await post('/api/v1/vaults/xyz/receipts', encode({ v: 1 }) as BodyInit)).status).toBe(400)
  })
  test('NODE-1 a file upload of a wrong shape is refused', async () => {
    expect((await post('/api/v0/block/put', 'x', 'multipart/form-data')).status).toBe(400)
    expect((await post('/api/v0/block/put', '--b--\r\n', 'multipart/form-data; boundary=b')).status).toBe(400)
    expect((await post('/api/v0/block/put', '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc', 'multipart/form-data; boundary=b')).status).toBeGreaterThanOrEqual(400)
  })
  test('ANN-2 a client that goes away in the middle of an upload harms nobody', async () => {
    const { port } = new URL(world.node.url)
    await new Promise<void>(resolve => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(`POST /api/v0/dag/import HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${world.node.apiKey}\r\nContent-Length: 100000\r\n\r\n`)
        socket.write(random.bytes(1000), () => { socket.destroy() })
      })
      socket.on('close', () => { resolve() })
    })
    expect((await client.describe()).peerId).toBe(world.node.peerId)
  })
  test('NODE-1 unknown paths and methods say so', async () => {
    expect((await world.operator('/api/v1/nothing')).status).toBe(404)
    expect((await world.operator('/api/v0/id')).status).toBe(405)
    expect((await world.operator('/healthz', { method: 'DELETE' })).status).toBe(405)
  })
})

describe('gateway', () => {
  test('ROOT-2 serves raw blocks and CARs as a trustless gateway', async () => {
    const leaf = await createBlock(RAW, random.bytes(200_000))
    const other = await createBlock(RAW, random.bytes(10))
    const middle = await encodeBlock({ v: 1, links: [other.cid, leaf.cid, other.cid] })
    const root = await encodeBlock({ v: 1, links: [middle.cid, leaf.cid] })
    await client.putBlocks([leaf, other, middle, root])
    const raw = await world.operator(`/ipfs/${leaf.cid.toString()}?format=raw`)
    expect(raw.headers.get('content-type')).toBe('application/vnd.ipld.raw')
    expect(raw.headers.get('cache-control')).toMatch(/private.*immutable/)
    expect(raw.headers.get('x-ipfs-path')).toBe(`/ipfs/${leaf.cid.toString()}`)
    expect(Buffer.compare(new Uint8Array(await raw.arrayBuffer()), leaf.bytes)).toBe(0)
    const car = await world.operator(`/ipfs/${root.cid.toString()}`, { headers: { accept: 'application/vnd.ipld.car; version=1' } })
    expect(car.headers.get('content-type')).toBe('application/vnd.ipld.car; version=1; order=dfs; dups=n')
    expect(await readCarOf(new Uint8Array(await car.arrayBuffer()))).toEqual({ roots: [root.cid.toString()], blocks: [root, middle, other, leaf].map(block => block.cid.toString()) })
    const one = await world.operator(`/ipfs/${root.cid.toString()}?format=car&dag-scope=block`)
    expect((await readCarOf(new Uint8Array(await one.arrayBuffer()))).blocks).toEqual([root.cid.toString()])
    const again = await world.operator(`/ipfs/${leaf.cid.toString()}?format=raw`, { headers: { 'if-none-match': raw.headers.get('etag')! } })
    expect(again.status).toBe(304)
    const head = await world.operator(`/ipfs/${leaf.cid.toString()}?format=raw`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '200000'])
  })
  test('ROOT-2 says what it does not serve', async () => {
    const absent = await createBlock(RAW, random.bytes(5))
    expect((await world.operator(`/ipfs/${absent.cid.toString()}?format=raw`)).status).toBe(404)
    expect((await world.operator('/ipfs/bafkqaaa?format=raw')).status).toBe(200)
    expect((await world.operator('/ipfs/bafkqaaa')).status).toBe(406)
    expect((await world.operator('/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG?format=raw')).status).toBe(400)
    expect((await world.operator('/ipfs/nothing?format=raw')).status).toBe(400)
  })
  test('ROOT-2 a DAG that is not whole ends in an error, not in a CAR that looks whole', async () => {
    const absent = await createBlock(RAW, random.bytes(5))
    const filler = await Promise.all(Array.from({ length: 40 }, async () => createBlock(RAW, random.bytes(50_000))))
    const root = await encodeBlock({ v: 1, links: [...filler.map(block => block.cid), absent.cid] })
    await client.putBlocks([...filler, root])
    const response = await world.operator(`/ipfs/${root.cid.toString()}?format=car`)
    await expect(response.arrayBuffer()).rejects.toThrow()
  })
})

describe('browsers', () => {
  test('NODE-1 pages of listed origins may ask, and no others', async () => {
    const preflight = async (origin: string): Promise<Response> => fetch(`${world.node.url}/api/v1/usage`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' } })
    const allowed = await preflight('https://files.example.org')
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://files.example.org')
    expect(allowed.headers.get('access-control-allow-headers')).toMatch(/Authorization/)
    for (const origin of ['https://evil.example', 'https://files.example.org.evil.example', 'null', 'http://files.example.org']) {
      const refused = await preflight(origin)
      expect(refused.headers.get('access-control-allow-origin')).toBeNull()
      expect(refused.headers.get('access-control-allow-headers')).toBeNull()
    }
    const answer = await fetch(`${world.node.url}/api/v1/usage`, { headers: { origin: 'https://files.example.org' } })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('access-control-expose-headers')).toMatch(/WWW-Authenticate/)
  })
})

describe('metrics', () => {
  test('NODE-2 counts for Prometheus name no CID, name or key', async () => {
    await client.registerVault(registrationOf(device, vault))
    const made = await createTestRoot(device, vault, [await createTestFile(random, [1000])], { counter: 1 })
    await client.putBlocks(made.blocks)
    await client.putRecord(device.head, made.record)
    expect(await client.receipt(vault, made.root.cid)).toHaveProperty('receipt')
    const text = await (await world.operator('/metrics')).text()
    expect(text).toMatch(/^holdfast_pinned_heads 1$/m)
    expect(text).toMatch(/^holdfast_stored_bytes \d+$/m)
    expect(text).toMatch(/holdfast_http_request_seconds_count\{route="\/routing\/v1\/ipns\/:name",method="PUT",status="200"\} 1/)
    expect(text).not.toMatch(/bafy|bafk|k51|12D3Koo/)
    expect(text).not.toContain(vault)
  })
})

import { createBlock, decode, encode, encodeBlock, RAW, type Block, type HeadName, type HoldfastError, type NodeClient, type VaultId } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { carHeader, carSection } from './car.js'
import { createNodeClient } from './node-client.js'

const URL_OF_NODE = 'http://node.test:4747'
const vault = '0'.repeat(32) as VaultId
type Fetch = typeof fetch
/** A client by API key (no handshake) whose requests this function answers. */
const clientOf = (answer: (path: string, init: RequestInit) => Response | Promise<Response>, options: { timeoutMs?: number } = {}): NodeClient =>
  createNodeClient({ url: URL_OF_NODE, seed: new Uint8Array(32), apiKey: 'key', fetch: (async (url: string, init: RequestInit) => answer(url.slice(URL_OF_NODE.length), init)) as Fetch, ...options })
const failure = async (work: Promise<unknown>): Promise<HoldfastError> => work.then(() => { throw new Error('it was allowed') }, (error: unknown) => error as HoldfastError)
const carOf = (blocks: readonly Block[]): BlobPart[] => [carHeader(), ...blocks.flatMap(carSection)] as BlobPart[]
const collect = async (items: AsyncIterable<Block>): Promise<Block[]> => {
  const found: Block[] = []
  for await (const item of items) found.push(item)
  return found
}
const raw = async (size: number, fill = 1): Promise<Block> => createBlock(RAW, new Uint8Array(size).fill(fill))

describe('answers that a node should not give', () => {
  test('ANN-2 a block with other bytes, one that was not asked for, a cut CAR and no CAR are errors', async () => {
    const [good, other] = [await raw(100), await raw(100, 2)]
    const cases: [BlobPart[], string][] = [
      [carOf([{ cid: good.cid, bytes: other.bytes }]), 'CorruptBlockError'],
      [carOf([good, other]), 'CorruptBlockError'],
      [carOf([good, good]), 'CorruptBlockError'],
      [[await new Blob(carOf([good])).slice(0, -1).arrayBuffer()], 'CorruptBlockError'],
      [['<html>'], 'CorruptBlockError'],
      [carOf([{ cid: good.cid, bytes: new Uint8Array((1 << 20) + 200) }]), 'LimitExceededError']
    ]
    for (const [parts, name] of cases) {
      const client = clientOf(() => new Response(new Blob(parts)))
      expect((await failure(collect(client.getBlocks([good.cid])))).name).toBe(name)
    }
  })
  test('NODE answers of a wrong shape or version, or too large, are errors', async () => {
    const cases: [unknown, string][] = [
      [{ v: 2 }, 'UnknownVersionError'], [[], 'CorruptBlockError'], [{ v: 1, peerId: 1, version: '', addresses: [] }, 'CorruptBlockError'],
      [{ v: 1, peerId: 'x', version: '', addresses: [1] }, 'CorruptBlockError'], [{ v: 1, peerId: 'x', version: '', addresses: Array.from({ length: 65 }, () => '') }, 'LimitExceededError'],
      [{ v: 1, filler: new Uint8Array(17 << 20) }, 'LimitExceededError']
    ]
    for (const [value, name] of cases) expect((await failure(clientOf(() => new Response(encode(value) as BodyInit)).describe())).name).toBe(name)
    expect((await failure(clientOf(() => new Response('<html>')).describe())).name).toBe('CorruptBlockError')
    expect((await failure(clientOf(() => new Response(new Uint8Array((10 << 10) + 1))).getRecord('k51' as HeadName))).name).toBe('LimitExceededError')
  })
})

describe('errors', () => {
  test('NODE-1 NODE-3 statuses without a body of ours are told apart', async () => {
    const { cid } = await raw(1)
    for (const [status, name, family] of [[401, 'UnauthorisedError', 'unauthorised'], [403, 'UnauthorisedError', 'unauthorised'], [413, 'QuotaExceededError', 'retryable'], [507, 'QuotaExceededError', 'retryable'], [502, 'UnreachableError', 'retryable'], [404, 'NodeFailedError', 'invalid']] as const) {
      const error = await failure(clientOf(() => new Response('<html>', { status })).receipt(vault, cid))
      expect(error, String(status)).toMatchObject({ name, family, remedy: expect.stringMatching(/\w/) })
    }
  })
  test('NODE-3 errors of the node come back as they were, or by their family', async () => {
    const told = (body: object, status = 400) => clientOf(() => Response.json(body, { status })).usage()
    expect(await failure(told({ name: 'QuotaExceededError', family: 'retryable', message: 'm', remedy: 'r', data: { limitBytes: 7 } }, 507))).toMatchObject({ name: 'QuotaExceededError', where: URL_OF_NODE, limitBytes: 7 })
    expect(await failure(told({ name: 'BlockNotFoundError', family: 'retryable', message: 'm', remedy: 'r', data: { cid: 'bafy' } }, 404))).toMatchObject({ name: 'BlockNotFoundError', cid: 'bafy' })
    expect(await failure(told({ name: 'NewKindError', family: 'corrupt', message: 'm', remedy: 'do this', data: { x: 1 } }))).toMatchObject({ name: 'NodeFailedError', family: 'corrupt', remedy: 'do this', data: { x: 1 } })
    expect(await failure(told({ name: 'NewKindError', family: 'unauthorised', message: 'm', remedy: 'r', data: { evidence: 'fork' } }))).toMatchObject({ name: 'UnauthorisedError', data: { evidence: 'fork' } })
    expect(await failure(told({ name: 'NewKindError', family: 'nonsense', message: 'm' }))).toMatchObject({ name: 'NodeFailedError', family: 'invalid' })
  })
  test('NODE a node that is not there, or cuts the answer, is unreachable', async () => {
    const gone = createNodeClient({ url: 'http://127.0.0.1:9', seed: new Uint8Array(32), timeoutMs: 5_000 })
    expect(await failure(gone.describe())).toMatchObject({ name: 'UnreachableError', family: 'retryable', where: 'http://127.0.0.1:9' })
    const cut = new ReadableStream({ pull (controller) { controller.error(new TypeError('terminated')) } })
    expect(await failure(clientOf(() => new Response(cut)).describe())).toMatchObject({ name: 'UnreachableError' })
  })
  test('NODE a node that does not answer in time, or stops in the middle, is unreachable', async () => {
    const never = clientOf(async (_, { signal }) => new Promise((_resolve, reject) => { signal!.addEventListener('abort', () => { reject(signal!.reason as Error) }) }), { timeoutMs: 20 })
    expect(await failure(never.describe())).toMatchObject({ name: 'UnreachableError' })
    const stalled = clientOf((_, { signal }) => new Response(new ReadableStream({
      start (controller) {
        controller.enqueue(new Uint8Array(1))
        signal!.addEventListener('abort', () => { controller.error(signal!.reason) })
      }
    })), { timeoutMs: 20 })
    expect(await failure(stalled.describe())).toMatchObject({ name: 'UnreachableError' })
  })
  test('NODE an aborted call ends with its reason, before and in the middle', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const waiting = clientOf(async (_, { signal }) => new Promise((_resolve, reject) => {
      signal!.addEventListener('abort', () => { reject(signal!.reason as Error) })
      controller.abort(reason)
    }))
    expect(await failure(waiting.describe({ signal: controller.signal }))).toBe(reason)
    expect(await failure(waiting.describe({ signal: controller.signal }))).toBe(reason)
  })
})

describe('bulk', () => {
  test('ANN-2 uploads go in parts of at most 8 MiB, few at a time, and progress follows', async () => {
    let [inFlight, most, requests] = [0, 0, 0]
    const client = clientOf(async (path, { body }) => {
      expect(path).toBe('/api/v0/dag/import?pin-roots=false')
      requests++
      most = Math.max(most, ++inFlight)
      expect((body as Blob).size).toBeLessThanOrEqual(8 << 20)
      await new Promise(resolve => setImmediate(resolve))
      inFlight--
      return new Response('')
    })
    const progress: number[] = []
    const blocks = async function * (): AsyncGenerator<Block> { for (let i = 0; i < 30; i++) yield raw(1 << 20, i) }
    await client.putBlocks(blocks(), { onProgress: ({ done }) => { progress.push(done) } })
    expect([requests, most]).toEqual([8, 3])
    expect(progress.at(-1)).toBe(30 << 20)
    expect(progress.every((done, i) => i === 0 || done > progress[i - 1]!)).toBe(true)
  })
  test('NODE-3 the first part that fails ends the upload with its error, and no more is read', async () => {
    let taken = 0
    const blocks = async function * (): AsyncGenerator<Block> { for (; taken < 1_000; taken++) yield raw(1 << 20, taken % 256) }
    const client = clientOf(() => Response.json({ name: 'QuotaExceededError', family: 'retryable', message: 'm', remedy: 'r', data: { limitBytes: 5 } }, { status: 507 }))
    expect(await failure(client.putBlocks(blocks()))).toMatchObject({ name: 'QuotaExceededError' })
    expect(taken).toBeLessThan(40)
  })
  test('ANN-2 a source that fails ends the upload with its error', async () => {
    const blocks = async function * (): AsyncGenerator<Block> { yield raw(10); throw new Error('disk gone') }
    expect(String(await failure(clientOf(() => new Response('')).putBlocks(blocks())))).toMatch('disk gone')
  })
  test('ANN-2 long lists are asked for in several requests at a time, within the limit of each', async () => {
    const blocks = await Promise.all(Array.from({ length: 2_000 }, async (_, i) => encodeBlock({ v: 1, i })))
    const byId = new Map(blocks.map(block => [block.cid.toString(), block]))
    const sizes: number[] = []
    const client = clientOf((_, { body }) => {
      const asked = (decode(body as Uint8Array) as unknown[]).map(item => CID.asCID(item)!)
      sizes.push(asked.length)
      return new Response(new Blob(carOf(asked.map(cid => byId.get(cid.toString())!))))
    })
    const got = await collect(client.getBlocks([...blocks, ...blocks].map(block => block.cid)))
    expect(new Set(got.map(block => block.cid.toString())).size).toBe(2_000)
    expect(got).toHaveLength(2_000)
    expect(sizes.length).toBeGreaterThan(1)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4_096)
  })
  test('ANN-2 leaving the loop early ends the requests', async () => {
    let cancelled = 0
    const block = await raw(10)
    const client = clientOf(() => new Response(new ReadableStream({
      start (controller) { for (const part of [carHeader(), ...carSection(block)]) controller.enqueue(part) },
      cancel () { cancelled++ }
    })))
    for await (const found of client.getBlocks([block.cid])) {
      expect(found.cid.equals(block.cid)).toBe(true)
      break
    }
    expect(cancelled).toBe(1)
  })
  test('ANN-2 a request that fails ends the others at once', async () => {
    const [one, two] = await Promise.all([1, 2].map(async fill => Promise.all(Array.from({ length: 512 }, async (_, i) => encodeBlock({ v: fill, i })))))
    let cancelled = false
    let requests = 0
    const client = clientOf((_, { signal }) => {
      if (++requests === 2) return Response.json({ name: 'UnauthorisedError', family: 'unauthorised', message: 'm', remedy: 'r' }, { status: 403 })
      return new Response(new ReadableStream({ start (controller) { signal!.addEventListener('abort', () => { cancelled = true; controller.error(signal!.reason) }) } }))
    })
    expect(await failure(collect(client.getBlocks([...one!, ...two!].map(block => block.cid))))).toMatchObject({ name: 'UnauthorisedError' })
    expect(cancelled).toBe(true)
  }, 5_000)
})

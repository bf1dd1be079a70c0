import { createNodeClient } from '@holdfast/node-client'
import { encode, vaultId, fromHex } from '@holdfast/protocol'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTestAccount, createTestDevice, createTestFile, createTestRandom, createTestRoot, registrationOf } from '../compliance/node-world.js'
import { createDevice, createSandbox, startNode, type CommandResult, type Sandbox, type TestDevice, type TestNode } from './harness/index.js'

/** What a person meets when something must be refused: one line that says what and what to do, or one JSON object. */

let sandbox: Sandbox
let node: TestNode
let device: TestDevice

beforeEach(async () => {
  sandbox = await createSandbox()
  node = await startNode(sandbox)
  device = createDevice(sandbox, 'device')
})
afterEach(async () => sandbox.close())

const WORDS = 'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art'

interface Refusal { code: number, name: string, family: string, says: RegExp, todo: RegExp }

/** Runs it for a machine and for a person; both are told the same. A command that cannot be run twice is given by the number of the run. */
async function isRefused (command: readonly string[] | ((run: number) => readonly string[]), { code, name, family, says, todo }: Refusal, { input, home = device.home }: { input?: string, home?: string } = {}): Promise<void> {
  const options = input === undefined ? {} : { input }
  const args = (run: number): readonly string[] => typeof command === 'function' ? command(run) : command
  const machine = await sandbox.run([...args(1), '--home', home, '--json'], options)
  expect(machine.code, machine.stderr).toBe(code)
  expect(errorsOf(machine)).toContainEqual(expect.objectContaining({ name, family, message: expect.stringMatching(says) as string, remedy: expect.stringMatching(todo) as string }))
  const person = await sandbox.run([...args(2), '--home', home], options)
  expect(person.code, person.stderr).toBe(code)
  const lines = person.stderr.trim().split('\n')
  expect(lines.filter(line => says.test(line) && todo.test(line)), person.stderr).toHaveLength(1)
  for (const line of lines) expect(line).toMatch(/^holdfast: .*[.]$/)
  expect(person.stderr).not.toMatch(/\bat .*:\d+:\d+|fault in Holdfast/)
}

const errorsOf = ({ stderr }: CommandResult): unknown[] => stderr.trim().split('\n').filter(line => line.startsWith('{')).map(line => (JSON.parse(line) as { error: unknown }).error)

async function put (who: TestDevice, path: string, text: string, code = 0): Promise<CommandResult> {
  const local = join(sandbox.directory, 'local')
  await writeFile(local, text)
  const result = await who.run(['put', local, path])
  expect(result.code, result.stderr).toBe(code)
  return result
}

const cat = async (who: TestDevice, path: string): Promise<string> => (await sandbox.run(['cat', path, '--home', who.home])).stdout
const bodyOf = async (who: TestDevice): Promise<string> => (await who.status()).vaults[0]!.body

describe('a wrong phrase', () => {
  it('KEY-1 is refused by the word that is none, by its checksum, and by the node that knows no such account', async () => {
    const phrase = await device.create()
    await device.pair(node)
    const home = join(sandbox.directory, 'other')
    const words = phrase.split(' ')
    const restore = ['account', 'restore', '--node', node.url]
    await isRefused(restore, { code: 1, name: 'InvalidArgumentError', family: 'invalid', says: /holdfish/, todo: /what you wrote down/ }, { home, input: `${['holdfish', ...words.slice(1)].join(' ')}\n` })
    // Another last word: of the 2,048, seven in eight give another checksum; one of these two does.
    const last = ['zoo', 'abandon'].find(word => word !== words[23])!
    await isRefused(restore, { code: 1, name: 'InvalidArgumentError', family: 'invalid', says: /checksum|words/, todo: /order|wrote down|word/ }, { home, input: `${[...words.slice(0, 23), last].join(' ')}\n` })
    await isRefused(restore, { code: 1, name: 'EnvelopeNotFoundError', family: 'invalid', says: /no account/, todo: /Check the phrase/ }, { home, input: `${WORDS}\n` })
    // Nothing was begun, and the right one works.
    await expect(stat(join(home, 'keyring'))).rejects.toMatchObject({ code: 'ENOENT' })
    await createDevice(sandbox, 'other').restore(phrase, node)
    expect((await createDevice(sandbox, 'other').status()).account).toBe((await device.status()).account)
  })
})

describe('a wrong token', () => {
  it('NODE-1 does not pair, and neither does a spent one nor none', async () => {
    await device.create()
    const refusal = { code: 1, name: 'UnauthorisedError', family: 'unauthorised', says: /pairing token is missing, wrong or spent/, todo: /one-time token/ }
    await isRefused(['pair', node.url, '--token', '0'.repeat(40)], refusal)
    await isRefused(['pair', node.url], refusal)
    expect((await device.status()).nodes).toEqual([])
    await device.pair(node)
    const stranger = createDevice(sandbox, 'stranger')
    await stranger.create()
    await isRefused(['pair', node.url, '--token', node.pairing], refusal, { home: stranger.home })
    expect((await stranger.status()).nodes).toEqual([])
  })
})

describe('a device that no vault registered, or registers no more', () => {
  it('NODE-2 a revoked device is refused by the node; what it saves stays on it, and nobody else sees it', async () => {
    const phrase = await device.create()
    await device.pair(node)
    const other = createDevice(sandbox, 'other')
    await other.restore(phrase, node)
    await put(other, '/before', 'before')
    expect(await cat(device, '/before')).toBe('before')
    await device.ok(['devices', 'revoke', (await other.status()).device])
    await put(other, '/after', 'after', 3)
    await isRefused(run => ['mkdir', `/again ${run}`], { code: 3, name: 'UnauthorisedError', family: 'unauthorised', says: /not paired|revoked/, todo: /holdfast pair|Restore the account/ }, { home: other.home })
    expect(await cat(other, '/after')).toBe('after')
    await isRefused(['pair', `${node.url}/`, '--token', 'x'], { code: 3, name: 'UnauthorisedError', family: 'unauthorised', says: /not paired|revoked/, todo: /holdfast pair|Restore the account/ }, { home: other.home })
    expect((await device.list()).map(entry => entry.path)).toEqual(['/before'])
  })
})

describe('a node that is down', () => {
  it('NODE-1 cannot be paired; once paired, work goes on without it and goes up when it is back', async () => {
    await device.create()
    await device.pair(node)
    await put(device, '/one', 'one')
    await node.stop()
    const refusal = { name: 'UnreachableError', family: 'retryable', says: /does not answer/, todo: /Check that it runs/ }
    const stranger = createDevice(sandbox, 'stranger')
    await stranger.create()
    await isRefused(['pair', node.url, '--token', 'x'], { ...refusal, code: 1 }, { home: stranger.home })
    await isRefused(['account', 'restore', '--node', node.url], { ...refusal, code: 1 }, { home: join(sandbox.directory, 'fresh'), input: `${WORDS}\n` })
    await isRefused(run => ['mkdir', `/two ${run}`], { ...refusal, code: 3 })
    expect((await device.list()).map(entry => entry.path)).toEqual(['/one', '/two 1', '/two 2'])
    const before = await device.status()
    expect(before.nodes).toMatchObject([{ reachable: false }])
    await node.restart()
    await device.ok(['mkdir', '/three'])
    expect(await device.status()).toMatchObject({ vaults: [{ pendingBlocks: 0 }], nodes: [{ reachable: true }] })
  })
})

/** Turns a bit in the middle of what the text stands for in any file below a directory; tells how often. */
async function spoil (directory: string, blocks: readonly Uint8Array[]): Promise<number> {
  let count = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = await readFile(path)
    const before = count
    for (const block of blocks) {
      const at = bytes.indexOf(block)
      if (at < 0) continue
      bytes[at + (block.length >> 1)]! ^= 1
      count++
    }
    if (count > before) await writeFile(path, bytes)
  }
  return count
}

/** The sealed chunk of a file of the vault, as it lies on the node. */
async function chunkOf (root: string): Promise<Uint8Array> {
  const key = (await readFile(join(node.dataDirectory, 'api-key'), 'utf8')).trim()
  const refs = await fetch(`${node.url}/ipfs/${root}?format=car`, { headers: { authorization: `Bearer ${key}` } })
  const car = Buffer.from(await refs.arrayBuffer())
  // The one chunk is by far the largest block: its middle lies inside it.
  const middle = car.length >> 1
  return car.subarray(middle, middle + 64)
}

describe('a corrupt block', () => {
  it('CHK-3 is never read as something else; verify finds it here and on the node, and repairs each from the other', async () => {
    await device.create()
    await device.pair(node)
    const text = Array.from({ length: 20_000 }, (_, i) => `line ${i} of a text`).join('\n')
    await put(device, '/file', text)
    const { root } = (await device.status()).vaults[0]!
    const piece = await chunkOf(root!)
    const refusal = { code: 1, family: 'corrupt', says: /bad or missing|damaged/, todo: /verify --repair/ }

    // Here.
    expect(await spoil(join(device.home, 'store'), [piece])).toBe(1)
    await isRefused(['cat', '/file'], { ...refusal, name: 'CorruptBlockError' })
    await isRefused(['verify'], { ...refusal, name: 'DamagedError' })
    expect(await device.json(['verify', '--repair'])).toMatchObject({ bad: [expect.any(String)], repaired: [expect.any(String)] })
    expect(await cat(device, '/file')).toBe(text)

    // On the node.
    await node.stop()
    expect(await spoil(node.dataDirectory, [piece])).toBe(1)
    await node.restart()
    await isRefused(['verify'], { ...refusal, name: 'DamagedError' })
    const report = await device.json<{ bad: string[], repaired: string[] }>(['verify', '--repair'])
    expect(report.bad).toEqual([expect.stringContaining(node.url)])
    expect(report.repaired).toEqual(report.bad)
    expect(await device.json(['verify'])).toMatchObject({ bad: [] })
  })
})

/** A node whose answer for heads somebody replaces. */
async function startLyingProxy (heads: () => Uint8Array | null): Promise<{ url: string, server: Server }> {
  const { hostname, port } = new URL(node.url)
  const server = createServer((asked, answer) => {
    const forged = asked.method === 'GET' && asked.url?.endsWith('/heads') === true ? heads() : null
    if (forged !== null) { answer.writeHead(200, { 'content-type': 'application/vnd.ipld.dag-cbor' }).end(forged); return }
    const passed = request({ hostname, port, method: asked.method, path: asked.url, headers: asked.headers }, reply => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers)
      reply.pipe(answer)
    })
    passed.on('error', () => { answer.destroy() })
    asked.pipe(passed)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

describe('a root signed by a stranger', () => {
  it('HEAD-2 is refused, whoever tells of it; nothing changes, and work goes on', async () => {
    await device.create()
    let forged: Uint8Array | null = null
    const proxy = await startLyingProxy(() => forged)
    try {
      await device.ok(['pair', proxy.url, '--token', node.pairing])
      await put(device, '/mine', 'mine')
      // A stranger with an account of their own on this node signs a root for this vault.
      await node.stop()
      await node.restart()
      const random = createTestRandom(5)
      const stranger = await createTestDevice(createTestAccount(random), random)
      const client = createNodeClient({ url: node.url, seed: stranger.seed })
      await client.pair({ token: node.process.events[0]!['pairing'] as string, certificate: stranger.certificate })
      const vault = vaultId(fromHex((await device.status()).vaults[0]!.id))
      const root = await createTestRoot(stranger, vault, [await createTestFile(random, [100])], { counter: 1 })
      await client.putBlocks(root.blocks)
      await expect(client.registerVault(registrationOf(stranger, vault))).rejects.toMatchObject({ family: 'unauthorised' })
      await expect(client.putRecord(stranger.head, root.record)).rejects.toMatchObject({ family: 'unauthorised' })
      // The node refuses it; so somebody puts it into the node's mouth.
      const before = await bodyOf(device)
      forged = encode({ v: 1, heads: [{ head: stranger.head, device: stranger.id, record: root.record }] })
      await isRefused(['ls', '/'], { code: 0, name: 'UnauthorisedError', family: 'unauthorised', says: /no member of the vault/, todo: /refused/ })
      expect((await device.list()).map(entry => entry.path)).toEqual(['/mine'])
      expect(await bodyOf(device)).toBe(before)
      forged = null
      await put(device, '/more', 'more')
      expect((await device.list()).map(entry => entry.path)).toEqual(['/mine', '/more'])
    } finally { proxy.server.closeAllConnections(); proxy.server.close() }
  })
})

describe('a passphrase', () => {
  it('KEY-2 that is wrong or missing does not open the home', async () => {
    await sandbox.run(['account', 'create', '--home', device.home, '--json'], { env: { HOLDFAST_PASSPHRASE: 'right' } })
    const wrong = await sandbox.run(['ls', '--home', device.home, '--json'], { env: { HOLDFAST_PASSPHRASE: 'wrong' } })
    expect(wrong.code).toBe(1)
    expect(wrong.error()).toMatchObject({ name: 'WrongPassphraseError', family: 'unauthorised' })
    await isRefused(['ls'], { code: 1, name: 'PassphraseNeededError', family: 'unauthorised', says: /passphrase/, todo: /HOLDFAST_PASSPHRASE/ })
    expect((await sandbox.run(['ls', '--home', device.home, '--json'], { env: { HOLDFAST_PASSPHRASE: 'right' } })).code).toBe(0)
  })
})

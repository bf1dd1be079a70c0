import {
  blockId, createBlock, DAG_CBOR, InvalidArgumentError, isHoldfastError, keyOfPeerId, LimitExceededError, MAX_BLOCK_BYTES, RAW, type Block
} from '@holdfast/protocol'
import { MAX_RECORD_BYTES } from '@holdfast/roots'
import { CID } from 'multiformats/cid'
import { platform } from 'node:os'
import { NotPinnedError, requireKnown, requireOperator, requireWriter, type Pinner } from '../core/index.js'
import { readBody } from './body.js'
import { openCar, writeCar } from './car.js'
import { CAR_TYPE, jsonLines, sendBytes, sendJson, sendStream, type Exchange, type Handler } from './exchange.js'
import { depthFirst } from './gateway.js'
import { uploadedFile } from './multipart.js'
import type { Route } from './router.js'
import { nameOf, NoRecordError } from './routing-api.js'

/** Roots that one imported CAR may name. */
const MAX_CAR_ROOTS = 1_000
/** What Kubo calls a query event with a value in it. */
const VALUE_EVENT = 5

/** The subset of Kubo's RPC (https://docs.ipfs.tech/reference/kubo/rpc/) that `kubo-rpc-client` needs of a node like this. */
export function kuboRoutes (pinner: Pinner, version: string): Route[] {
  const rpc = (command: string, handle: Handler): Route => ({ method: 'POST', path: `/api/v0/${command}`, handle })
  return [
    rpc('id', async ({ response, principal }) => {
      requireKnown(principal)
      const { peerId, addresses } = pinner.describe()
      sendJson(response, 200, { ID: peerId, PublicKey: publicKeyOf(peerId), Addresses: addresses, AgentVersion: `holdfast/${version}`, Protocols: [] })
    }),
    rpc('version', async ({ response, principal }) => {
      requireKnown(principal)
      sendJson(response, 200, { Version: version, Commit: '', Repo: '1', System: platform(), Golang: '' })
    }),
    rpc('block/put', async exchange => blockPut(pinner, exchange)),
    rpc('block/get', async ({ response, principal, url, signal }) => {
      sendBytes(response, 200, 'application/octet-stream', await pinner.getBlock(principal, argument(url), { signal }), { 'x-content-type-options': 'nosniff' })
    }),
    rpc('block/stat', async ({ response, principal, url, signal }) => {
      const cid = argument(url)
      sendJson(response, 200, { Key: cid.toString(), Size: (await pinner.getBlock(principal, cid, { signal })).length })
    }),
    rpc('dag/import', async exchange => dagImport(pinner, exchange)),
    rpc('dag/export', async exchange => {
      requireWriter(exchange.principal)
      const cid = argument(exchange.url)
      const root = { cid, bytes: await pinner.getBlock(exchange.principal, cid, { signal: exchange.signal }) }
      await sendStream(exchange, `${CAR_TYPE}; version=1`, writeCar([cid], depthFirst(pinner, exchange, root)))
    }),
    ...pinRoutes(pinner, rpc),
    ...repoRoutes(pinner, rpc),
    ...routingRoutes(pinner, rpc)
  ]
}

/** As libp2p's protobuf holds it (libp2p specs, peer-ids): type Ed25519, 32 bytes. */
const publicKeyOf = (peerId: string): string => Buffer.concat([Uint8Array.of(0x08, 0x01, 0x12, 0x20), keyOfPeerId(peerId)]).toString('base64')

type Rpc = (command: string, handle: Handler) => Route

async function blockPut (pinner: Pinner, { request, response, principal, url, signal }: Exchange): Promise<void> {
  requireWriter(principal)
  const codec = url.searchParams.get('cid-codec') ?? url.searchParams.get('format') ?? 'raw'
  const hash = url.searchParams.get('mhtype') ?? 'sha2-256'
  const code = { raw: RAW, 'dag-cbor': DAG_CBOR, cbor: DAG_CBOR }[codec]
  if (code === undefined || hash !== 'sha2-256') throw new InvalidArgumentError(`blocks here are raw or dag-cbor with sha2-256, not ${codec.slice(0, 40)} with ${hash.slice(0, 40)}`, 'Ask with cid-codec=raw or cid-codec=dag-cbor.')
  const block = await createBlock(code === RAW ? RAW : DAG_CBOR, await readBody(uploadedFile(request), MAX_BLOCK_BYTES, 'block size'))
  await pinner.putBlocks(principal, [block], { signal })
  if (truth(url, 'pin', false)) {
    requireOperator(principal)
    await pinner.addPin(principal, block.cid, true, { signal })
  }
  sendJson(response, 200, { Key: block.cid.toString(), Size: block.bytes.length })
}

async function dagImport (pinner: Pinner, { request, response, principal, url, signal }: Exchange): Promise<void> {
  requireWriter(principal)
  const { roots, blocks } = await openCar(uploadedFile(request))
  if (roots.length > MAX_CAR_ROOTS) throw new LimitExceededError('roots of a CAR', roots.length, MAX_CAR_ROOTS)
  const counted = { blocks: 0, bytes: 0 }
  const count = async function * (): AsyncGenerator<Block> {
    for await (const block of blocks) {
      counted.blocks++
      counted.bytes += block.bytes.length
      yield block
    }
  }
  await pinner.putBlocks(principal, count(), { signal })
  const lines: unknown[] = []
  // What devices upload is kept by their heads (HEAD-2); pins by hand are the operator's.
  if (truth(url, 'pin-roots', principal.kind === 'operator')) {
    for (const cid of roots) lines.push({ Root: { Cid: { '/': cid.toString() }, PinErrorMsg: await pinError(async () => pinner.addPin(principal, cid, true, { signal })) } })
  }
  if (truth(url, 'stats', false)) lines.push({ Stats: { BlockCount: counted.blocks, BlockBytesCount: counted.bytes } })
  sendBytes(response, 200, 'application/json', Buffer.from(lines.map(line => `${JSON.stringify(line)}\n`).join('')))
}

/** Kubo reports a pin that fails beside its root, and the import as done. */
async function pinError (pin: () => Promise<void>): Promise<string> {
  try { await pin() } catch (error) {
    if (isHoldfastError(error)) return error.message
    throw error
  }
  return ''
}

function pinRoutes (pinner: Pinner, rpc: Rpc): Route[] {
  return [
    rpc('pin/add', async ({ response, principal, url, signal }) => {
      requireOperator(principal)
      const cids = args(url)
      for (const cid of cids) await pinner.addPin(principal, cid, truth(url, 'recursive', true), { signal })
      sendJson(response, 200, { Pins: cids.map(String) })
    }),
    rpc('pin/rm', async ({ response, principal, url }) => {
      requireOperator(principal)
      const cids = args(url)
      for (const cid of cids) await pinner.removePin(principal, cid)
      sendJson(response, 200, { Pins: cids.map(String) })
    }),
    rpc('pin/update', async ({ response, principal, url, signal }) => {
      requireOperator(principal)
      const [from, to] = args(url)
      if (from === undefined || to === undefined) throw new InvalidArgumentError('pin/update needs the CID to move from and the one to move to')
      if (!pinner.pins(principal).some(pin => pin.recursive && pin.cid.equals(from))) throw new NotPinnedError(from.toString())
      await pinner.addPin(principal, to, true, { signal })
      if (truth(url, 'unpin', true) && !from.equals(to)) await pinner.removePin(principal, from)
      sendJson(response, 200, { Pins: [from.toString(), to.toString()] })
    }),
    rpc('pin/ls', async exchange => pinList(pinner, exchange))
  ]
}

async function pinList (pinner: Pinner, exchange: Exchange): Promise<void> {
  const { principal, url, response } = exchange
  requireOperator(principal)
  const type = url.searchParams.get('type') ?? 'all'
  const only = url.searchParams.getAll('arg').map(parse).map(cid => blockId(cid))
  const found = new Map<string, { Type: string, Name: string }>()
  for (const { name, root } of pinner.pinnedRoots(principal)) found.set(blockId(root), { Type: 'recursive', Name: `head ${name}` })
  for (const { cid, recursive } of pinner.pins(principal)) found.set(blockId(cid), { Type: recursive ? 'recursive' : 'direct', Name: '' })
  for (const id of only) if (!found.has(id)) throw new NotPinnedError(id)
  const listed = [...found].filter(([id, pin]) => (type === 'all' || pin.Type === type) && (only.length === 0 || only.includes(blockId(parse(id)))))
  if (truth(url, 'stream', false)) await sendStream(exchange, 'application/json', jsonLines(listed.map(([Cid, pin]) => ({ Cid, ...pin }))))
  else sendJson(response, 200, { Keys: Object.fromEntries(listed) })
}

function repoRoutes (pinner: Pinner, rpc: Rpc): Route[] {
  return [
    rpc('repo/stat', async ({ response, principal }) => {
      const { usedBytes, quotaBytes, blocks } = pinner.usage(principal)
      sendJson(response, 200, { NumObjects: blocks, RepoSize: usedBytes, RepoPath: '', Version: 'holdfast@1', StorageMax: quotaBytes ?? Number.MAX_SAFE_INTEGER })
    }),
    rpc('repo/gc', async exchange => {
      requireOperator(exchange.principal)
      const swept: string[] = []
      await pinner.collectGarbage({ principal: exchange.principal, signal: exchange.signal, onSwept: cid => { swept.push(cid.toString()) } })
      await sendStream(exchange, 'application/json', jsonLines(swept.map(cid => ({ Key: { '/': cid } }))))
    })
  ]
}

function routingRoutes (pinner: Pinner, rpc: Rpc): Route[] {
  const event = (peerId: string, record: Uint8Array): unknown => ({ ID: peerId, Type: VALUE_EVENT, Responses: null, Extra: Buffer.from(record).toString('base64') })
  const nameIn = (url: URL): ReturnType<typeof nameOf> => {
    const key = url.searchParams.get('arg') ?? ''
    if (!key.startsWith('/ipns/')) throw new InvalidArgumentError('only /ipns/<name> keys are stored here')
    return nameOf(key.slice('/ipns/'.length))
  }
  return [
    rpc('routing/put', async ({ request, response, principal, url, signal }) => {
      requireWriter(principal)
      const name = nameIn(url)
      const record = await readBody(uploadedFile(request), MAX_RECORD_BYTES, 'IPNS record size')
      await pinner.putRecord(principal, name, record, { signal })
      sendJson(response, 200, event(pinner.peerId, record))
    }),
    rpc('routing/get', async ({ response, principal, url }) => {
      requireKnown(principal)
      const name = nameIn(url)
      const record = pinner.getRecord(principal, name)
      if (record === null) throw new NoRecordError(name)
      sendJson(response, 200, event(pinner.peerId, record))
    })
  ]
}

function parse (text: string): CID {
  try { return CID.parse(text.replace(/^\/ipfs\//, '')) } catch { throw new InvalidArgumentError('not a CID', undefined, { cid: text.slice(0, 100) }) }
}
function args (url: URL): CID[] {
  const found = url.searchParams.getAll('arg').map(parse)
  if (found.length === 0) throw new InvalidArgumentError('argument "arg" is required: a CID')
  return found
}
const argument = (url: URL): CID => args(url)[0]!

function truth (url: URL, name: string, otherwise: boolean): boolean {
  const text = url.searchParams.get(name)
  return text === null ? otherwise : text === '' || text === 'true' || text === '1'
}

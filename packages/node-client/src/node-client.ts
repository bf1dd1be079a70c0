import {
  certificateToMap, checkVersion, CorruptBlockError, decode, encode, fieldReader, receiptFromMap, revocationToMap, UnauthorisedError,
  type CallOptions, type DeviceCertificate, type FieldReader, type HeadName, type NodeClient, type NodeDescription, type NodeUsage, type ReceiptAnswer, type RegisteredHead, type VaultId
} from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { download } from './download.js'
import { createSession, type Answer, type Ask } from './session.js'
import { upload } from './upload.js'

export interface NodeClientOptions {
  /** Such as `http://192.168.1.10:4747` or `https://node.example.org/holdfast`. */
  readonly url: string
  /** Ed25519 seed (32 bytes) of a device, or of an envelope's name. */
  readonly seed: Uint8Array
  /** The node's API key instead of the seed: reads and writes blocks and records, registers nothing. */
  readonly apiKey?: string
  /** With it a device that the node does not know (any more) pairs itself again, where its account is known. */
  readonly certificate?: DeviceCertificate
  /** The node that has to be at this address; any is good enough without it. */
  readonly peerId?: string
  readonly fetch?: typeof fetch
  /** For an answer to begin and for more of it to come. Milliseconds, default 30,000. */
  readonly timeoutMs?: number
}

const VERSION = 1
const DAG_CBOR = 'application/vnd.ipld.dag-cbor'
const IPNS_RECORD = 'application/vnd.ipfs.ipns-record'
/** A thousand heads with records of the greatest size. Bytes. */
const MAX_ANSWER_BYTES = 16 << 20
const MAX_RECORD_BYTES = 10 << 10
const MAX_LISTED = 10_000

/** The NodeClient port over HTTP to a Holdfast node, with nothing but fetch and WebCrypto. See the README of the pinner for the API. */
export function createNodeClient ({ url, seed, apiKey, certificate, peerId, fetch: send = globalThis.fetch.bind(globalThis), timeoutMs = 30_000 }: NodeClientOptions): NodeClient {
  const base = url.replace(/\/+$/, '')
  const session = createSession({ url: base, seed, apiKey, peerId, fetch: send, timeoutMs })

  const pair: NodeClient['pair'] = async ({ token, certificate: shown }, options = {}) => {
    const body = { v: VERSION, certificate: certificateToMap(shown), ...(token === undefined ? {} : { token }) }
    return readDescription(await map(await session.ask({ ...options, method: 'POST', path: '/api/v1/pair', body: encode(body), type: DAG_CBOR })))
  }
  const ask = async (request: Ask): Promise<Answer> => {
    try { return await session.ask(request) } catch (error) {
      if (certificate === undefined || !(error instanceof UnauthorisedError) || error.data['paired'] !== false) throw error
      await pair({ certificate }, options(request))
      return session.ask(request)
    }
  }
  const post = async (path: string, body: unknown, call: CallOptions = {}, expect: readonly number[] = []): Promise<Answer> => ask({ ...call, method: 'POST', path, body: encode(body), type: DAG_CBOR, expect })
  const tell = async (path: string, body: unknown, call?: CallOptions): Promise<void> => { await (await post(path, body, call)).all(MAX_ANSWER_BYTES) }
  const get = async (path: string, call: CallOptions = {}): Promise<FieldReader> => map(await ask({ ...call, method: 'GET', path, accept: DAG_CBOR }))
  const vaultPath = (vault: VaultId, what: string): string => `/api/v1/vaults/${encodeURIComponent(vault)}/${what}`
  const recordPath = (name: HeadName): string => `/routing/v1/ipns/${encodeURIComponent(name)}`

  return {
    url: base,
    pair,
    describe: async call => readDescription(await get('/api/v1/node', call)),
    revoke: async (revocation, call) => tell('/api/v1/revocations', revocationToMap(revocation), call),
    registerVault: async ({ vault, topic, head, headKey }, call) => tell(vaultPath(vault, 'heads'), { v: VERSION, topic, head, headKey }, call),
    registerEnvelope: async (name, call) => tell('/api/v1/envelopes', { v: VERSION, name }, call),
    heads: async (vault, call) => readHeads(await get(vaultPath(vault, 'heads'), call)),
    putBlocks: async (blocks, call = {}) => upload({ ask }, blocks, call),
    getBlocks: (cids, call = {}) => download({ ask }, cids, call),
    async putRecord (name, record, call = {}) {
      await (await ask({ ...call, method: 'PUT', path: recordPath(name), body: record, type: IPNS_RECORD })).all(MAX_ANSWER_BYTES)
    },
    async getRecord (name, call = {}) {
      const answer = await ask({ ...call, method: 'GET', path: recordPath(name), accept: IPNS_RECORD, expect: [404] })
      const bytes = await answer.all(MAX_RECORD_BYTES)
      return answer.status === 404 ? null : bytes
    },
    async receipt (vault, root, call) {
      const answer = await post(vaultPath(vault, 'receipts'), { v: VERSION, root }, call, [409])
      return readReceipt(await map(answer), answer.status)
    },
    usage: async call => readUsage(await get('/api/v1/usage', call)),
    async close () { /* Connections are fetch's own; requests under way end with their signals. */ }
  }
}

const options = ({ signal }: Ask): CallOptions => signal === undefined ? {} : { signal }

/** A DAG-CBOR map of our version. */
async function map (answer: Answer): Promise<FieldReader> {
  const value = decode(await answer.all(MAX_ANSWER_BYTES), 'answer of a node')
  checkVersion('answer of a node', value, VERSION)
  return fieldReader('answer of a node', value)
}

function readDescription (f: FieldReader): NodeDescription {
  return { peerId: f.text('peerId', 128), version: f.text('version', 64), addresses: f.array('addresses', 64).map(text) }
}

function readHeads (f: FieldReader): RegisteredHead[] {
  return f.array('heads', MAX_LISTED).map(item => {
    const head = fieldReader('head', item)
    return { head: head.text('head', 128) as HeadName, device: head.text('device', 128), record: head.has('record') ? head.bytes('record') : null }
  })
}

function readReceipt (f: FieldReader, status: number): ReceiptAnswer {
  if (status !== 409) return { receipt: receiptFromMap(f.map('receipt')) }
  return {
    missing: f.array('missing', MAX_LISTED).map(item => {
      const cid = CID.asCID(item)
      if (cid === null) throw new CorruptBlockError('a node names something other than a block as missing')
      return cid
    })
  }
}

function readUsage (f: FieldReader): NodeUsage {
  return {
    usedBytes: f.integer('usedBytes'), blocks: f.integer('blocks'), quotaBytes: f.has('quotaBytes') ? f.integer('quotaBytes') : null,
    vaults: f.array('vaults', MAX_LISTED).map(item => {
      const vault = fieldReader('usage of a vault', item)
      return { vault: vault.text('vault', 64) as VaultId, usedBytes: vault.integer('usedBytes') }
    })
  }
}

function text (value: unknown): string {
  if (typeof value !== 'string' || value.length > 1024) throw new CorruptBlockError('a node gives something other than text')
  return value
}

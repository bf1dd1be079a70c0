import {
  certificateFromMap, checkVersion, CorruptBlockError, fieldReader, InvalidArgumentError, LimitExceededError, MAX_BLOCKS_PER_REQUEST, receiptToMap, revocationFromMap, UnauthorisedError,
  type FieldReader, type HeadName, type VaultId
} from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { keyOf, requireKnown, type Pinner } from '../core/index.js'
import { MAX_BLOCK_LIST_BYTES, readDagCbor } from './body.js'
import { writeCar } from './car.js'
import { CAR_TYPE, sendDagCbor, sendNothing, sendStream, type Exchange } from './exchange.js'
import type { Route } from './router.js'

const VERSION = 1

/** Our own API: pair, register, list, receipts, usage. Bodies are DAG-CBOR maps with `v: 1`. */
export function holdfastRoutes (pinner: Pinner): Route[] {
  return [
    // Where a client proves its key before it sends anything that matters.
    { method: 'GET', path: '/api/v1/auth', handle: async ({ response }) => { sendNothing(response) } },
    {
      method: 'GET', path: '/api/v1/node',
      async handle ({ response, principal }) {
        requireKnown(principal)
        sendDagCbor(response, 200, { v: VERSION, ...pinner.describe() })
      }
    },
    { method: 'POST', path: '/api/v1/pair', handle: async exchange => pair(pinner, exchange) },
    {
      method: 'POST', path: '/api/v1/revocations',
      async handle ({ request, response, principal }) {
        requireKnown(principal)
        await pinner.revoke(principal, revocationFromMap(await readDagCbor(request)))
        sendNothing(response)
      }
    },
    {
      method: 'POST', path: '/api/v1/envelopes',
      async handle ({ request, response, principal }) {
        requireKnown(principal)
        const f = fields('envelope registration', await readDagCbor(request))
        await pinner.registerEnvelope(principal, f.text('name', 128) as HeadName)
        sendNothing(response)
      }
    },
    {
      method: 'POST', path: '/api/v1/vaults/:vault/heads',
      async handle ({ request, response, principal, params }) {
        requireKnown(principal)
        const f = fields('vault registration', await readDagCbor(request))
        await pinner.registerVault(principal, { vault: vaultOf(params), topic: f.text('topic'), head: f.text('head', 128) as HeadName, headKey: f.bytes('headKey', 32) })
        sendNothing(response)
      }
    },
    {
      method: 'GET', path: '/api/v1/vaults/:vault/heads',
      async handle ({ response, principal, params }) {
        const heads = pinner.heads(principal, vaultOf(params)).map(({ record, ...head }) => ({ ...head, ...(record === null ? {} : { record }) }))
        sendDagCbor(response, 200, { v: VERSION, heads })
      }
    },
    { method: 'POST', path: '/api/v1/vaults/:vault/receipts', handle: async exchange => receipt(pinner, exchange) },
    { method: 'POST', path: '/api/v1/blocks', handle: async exchange => getBlocks(pinner, exchange) },
    {
      method: 'GET', path: '/api/v1/usage',
      async handle ({ response, principal }) {
        const { quotaBytes, ...usage } = pinner.usage(principal)
        sendDagCbor(response, 200, { v: VERSION, ...usage, ...(quotaBytes === null ? {} : { quotaBytes }) })
      }
    }
  ]
}

async function pair (pinner: Pinner, { request, response, principal }: Exchange): Promise<void> {
  const key = keyOf(principal)
  if (key === null) throw new UnauthorisedError('an API key cannot be paired', 'Pair with the key of the device.')
  const f = fields('pairing', await readDagCbor(request))
  const token = f.has('token') ? f.text('token', 256) : undefined
  const description = await pinner.pair(key, { certificate: certificateFromMap(f.map('certificate')), ...(token === undefined ? {} : { token }) })
  sendDagCbor(response, 200, { v: VERSION, ...description })
}

async function receipt (pinner: Pinner, { request, response, principal, params, signal }: Exchange): Promise<void> {
  requireKnown(principal)
  const f = fields('receipt request', await readDagCbor(request))
  const answer = await pinner.receipt(principal, vaultOf(params), f.cid('root'), { signal })
  if ('receipt' in answer) sendDagCbor(response, 200, { v: VERSION, receipt: receiptToMap(answer.receipt) })
  else sendDagCbor(response, 409, { v: VERSION, missing: answer.missing })
}

async function getBlocks (pinner: Pinner, exchange: Exchange): Promise<void> {
  requireKnown(exchange.principal)
  const list = await readDagCbor(exchange.request, MAX_BLOCK_LIST_BYTES)
  if (!Array.isArray(list)) throw new CorruptBlockError('a list of links was expected')
  if (list.length > MAX_BLOCKS_PER_REQUEST) throw new LimitExceededError('blocks in one request', list.length, MAX_BLOCKS_PER_REQUEST)
  const cids = list.map((item: unknown) => {
    const cid = CID.asCID(item)
    if (cid === null) throw new CorruptBlockError('a list of links was expected')
    return cid
  })
  await sendStream(exchange, `${CAR_TYPE}; version=1`, writeCar([], pinner.getBlocks(exchange.principal, cids, { signal: exchange.signal })))
}

function fields (what: string, value: unknown): FieldReader {
  checkVersion(what, value, VERSION)
  return fieldReader(what, value)
}

function vaultOf (params: Readonly<Record<string, string>>): VaultId {
  const text = params['vault'] ?? ''
  if (!/^[0-9a-f]{32}$/.test(text)) throw new InvalidArgumentError('a vault id has 32 hexadecimal digits')
  return text as VaultId
}

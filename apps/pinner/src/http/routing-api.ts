import { HoldfastError, InvalidArgumentError, keyOfPeerId, type HeadName } from '@holdfast/protocol'
import { headNameOf, MAX_RECORD_BYTES, parseHeadName } from '@holdfast/roots'
import { base36 } from 'multiformats/bases/base36'
import { CID } from 'multiformats/cid'
import { requireKnown, type Pinner } from '../core/index.js'
import { readBody } from './body.js'
import { IPNS_TYPE, sendBytes, type Exchange } from './exchange.js'
import type { Route } from './router.js'

const LIBP2P_KEY = 0x72

/** Delegated Routing V1 for IPNS (https://specs.ipfs.tech/routing/http-routing-v1/), for names that are registered here. */
export function routingRoutes (pinner: Pinner): Route[] {
  const get = async ({ response, principal, params }: Exchange): Promise<void> => {
    requireKnown(principal)
    const name = nameOf(params['name']!)
    const record = pinner.getRecord(principal, name)
    if (record === null) throw new NoRecordError(name)
    // Freshness comes from asking: a cache in between would only hide a newer record.
    sendBytes(response, 200, IPNS_TYPE, record, { 'cache-control': 'no-cache', vary: 'Accept, Authorization' })
  }
  return [
    { method: 'GET', path: '/routing/v1/ipns/:name', handle: get },
    {
      method: 'PUT', path: '/routing/v1/ipns/:name',
      async handle ({ request, response, principal, params, signal }) {
        requireKnown(principal)
        const record = await readBody(request, MAX_RECORD_BYTES, 'IPNS record size')
        await pinner.putRecord(principal, nameOf(params['name']!), record, { signal })
        response.writeHead(200)
        response.end()
      }
    }
  ]
}

/** This node holds no record of this name. */
export class NoRecordError extends HoldfastError {
  override readonly name = 'NoRecordError'
  readonly family = 'retryable'
  readonly status = 404
  constructor (name: string) {
    super(`no record of ${name} is here`, 'Publish one first, or ask another node.', { head: name })
  }
}

/** Every spelling of an IPNS name: CIDv1 in any base, or a peer id. */
export function nameOf (text: string): HeadName {
  if (text.startsWith('12D3Koo')) return headNameOf(keyOfPeerId(text))
  let cid: CID
  try { cid = text.startsWith('k') ? CID.parse(text, base36) : CID.parse(text) } catch { throw new InvalidArgumentError('not an IPNS name', undefined, { name: text.slice(0, 100) }) }
  if (cid.code !== LIBP2P_KEY) throw new InvalidArgumentError('not an IPNS name', undefined, { name: text.slice(0, 100) })
  return parseHeadName(cid.toV1().toString(base36))
}

import { blockLinks, checkCidKind, HoldfastError, InvalidArgumentError, RAW, type Block } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { requireKnown, type Pinner } from '../core/index.js'
import { writeCar } from './car.js'
import { CAR_TYPE, RAW_TYPE, sendBytes, sendStream, type Exchange } from './exchange.js'
import type { Route } from './router.js'

const IDENTITY = 0x00
/** A block never changes under its CID; the answer is for whoever may ask, so no shared cache may keep it. */
const CACHE = { 'cache-control': 'private, max-age=29030400, immutable', 'x-content-type-options': 'nosniff', vary: 'Accept, Authorization' }

/** Neither a raw block nor a CAR was asked for. */
export class NotAcceptableError extends HoldfastError {
  override readonly name = 'NotAcceptableError'
  readonly family = 'invalid'
  readonly status = 406
  constructor () {
    super('this gateway serves raw blocks and CARs only', `Ask with ?format=raw or ?format=car, or with Accept: ${RAW_TYPE} or ${CAR_TYPE}.`)
  }
}

/** Trustless gateway (https://specs.ipfs.tech/http-gateways/trustless-gateway/): blocks and CARs that the client verifies. */
export function gatewayRoutes (pinner: Pinner): Route[] {
  const handle = async (exchange: Exchange): Promise<void> => {
    requireKnown(exchange.principal)
    const cid = parse(exchange.params['cid']!)
    const format = formatOf(exchange)
    const etag = `"${cid.toString()}.${format}${format === 'car' ? `.${scopeOf(exchange)}` : ''}"`
    const headers = { ...CACHE, etag, 'x-ipfs-path': `/ipfs/${cid.toString()}`, 'content-disposition': `attachment; filename="${cid.toString()}.${format === 'raw' ? 'bin' : 'car'}"` }
    // Whoever may not read it may not learn that it is here either.
    const root = await readBlock(pinner, exchange, cid)
    if (exchange.request.headers['if-none-match'] === etag) {
      exchange.response.writeHead(304, headers)
      exchange.response.end()
    } else if (format === 'raw') sendBytes(exchange.response, 200, RAW_TYPE, root, headers)
    else await sendCar(pinner, exchange, { cid, bytes: root }, headers)
  }
  return [{ method: 'GET', path: '/ipfs/:cid', handle }, { method: 'HEAD', path: '/ipfs/:cid', handle }]
}

async function readBlock (pinner: Pinner, { principal, signal }: Exchange, cid: CID): Promise<Uint8Array> {
  // The probe that clients send to find a gateway (`bafkqaaa`) holds its bytes itself.
  if (cid.multihash.code === IDENTITY && cid.code === RAW) return cid.multihash.digest
  checkCidKind(cid)
  return pinner.getBlock(principal, cid, { signal })
}

async function sendCar (pinner: Pinner, exchange: Exchange, root: Block, headers: Record<string, string>): Promise<void> {
  const blocks = scopeOf(exchange) === 'all' ? depthFirst(pinner, exchange, root) : [root]
  const type = `${CAR_TYPE}; version=1; order=dfs; dups=n`
  if (exchange.request.method === 'HEAD') {
    exchange.response.writeHead(200, { 'content-type': type, ...headers })
    exchange.response.end()
  } else await sendStream(exchange, type, writeCar([root.cid], blocks), headers)
}

/** All that a block reaches, in the order that a reader meets the links. A block that is not here ends the stream with an error. */
export async function * depthFirst (pinner: Pinner, exchange: Pick<Exchange, 'principal' | 'signal'>, root: Block): AsyncGenerator<Block> {
  const seen = new Set([root.cid.toString()])
  const stack: CID[] = []
  const push = (block: Block): void => {
    for (const link of blockLinks(block).toReversed()) stack.push(link)
  }
  yield root
  push(root)
  for (let cid = stack.pop(); cid !== undefined; cid = stack.pop()) {
    const id = cid.toString()
    if (seen.has(id)) continue
    seen.add(id)
    const block = { cid, bytes: await pinner.getBlock(exchange.principal, cid, { signal: exchange.signal }) }
    yield block
    push(block)
  }
}

function parse (text: string): CID {
  try { return CID.parse(text) } catch { throw new InvalidArgumentError('not a CID', 'Paths below a CID are not resolved here: ask for /ipfs/<cid>.', { cid: text.slice(0, 100) }) }
}

function formatOf ({ url, request }: Exchange): 'raw' | 'car' {
  const format = url.searchParams.get('format')
  if (format === 'raw' || format === 'car') return format
  const accept = (request.headers.accept ?? '').toLowerCase()
  if (format === null && accept.includes(RAW_TYPE)) return 'raw'
  if (format === null && accept.includes(CAR_TYPE)) return 'car'
  throw new NotAcceptableError()
}

/** Blocks of ours are their own entities: `entity` is one block. */
function scopeOf ({ url }: Exchange): 'all' | 'block' {
  const scope = url.searchParams.get('dag-scope') ?? 'all'
  if (scope === 'all') return 'all'
  if (scope === 'block' || scope === 'entity') return 'block'
  throw new InvalidArgumentError('dag-scope is all, entity or block', undefined, { scope: scope.slice(0, 40) })
}

import { ipns, pubSubIPNSRouting, IPNSEntry, type IPNSComponents, type IPNSResolveOptions, type PubsubRoutingComponents } from '@helia/ipns'
import { start, stop } from '@libp2p/interface'
import { CorruptBlockError, LimitExceededError, UnauthorisedError, type HeadName } from '@holdfast/protocol'
import { multihashToIPNSRoutingKey } from 'ipns'
import { ipnsSelector } from 'ipns/selector'
import { ipnsValidator } from 'ipns/validator'
import { base36 } from 'multiformats/bases/base36'
import { CID } from 'multiformats/cid'
import type { HeadRouting } from './options.js'

/** IPNS specification: records over 10 KiB are refused everywhere. Bytes. */
const MAX_RECORD_BYTES = 10 << 10

function keyOfName (name: HeadName): { cid: CID, routingKey: Uint8Array } {
  try {
    const cid = CID.parse(name, base36)
    return { cid, routingKey: multihashToIPNSRoutingKey(cid.multihash as Parameters<typeof multihashToIPNSRoutingKey>[0]) }
  } catch (cause) {
    throw new CorruptBlockError('not an IPNS name', { name }, { cause })
  }
}

async function checkRecord (name: HeadName, routingKey: Uint8Array, record: Uint8Array): Promise<void> {
  if (record.length > MAX_RECORD_BYTES) throw new LimitExceededError('IPNS record', record.length, MAX_RECORD_BYTES)
  try {
    await ipnsValidator(routingKey, record)
  } catch (cause) {
    throw new UnauthorisedError(`this is no valid record of ${name}`, 'It has expired, or was forged or damaged on the way, and has been refused.', { name, cause: String(cause) })
  }
}

export interface HeadRoutingHandle { readonly routing: HeadRouting, close (): Promise<void> }

/**
 * Heads by `@helia/ipns`. Its publisher wants the private key in Helia's keychain and signs anew; a node has no such
 * keys, so records go, as their owners signed them, straight to the routers that it publishes to. Its resolver is used as it is.
 */
export async function createHeadRouting (helia: IPNSComponents & PubsubRoutingComponents): Promise<HeadRoutingHandle> {
  const gossip = pubSubIPNSRouting(helia)
  await start(gossip)
  // Made after Helia has started, so that its hourly republisher, which has nothing to sign, does not run.
  const names = ipns(helia, { routers: [gossip] })
  const following = new Set<Promise<void>>()

  const resolve = async (cid: CID, options: IPNSResolveOptions): Promise<Uint8Array | null> => {
    try {
      for await (const { record } of names.resolve(cid, options)) return new Uint8Array(IPNSEntry.encode(record))
    } catch (error) {
      options.signal?.throwIfAborted()
      if (!isNotFound(error)) throw error
    }
    return null
  }

  /** Whoever follows a name is asked for it by others; the router follows from the first question on, here without waiting for answers. */
  const follow = (routingKey: Uint8Array): void => {
    const job = gossip.get(routingKey).then(() => {}, () => {}).finally(() => following.delete(job))
    following.add(job)
  }

  return {
    routing: {
      async broadcast (name, record, options = {}) {
        const { cid, routingKey } = keyOfName(name)
        await checkRecord(name, routingKey, record)
        const known = await resolve(cid, { ...options, offline: true })
        const newest = known !== null && ipnsSelector(routingKey, [record, known]) === 1 ? known : record
        // One of the routers is Helia's content routing, which has no DHT behind it here and says so.
        await Promise.allSettled(names.routers.map(async router => router.put(routingKey, newest, options)))
        options.signal?.throwIfAborted()
        follow(routingKey)
      },
      resolve: async (name, options = {}) => resolve(keyOfName(name).cid, { ...options, nocache: true })
    },
    async close () {
      await stop(gossip)
      await Promise.all(following)
    }
  }
}

const isNotFound = (error: unknown): boolean => error instanceof Error && (error.name === 'RecordNotFoundError' || error.name === 'RecordsFailedValidationError')

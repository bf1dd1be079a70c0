import { revocationFromMap, revocationToMap, decode, encode, type CallOptions, type Network, type RecordStore, type Revocation } from '@holdfast/protocol'
import type { Envelopes } from './envelopes.js'
import type { NodeLink } from './node-link.js'

/** What a node has to be told or asked besides heads; what could not be done because it was away is done when it is back. */
export interface NodeErrands {
  run (link: NodeLink, options?: CallOptions): Promise<void>
  /** Every node will be told of this revocation. */
  revoke (urls: Iterable<string>, revocation: Revocation): Promise<void>
  /** The node may have lost what it was told: it is told again. */
  again (link: NodeLink): Promise<void>
  /** A connection went: addresses are asked for afresh. */
  disconnected (): void
}

const prefixOf = (url: string): string => `revocation/${encodeURIComponent(url)}/`

export function createNodeErrands ({ records, envelopes, network }: { records: RecordStore, envelopes: Envelopes, network: Network | null }): NodeErrands {
  const asked = new Set<NodeLink>()

  async function deliverRevocations (link: NodeLink, options?: CallOptions): Promise<void> {
    for await (const [key, value] of records.range({ prefix: prefixOf(link.url) })) {
      await link.client.revoke(revocationFromMap(decode(value, 'revocation')), options)
      await records.write([{ key, value: undefined }])
    }
  }

  /** A node's addresses may change when it starts again; they are asked for once, and after every time it was away. */
  async function refreshAddresses (link: NodeLink, options?: CallOptions): Promise<void> {
    if (link.error !== null) asked.delete(link)
    if (network === null || asked.has(link)) return
    const { addresses } = await link.client.describe(options)
    asked.add(link)
    const before = link.remembered.addresses
    if (addresses.join(' ') === before.join(' ')) return
    network.forget(before)
    network.keep(addresses)
    await link.remember({ addresses })
  }

  return {
    async run (link, options) {
      await deliverRevocations(link, options)
      if (link.remembered.envelopes !== envelopes.version) {
        await envelopes.publish(link.client, options)
        await link.remember({ envelopes: envelopes.version })
      }
      await refreshAddresses(link, options)
    },
    async revoke (urls, revocation) {
      await records.write([...urls].map(url => ({ key: prefixOf(url) + revocation.device, value: encode(revocationToMap(revocation)) })), { durable: true })
    },
    disconnected: () => asked.clear(),
    async again (link) { await link.remember({ envelopes: '' }) }
  }
}

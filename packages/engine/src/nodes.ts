import { InvalidArgumentError, type CallOptions, type Clock, type DeviceCertificate, type HoldfastError, type Network, type NodeClient, type NodeDescription, type RecordStore } from '@holdfast/protocol'
import type { Background } from './background.js'
import type { EngineEvent } from './engine-types.js'
import type { Envelopes } from './envelopes.js'
import { createNodeLink, newNode, rememberedNodes, type NodeLink, type RememberedNode } from './node-link.js'
import { nodeRound } from './node-round.js'
import { headKeyOf } from './publish.js'
import type { Receiver } from './receiver.js'
import type { VaultStore } from './vault-store.js'

/** The nodes that this device uses. */
export interface Nodes {
  readonly links: ReadonlyMap<string, NodeLink>
  clients (): NodeClient[]
  load (): Promise<void>
  add (url: string, options?: CallOptions & { token?: string }): Promise<NodeDescription>
  remove (url: string): Promise<void>
  /** Throws InvalidArgumentError. */
  get (url: string): NodeLink
  /** A round with each, in the background. */
  round (): void
  /** Every node has a receipt for exactly what this device shows. */
  isSafe (): boolean
}

export interface NodesComponents {
  store: VaultStore
  records: RecordStore
  clock: Clock
  network: Network | null
  connectNode: (url: string) => NodeClient
  certificate: DeviceCertificate
  topic: string
  envelopes: Envelopes
  background: Background
  receiver: () => Receiver
  publishNow: () => Promise<void>
  emit: (event: EngineEvent) => void
  onError: (error: HoldfastError) => void
}

export function createNodes (components: NodesComponents): Nodes {
  const { store, records, clock, network, connectNode, certificate, topic, envelopes, background, receiver, publishNow, emit, onError } = components
  const links = new Map<string, NodeLink>()
  const isSafe = (): boolean => store.state.root !== null && [...links.values()].every(link => link.remembered.receipt?.root.equals(store.state.root) === true)

  async function onReceipt (): Promise<void> {
    if (links.size === 0) return
    const covered = Math.min(...[...links.values()].map(link => link.remembered.commit))
    await records.write(store.fresh.covered(covered))
    if (isSafe()) emit({ type: 'synced', root: store.state.root?.toString() ?? '', entries: store.index.size, bytes: store.index.bytes })
    emit({ type: 'status' })
  }

  function connect (remembered: RememberedNode, client: NodeClient): NodeLink {
    const link = createNodeLink({
      client, records, clock, remembered, retries: () => background.running, onStatus: () => emit({ type: 'status' }),
      async work (self, options) {
        await nodeRound({ store, takeHead: receiver().takeHead, ensurePublished: publishNow, onError, onReceipt }, self, options)
        if (background.running) background.run('fetching contents', receiver().fetchWanted)
      }
    })
    links.set(remembered.url, link)
    if (background.running) network?.keep(remembered.addresses)
    return link
  }

  const get = (url: string): NodeLink => {
    const found = links.get(url)
    if (found === undefined) throw new InvalidArgumentError(`${url} is not a paired node`, 'See `holdfast nodes`.')
    return found
  }

  return {
    links,
    isSafe,
    get,
    clients: () => [...links.values()].map(link => link.client),
    async load () { for (const remembered of await rememberedNodes(records)) connect(remembered, connectNode(remembered.url)) },
    async add (url, { token, ...options } = {}) {
      if (links.has(url)) throw new InvalidArgumentError(`${url} is paired already`, 'See `holdfast nodes`.')
      const client = connectNode(url)
      const description = await client.pair({ certificate, ...(token === undefined ? {} : { token }) }, options)
      const { device, vault } = store.components
      const { name, publicKey } = headKeyOf(device.seed, vault)
      await client.registerVault({ vault, topic, head: name, headKey: publicKey }, options)
      await envelopes.publish(client, options)
      const link = connect(newNode(url, description), client)
      await link.remember({})
      if (background.running) background.run('a round with a node', () => link.round({ signal: background.signal }))
      return description
    },
    async remove (url) {
      const link = get(url)
      links.delete(url)
      network?.forget(link.remembered.addresses)
      await link.forget()
      await link.client.close()
    },
    round () { for (const link of links.values()) background.run('a round with a node', () => link.round({ signal: background.signal })) }
  }
}

import { InvalidArgumentError, type CallOptions, type Clock, type DeviceCertificate, type HoldfastError, type Network, type NodeClient, type NodeDescription, type RecordStore } from '@holdfast/protocol'
import type { Background } from './background.js'
import type { EngineEvent } from './engine-types.js'
import { createNodeLink, newNode, rememberedNodes, type NodeLink, type RememberedNode } from './node-link.js'
import type { NodeErrands } from './node-errands.js'
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
  errands: NodeErrands
  background: Background
  receiver: () => Receiver
  publishNow: () => Promise<void>
  /** A node has the newest root. */
  onPushed: () => void
  emit: (event: EngineEvent) => void
  onError: (error: HoldfastError) => void
}

/** A head whose blocks the node does not have yet is asked for again after this. Milliseconds. */
const LATE_BLOCKS_MS = 1_000

export function createNodes (components: NodesComponents): Nodes {
  const { store, records, clock, network, connectNode, certificate, topic, errands, background, receiver, publishNow, onPushed, emit, onError } = components
  const links = new Map<string, NodeLink>()
  const isSafe = (): boolean => store.state.root !== null && [...links.values()].every(link => link.remembered.receipt?.root.equals(store.state.root) === true)

  async function onReceipt (): Promise<void> {
    if (links.size === 0) return
    const covered = Math.min(...[...links.values()].map(link => link.remembered.commit))
    await records.write(store.fresh.covered(covered))
    if (store.state.ownRoot !== null) onPushed()
    if (isSafe()) emit({ type: 'synced', root: store.state.root?.toString() ?? '', entries: store.index.size, bytes: store.index.bytes })
    emit({ type: 'status' })
  }

  function connect (remembered: RememberedNode, client: NodeClient): NodeLink {
    const link = createNodeLink({
      client, records, clock, remembered, retries: () => background.running, onStatus: () => emit({ type: 'status' }),
      async work (self, options) {
        await errands.run(self, options)
        await nodeRound({ store, takeHead: receiver().takeHead, ensurePublished: publishNow, onError, onReceipt, onLateBlocks: () => retryLater(self) }, self, options)
        if (background.running) background.run('fetching contents', receiver().fetchWanted)
      }
    })
    links.set(remembered.url, link)
    if (background.running) network?.keep(remembered.addresses)
    return link
  }

  function retryLater (link: NodeLink): void {
    if (background.running) background.later(LATE_BLOCKS_MS, 'asking a node again', () => link.round({ signal: background.signal }))
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
      const link = connect(newNode(url, description), client)
      await link.remember({}, { durable: true })
      await errands.run(link, options)
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

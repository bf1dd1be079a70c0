import { asHoldfastError, checkVersion, decode, encode, fieldReader, receiptFromMap, receiptToMap, type CallOptions, type Clock, type HoldfastError, type NodeClient, type NodeDescription, type Receipt, type RecordStore, UnreachableError } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { NodeStatus } from './engine-types.js'

/** What this device remembers of a node that it uses. */
export interface RememberedNode { url: string, peerId: string, addresses: string[], receipt: Receipt | null, /** the commit that the receipted root includes */ commit: number, /** the envelopes that it has, by their version */ envelopes: string }

const VERSION = 1
const PREFIX = 'node/'
const keyOf = (url: string): string => PREFIX + encodeURIComponent(url)

function encodeNode (node: RememberedNode): Uint8Array {
  return encode({ v: VERSION, url: node.url, peerId: node.peerId, addresses: node.addresses, receipt: node.receipt === null ? null : receiptToMap(node.receipt), commit: node.commit, envelopes: node.envelopes })
}

function decodeNode (bytes: Uint8Array): RememberedNode {
  const value = decode(bytes, 'remembered node')
  checkVersion('remembered node', value, VERSION)
  const f = fieldReader('remembered node', value)
  return {
    url: f.text('url', 4096),
    peerId: f.text('peerId'),
    addresses: f.array('addresses', 256).map(String),
    receipt: value['receipt'] === null ? null : receiptFromMap(f.map('receipt')),
    commit: f.integer('commit'),
    envelopes: f.text('envelopes', 65_536)
  }
}

/** One node: how to talk to it, what it last said, and when to try again. */
export interface NodeLink {
  readonly url: string
  readonly client: NodeClient
  remembered: RememberedNode
  /** The newest root whose every block was sent to it since this program started; it saves sending them twice. */
  sent: CID | null
  reachable: boolean
  error: HoldfastError | null
  /** Why heads that it told of in the last round were not taken. */
  refused: readonly HoldfastError[]
  /** Runs one round now, or once more after the one that runs. Resolves when a round that began after this call has ended; failures are in `error`, never thrown. */
  round (options?: CallOptions): Promise<void>
  /** `durable`: it survives a power cut once this resolves. */
  remember (change: Partial<RememberedNode>, options?: { durable?: boolean }): Promise<void>
  status (): NodeStatus
  /** Ends its timers. */
  stop (): void
  /** Stops, and remembers nothing of the node any more, even when a round is still on its way. */
  forget (): Promise<void>
}

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 60_000

export interface NodeLinkComponents {
  client: NodeClient
  records: RecordStore
  clock: Clock
  remembered: RememberedNode
  /** One round of work with this node. */
  work: (link: NodeLink, options?: CallOptions) => Promise<void>
  onStatus: (link: NodeLink) => void
  /** Whether a failed round is tried again by itself. */
  retries: () => boolean
}

export function createNodeLink ({ client, records, clock, remembered, work, onStatus, retries }: NodeLinkComponents): NodeLink {
  let running: Promise<void> | null = null
  let waiting: Promise<void> | null = null
  let cancelRetry: (() => void) | null = null
  let retryMs = FIRST_RETRY_MS
  let stopped = false
  let forgotten = false

  async function once (options?: CallOptions): Promise<void> {
    cancelRetry?.()
    cancelRetry = null
    try {
      await work(link, options)
      retryMs = FIRST_RETRY_MS
      setStatus(true, null)
    } catch (error) {
      if (options?.signal?.aborted === true || stopped) return
      setStatus(!(error instanceof UnreachableError), asHoldfastError('talking to a node', error))
      if (retries()) retryLater()
    }
  }

  function retryLater (): void {
    cancelRetry = clock.schedule(retryMs, () => { if (!stopped) void link.round() })
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
  }

  function setStatus (reachable: boolean, error: HoldfastError | null): void {
    const changed = link.reachable !== reachable || link.error?.message !== error?.message
    link.reachable = reachable
    link.error = error
    if (changed) onStatus(link)
  }

  const link: NodeLink = {
    url: remembered.url,
    client,
    remembered,
    sent: null,
    reachable: true,
    error: null,
    refused: [],
    round (options) {
      if (running === null) {
        running = once(options).finally(() => { running = null })
        return running
      }
      waiting ??= running.then(() => { waiting = null; return link.round(options) })
      return waiting
    },
    async remember (change, options) {
      link.remembered = { ...link.remembered, ...change }
      if (!forgotten) await records.write([{ key: keyOf(link.url), value: encodeNode(link.remembered) }], options)
    },
    status: () => ({
      url: link.url,
      peerId: link.remembered.peerId,
      reachable: link.reachable,
      receipt: link.remembered.receipt === null ? null : { root: link.remembered.receipt.root.toString(), at: link.remembered.receipt.at },
      ...(link.error === null ? {} : { error: `${link.error.message}. ${link.error.remedy}` })
    }),
    stop () {
      stopped = true
      cancelRetry?.()
    },
    async forget () {
      link.stop()
      forgotten = true
      await records.write([{ key: keyOf(link.url), value: undefined }])
    }
  }
  return link
}

export async function rememberedNodes (records: RecordStore): Promise<RememberedNode[]> {
  const nodes: RememberedNode[] = []
  for await (const [, value] of records.range({ prefix: PREFIX })) nodes.push(decodeNode(value))
  return nodes
}

export const newNode = (url: string, description: NodeDescription): RememberedNode =>
  ({ url, peerId: description.peerId, addresses: description.addresses, receipt: null, commit: 0, envelopes: '' })

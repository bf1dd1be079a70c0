import type { Libp2pNetwork } from '@holdfast/network'
import { BlockNotFoundError, isHoldfastError, type Block, type Clock } from '@holdfast/protocol'
import { decodeAnnouncement, encodeAnnouncement, readHeadRecord, type Announcement } from '@holdfast/roots'
import type { Collected, Pinner, PinnerEvent } from './core/index.js'

export interface BackgroundOptions {
  readonly pinner: Pinner
  readonly network: Libp2pNetwork
  readonly clock: Clock
  readonly collectEveryMs: number
  readonly auditEveryMs: number
  readonly rebroadcastEveryMs: number
  readonly onError: (error: unknown) => void
  readonly onCollected: (collected: Collected) => void
}

/** What a node does by itself: follow the topics of registered vaults, pass records on, collect garbage, look after what is on the disk. */
export function createBackground (options: BackgroundOptions): { stop (): Promise<void> } {
  const { pinner, network, clock, onError } = options
  const ending = new AbortController()
  const tasks = new Set<Promise<void>>()
  const cancels = new Set<() => void>()
  const subscriptions = new Map<string, () => void>()

  const run = (work: () => Promise<void>): void => {
    if (ending.signal.aborted) return
    const task = work().catch((error: unknown) => { if (!ending.signal.aborted) onError(error) }).finally(() => { tasks.delete(task) })
    tasks.add(task)
  }
  const every = (ms: number, work: () => Promise<void>): void => {
    const cancel = clock.schedule(ms, () => {
      cancels.delete(cancel)
      if (ending.signal.aborted) return
      run(work)
      every(ms, work)
    })
    cancels.add(cancel)
  }
  const follow = (): void => {
    const wanted = pinner.topics()
    for (const [topic, leave] of subscriptions) if (!wanted.has(topic)) { leave(); subscriptions.delete(topic) }
    for (const topic of wanted) {
      if (!subscriptions.has(topic)) subscriptions.set(topic, network.subscribe(topic, message => { run(async () => hear(pinner, network, message, ending.signal)) }))
    }
  }
  const onEvent = (event: PinnerEvent): void => {
    if (event.type === 'error') onError(event.error)
    else if (event.type === 'record') run(async () => passOn(network, event, ending.signal))
    else {
      follow()
      run(async () => network.disconnectDisallowed())
    }
  }
  const unlisten = pinner.on(onEvent)
  follow()
  // The first receipt would wait for it.
  run(async () => pinner.audit({ signal: ending.signal }))
  every(options.auditEveryMs, async () => pinner.audit({ thorough: true, signal: ending.signal }))
  every(options.collectEveryMs, async () => { options.onCollected(await pinner.collectGarbage({ signal: ending.signal })) })
  every(options.rebroadcastEveryMs, async () => {
    for (const { name, record } of pinner.records()) await network.heads.broadcast(name, record, { signal: ending.signal })
  })
  return {
    async stop () {
      ending.abort(new Error('the node stops'))
      unlisten()
      for (const cancel of cancels) cancel()
      for (const leave of subscriptions.values()) leave()
      await Promise.all(tasks)
    }
  }
}

/** ANN-1: an announcement by anyone allowed to connect. What it says counts only as far as its signatures go (HEAD-2). */
async function hear (pinner: Pinner, network: Libp2pNetwork, message: Uint8Array, signal: AbortSignal): Promise<void> {
  try {
    const announcement = await decodeAnnouncement(message)
    const accept = async (blocks: readonly Block[]): Promise<boolean> => pinner.acceptRecord(announcement.head, announcement.record, { blocks, announced: true, signal })
    try { await accept(announcement.blocks) } catch (error) {
      if (!(error instanceof BlockNotFoundError)) throw error
      await accept([...announcement.blocks, await fetchRoot(network, announcement, signal)])
    }
  } catch (error) {
    // Refused, damaged or out of date: gossip may be any of these, and says nothing about this node.
    if (!isHoldfastError(error)) throw error
  }
}

/** The root did not fit into the announcement. */
async function fetchRoot (network: Libp2pNetwork, { head, record }: Announcement, signal: AbortSignal): Promise<Block> {
  const { root } = await readHeadRecord(head, record)
  return { cid: root, bytes: await network.fetchBlock(root, { signal }) }
}

/** A record that came over HTTP is news to the peers; one that was announced is not. */
async function passOn (network: Libp2pNetwork, { name, record, topic, announced }: Extract<PinnerEvent, { type: 'record' }>, signal: AbortSignal): Promise<void> {
  if (topic !== null && !announced) await network.publish(topic, encodeAnnouncement({ head: name, record, blocks: [] }), { signal })
  await network.heads.broadcast(name, record, { signal })
}

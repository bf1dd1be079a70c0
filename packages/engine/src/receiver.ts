import { decodeAnnouncement } from '@holdfast/roots'
import { BlockNotFoundError, type CallOptions, type EntryId, type HeadName } from '@holdfast/protocol'
import type { Background } from './background.js'
import type { EngineEvent } from './engine-types.js'
import type { Exclusive } from './exclusive.js'
import type { Fetcher } from './fetcher.js'
import { collectHead, mergeHead } from './heads.js'
import type { VaultStore } from './vault-store.js'
import type { WantedFiles } from './wanted-files.js'

/** A head whose blocks are not to be had yet is asked for again after this. Milliseconds. */
const LATE_BLOCKS_MS = 1_000
/** Announcements looked at together; more are left out, as gossip may be, and heads are asked for at intervals. */
const MAX_ANNOUNCEMENTS_AT_ONCE = 32
/** Contents that could not be had are asked for again after this. Milliseconds. */
const LATE_CONTENTS_MS = 5_000

/** Takes in what other devices publish, by whatever way it comes. */
export interface Receiver {
  /** Throws UnauthorisedError, CorruptBlockError, BlockNotFoundError, …; then nothing has changed. */
  takeHead (head: { name: HeadName, record: Uint8Array }, options?: CallOptions): Promise<void>
  takeAnnouncement (message: Uint8Array): Promise<void>
  /** Fetches the contents that are still elsewhere. */
  fetchWanted (): Promise<void>
}

export interface ReceiverComponents {
  store: VaultStore
  fetcher: Fetcher
  exclusive: Exclusive
  background: Background
  wanted: WantedFiles
  ownHead: HeadName
  emit: (event: EngineEvent) => void
  resolveTexts: (entries: Iterable<EntryId>) => Promise<void>
  /** The state may have changed beyond what others know. */
  publishSoon: () => void
  askNodes: () => void
}

export function createReceiver (components: ReceiverComponents): Receiver {
  const { store, fetcher, exclusive, background, wanted, ownHead, emit, resolveTexts, publishSoon, askNodes } = components

  let taking = 0

  async function fetchWanted (): Promise<void> {
    if (wanted.count === 0) return
    const failures = await wanted.fetch({ signal: background.signal })
    emit({ type: 'status' })
    if (failures.length > 0 && background.running) background.later(LATE_CONTENTS_MS, 'fetching contents', fetchWanted)
  }

  async function takeHead (head: { name: HeadName, record: Uint8Array }, options?: CallOptions): Promise<void> {
    const collected = await collectHead(store, fetcher, head, options)
    if (collected === null) return
    const result = await exclusive.run(async () => mergeHead(store, fetcher, collected, emit, options))
    if (result === null) return
    wanted.add(result.wanted)
    if (result.changes.length > 0) emit({ type: 'changed', changes: result.changes })
    emit({ type: 'status' })
    if (!background.running) { await resolveTexts(result.touched); return }
    background.run('fetching contents', fetchWanted)
    background.run('merging text', () => resolveTexts(result.touched))
    publishSoon()
  }

  async function takeOne (message: Uint8Array): Promise<void> {
    const announcement = await decodeAnnouncement(message)
    if (announcement.head === ownHead) return
    fetcher.offer(announcement.blocks)
    try {
      await takeHead({ name: announcement.head, record: announcement.record }, { signal: background.signal })
    } catch (error) {
      if (!(error instanceof BlockNotFoundError)) throw error
      // The announcement was faster than the blocks: the node will have them in a moment.
      background.later(LATE_BLOCKS_MS, 'asking the nodes again', async () => askNodes())
    }
  }

  return {
    takeHead,
    fetchWanted,
    async takeAnnouncement (message) {
      if (taking >= MAX_ANNOUNCEMENTS_AT_ONCE) return
      taking++
      try { await takeOne(message) } finally { taking-- }
    }
  }
}

import { encodeAnnouncement } from '@holdfast/roots'
import type { Network } from '@holdfast/protocol'
import type { Background } from './background.js'
import { createCompactor } from './compaction.js'
import type { Exclusive } from './exclusive.js'
import { storedHead } from './heads.js'
import { publish } from './publish.js'
import type { VaultStore } from './vault-store.js'

/** Commits that follow one another within this time travel as one root. Milliseconds. */
const PUBLISH_DELAY_MS = 3
/** While commits go on without a pause, a root is made this often. Milliseconds. */
const PUBLISH_INTERVAL_MS = 50

/** Turns the state into roots and announces them. */
export interface Publisher {
  /** Publishes a moment from now, once for all commits of that moment, and tells the nodes. Does nothing before `start`. */
  soon (): void
  now (): Promise<void>
  /** A node has everything that the newest root reaches. */
  pushed (): void
  /** To a peer that has just come: this device's newest head, without blocks. */
  announceAgain (): Promise<void>
}

export interface PublisherComponents {
  store: VaultStore
  exclusive: Exclusive
  background: Background
  network: Network | null
  topic: string
  onPublished: () => void
  tellNodes: () => void
  /** Whether a node will take what is too large to announce. */
  hasNodes: () => boolean
}

export function createPublisher ({ store, exclusive, background, network, topic, onPublished, tellNodes, hasNodes }: PublisherComponents): Publisher {
  let scheduled = false
  let announceWhenPushed = false
  let lastPublished = -Infinity
  const compact = createCompactor(store)

  async function now (): Promise<void> {
    const publication = await exclusive.run(async () => {
      await compact()
      return publish(store)
    })
    if (publication === null) return
    lastPublished = store.components.clock.now()
    onPublished()
    // What does not fit into an announcement goes to the nodes first: a head without its blocks helps nobody.
    if (!publication.complete && hasNodes()) { announceWhenPushed = true; return }
    if (network !== null) background.run('announcing', () => network.publish(topic, publication.announcement, { signal: background.signal }))
  }

  return {
    now,
    soon () {
      if (scheduled || !background.running) return
      scheduled = true
      const since = store.components.clock.now() - lastPublished
      background.later(Math.max(PUBLISH_DELAY_MS, PUBLISH_INTERVAL_MS - since), 'publishing', async () => {
        scheduled = false
        await now()
        tellNodes()
      })
    },
    pushed () {
      if (!announceWhenPushed) return
      announceWhenPushed = false
      background.run('announcing', announceAgain)
    },
    announceAgain
  }

  async function announceAgain (): Promise<void> {
    const head = await storedHead(store, store.components.device.id)
    if (head !== null) await network?.publish(topic, encodeAnnouncement({ head: head.name, record: head.record, blocks: [] }), { signal: background.signal })
  }
}

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

/** Turns the state into roots and announces them. */
export interface Publisher {
  /** Publishes a moment from now, once for all commits of that moment, and tells the nodes. Does nothing before `start`. */
  soon (): void
  now (): Promise<void>
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
}

export function createPublisher ({ store, exclusive, background, network, topic, onPublished, tellNodes }: PublisherComponents): Publisher {
  let scheduled = false
  const compact = createCompactor(store)

  async function now (): Promise<void> {
    const publication = await exclusive.run(async () => {
      await compact()
      return publish(store)
    })
    if (publication === null) return
    onPublished()
    // Gossip is a courtesy that saves others a request; a root travels to the nodes whether or not it works.
    if (network !== null) background.run('announcing', () => network.publish(topic, publication.announcement, { signal: background.signal }))
  }

  return {
    now,
    soon () {
      if (scheduled || !background.running) return
      scheduled = true
      background.later(PUBLISH_DELAY_MS, 'publishing', async () => {
        scheduled = false
        await now()
        tellNodes()
      })
    },
    async announceAgain () {
      const head = await storedHead(store, store.components.device.id)
      if (head !== null) await network?.publish(topic, encodeAnnouncement({ head: head.name, record: head.record, blocks: [] }), { signal: background.signal })
    }
  }
}

import type { Content, FileRef } from '@holdfast/content'
import type { TreeChange } from '@holdfast/manifest'
import { blockId, InvalidArgumentError, type BlockId } from '@holdfast/protocol'
import type { HistoryVersion, VaultSession } from './engine-types.js'
import type { Exclusive } from './exclusive.js'
import type { Fetcher } from './fetcher.js'
import { prepareFile } from './prepare.js'
import { describe } from './text-merge.js'
import { transact } from './transaction.js'
import type { VaultStore } from './vault-store.js'

/** Versions listed at most. */
const MAX_HISTORY = 10_000

export interface VaultSessionComponents {
  store: VaultStore
  content: Content
  fetcher: Fetcher
  exclusive: Exclusive
  /** Something was committed: publish it soon. */
  onCommit: (changes: TreeChange[]) => void
}

export function createVaultSession ({ store, content, fetcher, exclusive, onCommit }: VaultSessionComponents): VaultSession {
  return {
    id: store.components.vault,
    index: store.index,
    get membership () { return store.membership },
    prepare: (source, facts, options) => prepareFile(store, content, source, facts, options),
    async transact (body, options) {
      const { result, changes } = await exclusive.run(async () => {
        options?.signal?.throwIfAborted()
        return transact(store, body)
      })
      onCommit(changes)
      return result
    },
    open: (version, options) => content.open({ node: version.node, key: version.key }, fetcher.get, options),
    async history (entry, options) {
      const now = store.index.get(entry)
      if (now === undefined || now.content.kind !== 'file') throw new InvalidArgumentError('only files have versions', 'Name a file.')
      return walkHistory(now.versions.length > 0 ? now.versions : [now.content], options)
    }
  }

  async function walkHistory (current: readonly (FileRef & { digest: Uint8Array })[], options?: { signal?: AbortSignal }): Promise<HistoryVersion[]> {
    const found = new Map<BlockId, HistoryVersion>()
    let queue: FileRef[] = current.map(({ node, key }) => ({ node, key }))
    while (queue.length > 0 && found.size < MAX_HISTORY) {
      const next: FileRef[] = []
      for (const ref of queue) {
        const id = blockId(ref.node)
        if (found.has(id)) continue
        const description = await describe(content, fetcher.get, ref, options)
        if (description === null) continue
        const { size, digest, modified, mode, by, at, previous } = description
        found.set(id, { node: ref.node, key: ref.key, size, digest, modified, mode, by, at, current: current.some(version => version.node.equals(ref.node)) })
        next.push(...previous)
      }
      queue = next
    }
    return [...found.values()].sort((a, b) => Number(b.current) - Number(a.current) || b.at - a.at)
  }
}

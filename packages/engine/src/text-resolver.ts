import type { Content } from '@holdfast/content'
import type { TreeChange } from '@holdfast/manifest'
import type { EntryId } from '@holdfast/protocol'
import type { Background } from './background.js'
import type { EngineEvent } from './engine-types.js'
import type { Exclusive } from './exclusive.js'
import type { Fetcher } from './fetcher.js'
import { resolveText } from './text-merge.js'
import type { VaultStore } from './vault-store.js'

export interface TextResolverComponents { store: VaultStore, content: Content, fetcher: Fetcher, exclusive: Exclusive, background: Background, emit: (event: EngineEvent) => void, onCommit: (changes: TreeChange[]) => void }

/** MAN-5: merges the text files among these that have several versions; what cannot be merged is told as a conflict. */
export function createTextResolver ({ store, content, fetcher, exclusive, background, emit, onCommit }: TextResolverComponents): (entries: Iterable<EntryId>) => Promise<void> {
  return async entries => {
    for (const entry of new Set(entries)) {
      const shown = store.index.get(entry)
      if (shown === undefined || shown.trashed || shown.versions.length < 2) continue
      const merged = await resolveText({ store, content, read: fetcher.get, options: { signal: background.signal } }, entry, exclusive.run)
      if (merged?.result === true) onCommit(merged.changes)
      else if (merged === null) emit({ type: 'conflict', path: store.index.path(entry) ?? '', entry })
    }
  }
}

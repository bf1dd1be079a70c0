import { asHoldfastError, blockId, BlockNotFoundError, isHoldfastError, parseCid, type BlockId, type CallOptions, type HoldfastError } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { Fetcher } from './fetcher.js'
import type { VaultStore } from './vault-store.js'

/**
 * File nodes that a merge brought and whose contents are still elsewhere. Every device keeps a full copy; the
 * list survives restarts, so that an interrupted fetch goes on where it was.
 */
export interface WantedFiles {
  readonly count: number
  add (nodes: readonly CID[]): void
  /** Fetches what is wanted. Resolves to what could not be had now; it stays wanted. */
  fetch (options?: CallOptions): Promise<HoldfastError[]>
}

/** Files completed between two writes of the list. */
const BATCH = 256

export async function loadWantedFiles (store: VaultStore, fetcher: Fetcher): Promise<WantedFiles> {
  const { records } = store.components
  const wanted = new Set<BlockId>()
  for await (const [key] of records.range({ prefix: store.keys.wanted })) wanted.add(key.slice(store.keys.wanted.length) as BlockId)
  let running: Promise<HoldfastError[]> | null = null

  async function done (ids: readonly BlockId[]): Promise<void> {
    // The contents are durable before the note that they are wanted goes.
    await store.components.blocks.flush()
    await records.write(ids.map(id => ({ key: store.keys.wantedFile(id), value: undefined })))
    for (const id of ids) wanted.delete(id)
  }

  /** All at once first; when something is missing, one by one, so that one lost file does not hold up the rest. */
  async function fetchBatch (ids: BlockId[], options?: CallOptions): Promise<HoldfastError[]> {
    try {
      await fetcher.complete(ids.map(parseCid), options)
      await done(ids)
      return []
    } catch (error) {
      options?.signal?.throwIfAborted()
      if (ids.length === 1) return [asHoldfastError('fetching a file', error)]
      if (!(error instanceof BlockNotFoundError) && !(isHoldfastError(error) && error.family === 'corrupt')) return [asHoldfastError('fetching files', error)]
    }
    const half = ids.length >> 1
    return [...await fetchBatch(ids.slice(0, half), options), ...await fetchBatch(ids.slice(half), options)]
  }

  async function fetchAll (options?: CallOptions): Promise<HoldfastError[]> {
    const failures: HoldfastError[] = []
    const tried = new Set<BlockId>()
    for (;;) {
      const batch = [...wanted].filter(id => !tried.has(id)).slice(0, BATCH)
      if (batch.length === 0) return failures
      for (const id of batch) tried.add(id)
      failures.push(...await fetchBatch(batch, options))
    }
  }

  return {
    get count () { return wanted.size },
    add (nodes) { for (const node of nodes) wanted.add(blockId(node)) },
    fetch (options) {
      running ??= fetchAll(options).finally(() => { running = null })
      return running
    }
  }
}

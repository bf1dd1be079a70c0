import { changeHash } from '@holdfast/manifest'
import { openLogBlock, sealFragment, type OpenedChange, type OpenedFragment } from '@holdfast/membership'
import { blockId, type Block, type PageId } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { LogEntry } from './log-inventory.js'
import { nextCounter, type VaultStore } from './vault-store.js'

/** What a log block covers: the hashes of the Automerge changes in it. */
export interface Coverage { cid: CID, kind: LogEntry['kind'], id: string | null, hashes: readonly string[] }

/** Loose changes of a page that are worth looking at, and how many more before it is looked at again. */
const LEAST_CHANGES = 128
const STEP = 64

export function coverageOf (cid: CID, opened: OpenedChange | OpenedFragment): Coverage {
  return opened.kind === 'change'
    ? { cid, kind: 'change', id: null, hashes: opened.changes.map(changeHash) }
    : { cid, kind: 'fragment', id: opened.id, hashes: opened.members }
}

/**
 * LOG-2: which of a page's log blocks are needed. Of fragments with one id the smallest CID stays; a fragment inside
 * a larger one goes; a change goes when fragments contain it. The same for any order and grouping of merges, so that
 * devices which know the same blocks keep the same ones.
 */
export function neededBlocks (blocks: readonly Coverage[]): Set<string> {
  const fragments = new Map<string, Coverage>()
  for (const block of blocks) {
    if (block.id === null) continue
    const other = fragments.get(block.id)
    if (other === undefined || blockId(block.cid) < blockId(other.cid)) fragments.set(block.id, block)
  }
  const bySize = [...fragments.values()].sort((a, b) => b.hashes.length - a.hashes.length || (a.id! < b.id! ? -1 : 1))
  const covered = new Set<string>()
  const needed = new Set<string>()
  for (const { cid, hashes } of bySize) {
    if (hashes.every(hash => covered.has(hash))) continue
    needed.add(blockId(cid))
    for (const hash of hashes) covered.add(hash)
  }
  for (const { cid, id, hashes } of blocks) if (id === null && !hashes.every(hash => covered.has(hash))) needed.add(blockId(cid))
  return needed
}

/** What this device's log blocks of a page cover. They were let in once; signatures are checked all the same. */
export async function storedCoverage (store: VaultStore, page: PageId): Promise<Coverage[]> {
  const context = { membership: store.membership, vault: store.components.vault, accepted: () => true, keysOf: store.keysOf }
  const coverage: Coverage[] = []
  for (const cid of store.log.blocksOf(page)) coverage.push(coverageOf(cid, await openLogBlock({ cid, bytes: await store.readBlock(cid) }, context)))
  return coverage
}

/** Compacts the pages that gathered many loose changes. Two devices may do it at once: `neededBlocks` picks the same result on both. */
export function createCompactor (store: VaultStore): () => Promise<void> {
  const looked = new Map<PageId, number>()
  return async () => {
    for (const page of store.log.pagesWithChanges(LEAST_CHANGES)) {
      const changes = store.log.changes(page)
      if (changes < (looked.get(page) ?? 0) + STEP) continue
      looked.set(page, changes)
      if (await compactPage(store, page)) looked.delete(page)
    }
  }
}

async function compactPage (store: VaultStore, pageId: PageId): Promise<boolean> {
  const page = await store.pages.get(pageId)
  const stored = await storedCoverage(store, pageId)
  const fragments = page.log.compactable({
    changes: stored.filter(block => block.kind === 'change').flatMap(block => block.hashes),
    fragments: stored.flatMap(block => block.id === null ? [] : [block.id])
  })
  if (fragments.length === 0) return false
  const { random, device: { signer } } = store.components
  const blocks: Block[] = []
  const added: Coverage[] = []
  for (const fragment of fragments) {
    const block = await sealFragment({ keys: store.vaultKeys, signer, random }, { seq: nextCounter(store), page: pageId, ...fragment })
    blocks.push(block)
    added.push({ cid: block.cid, kind: 'fragment', id: fragment.id, hashes: fragment.members })
  }
  const needed = neededBlocks([...stored, ...added])
  await store.write({
    blocks,
    logAdded: added.filter(({ cid }) => needed.has(blockId(cid))).map(({ cid }) => ({ cid, page: pageId, kind: 'fragment' as const })),
    logRemoved: stored.filter(({ cid }) => !needed.has(blockId(cid))).map(({ cid }) => cid)
  })
  return true
}

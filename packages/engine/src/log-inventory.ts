import { blockId, checkVersion, decode, encode, fieldReader, fromHex, pageId, parseCid, type BlockId, type PageId, type RecordChange, type RecordStore } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { VaultRecordKeys } from './state-records.js'

export interface LogEntry { cid: CID, page: PageId, kind: 'change' | 'fragment' }

/** Which log blocks each page has: what compaction and the merging of fragments go by. */
export interface LogInventory {
  blocksOf (page: PageId): CID[]
  changes (page: PageId): number
  hasFragments (page: PageId): boolean
  /** Pages with at least so many loose changes. */
  pagesWithChanges (least: number): PageId[]
  /** Records to write in the batch that adds and removes these. */
  records (added: readonly LogEntry[], removed: readonly CID[]): RecordChange[]
  /** That batch was written. */
  note (added: readonly LogEntry[], removed: readonly CID[]): void
}

const VERSION = 1

function decodeEntry (key: string, bytes: Uint8Array): LogEntry {
  const value = decode(bytes, 'log entry')
  checkVersion('log entry', value, VERSION)
  const f = fieldReader('log entry', value)
  return { cid: parseCid(key), page: pageId(f.bytes('page', 16)), kind: f.text('kind') === 'fragment' ? 'fragment' : 'change' }
}

export async function loadLogInventory (store: RecordStore, keys: VaultRecordKeys): Promise<LogInventory> {
  const byPage = new Map<PageId, Map<BlockId, LogEntry['kind']>>()
  const pageOf = new Map<BlockId, PageId>()
  const add = ({ cid, page, kind }: LogEntry): void => {
    const id = blockId(cid)
    pageOf.set(id, page)
    const blocks = byPage.get(page) ?? new Map<BlockId, LogEntry['kind']>()
    byPage.set(page, blocks.set(id, kind))
  }
  for await (const [key, value] of store.range({ prefix: keys.logBlocks })) add(decodeEntry(key.slice(keys.logBlocks.length), value))

  const kinds = (page: PageId): LogEntry['kind'][] => [...byPage.get(page)?.values() ?? []]
  const changes = (page: PageId): number => kinds(page).filter(kind => kind === 'change').length
  return {
    blocksOf: page => [...byPage.get(page)?.keys() ?? []].map(parseCid),
    changes,
    hasFragments: page => kinds(page).includes('fragment'),
    pagesWithChanges: least => [...byPage].filter(([page, blocks]) => blocks.size >= least && changes(page) >= least).map(([page]) => page),
    records: (added, removed) => [
      ...added.map(({ cid, page, kind }) => ({ key: keys.logBlock(blockId(cid)), value: encode({ v: VERSION, page: fromHex(page), kind }) })),
      ...removed.map(cid => ({ key: keys.logBlock(blockId(cid)), value: undefined }))
    ],
    note (added, removed) {
      for (const entry of added) add(entry)
      for (const cid of removed) {
        const id = blockId(cid)
        const page = pageOf.get(id)
        if (page === undefined) continue
        pageOf.delete(id)
        byPage.get(page)?.delete(id)
      }
    }
  }
}

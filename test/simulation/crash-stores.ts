import { BlockNotFoundError, blockId, parseCid, type BlockId, type BlockStore, type RecordChange, type RecordStore } from '@holdfast/protocol'
import type { Seeded } from './seeded.js'

/** The power went. Whoever was writing never hears of it again. */
export class CrashedError extends Error {
  override readonly name = 'CrashedError'
}

/**
 * A disk that can lose its power between any two writes. What was flushed is there afterwards; of the rest, blocks
 * survive at random, and records survive up to a random point (a log is replayed until where it was torn).
 */
export interface CrashDisk {
  /** Stores over the disk; after `crash` they fail, and new ones show what survived. */
  open (): { blocks: BlockStore, records: RecordStore }
  crash (): void
  /** The disk fails by itself at the nth write from now. */
  crashAfter (writes: number, onCrash: () => void): void
}

export function createCrashDisk (random: Seeded): CrashDisk {
  const durableBlocks = new Map<BlockId, Uint8Array>()
  let volatileBlocks = new Map<BlockId, Uint8Array>()
  const durableRecords = new Map<string, Uint8Array>()
  let journal: RecordChange[][] = []
  let generation = 0
  let writesLeft = Infinity
  let onOwnCrash: () => void = () => undefined

  const apply = (changes: readonly RecordChange[]): void => {
    for (const { key, value } of changes) if (value === undefined) durableRecords.delete(key); else durableRecords.set(key, value)
  }
  const syncRecords = (): void => {
    for (const changes of journal) apply(changes)
    journal = []
  }

  function crash (): void {
    generation++
    writesLeft = Infinity
    for (const [id, bytes] of volatileBlocks) if (random.chance(0.5)) durableBlocks.set(id, bytes)
    volatileBlocks = new Map()
    for (const changes of journal.slice(0, random.integer(journal.length + 1))) apply(changes)
    journal = []
  }

  /** Counts a write; the power may go before it, or right after it before anyone is told. */
  function write (mine: number, effect: () => void): void {
    if (mine !== generation) throw new CrashedError('the disk is gone')
    if (--writesLeft > 0) { effect(); return }
    if (random.chance(0.5)) effect()
    crash()
    onOwnCrash()
    throw new CrashedError('the power went during a write')
  }
  const read = (mine: number): void => { if (mine !== generation) throw new CrashedError('the disk is gone') }

  function openBlocks (mine: number): BlockStore {
    const find = (id: BlockId): Uint8Array | undefined => volatileBlocks.get(id) ?? durableBlocks.get(id)
    return {
      async has (cid) { read(mine); return find(blockId(cid)) !== undefined },
      async get (cid) {
        read(mine)
        const bytes = find(blockId(cid))
        if (bytes === undefined) throw new BlockNotFoundError(cid.toString())
        return bytes
      },
      async put (blocks) { for (const block of blocks) write(mine, () => { volatileBlocks.set(blockId(block.cid), block.bytes) }) },
      async delete (cids) { for (const cid of cids) write(mine, () => { volatileBlocks.delete(blockId(cid)); durableBlocks.delete(blockId(cid)) }) },
      async * list () { read(mine); yield * [...new Set([...durableBlocks.keys(), ...volatileBlocks.keys()])].map(parseCid) },
      async flush () {
        write(mine, () => {
          for (const [id, bytes] of volatileBlocks) durableBlocks.set(id, bytes)
          volatileBlocks.clear()
        })
      },
      async close () { read(mine) }
    }
  }

  function openRecords (mine: number): RecordStore {
    const current = (): Map<string, Uint8Array> => {
      const all = new Map(durableRecords)
      for (const { key, value } of journal.flat()) if (value === undefined) all.delete(key); else all.set(key, value)
      return all
    }
    return {
      async get (key) {
        read(mine)
        for (const change of journal.flat().reverse()) if (change.key === key) return change.value
        return durableRecords.get(key)
      },
      async write (changes, options) {
        write(mine, () => {
          journal.push([...changes])
          if (options?.durable === true) syncRecords()
        })
      },
      async * range ({ prefix, after, reverse, limit }) {
        read(mine)
        const keys = [...current().keys()].filter(key => key.startsWith(prefix) && (after === undefined || (reverse === true ? key < after : key > after))).sort()
        if (reverse === true) keys.reverse()
        for (const key of keys.slice(0, limit)) yield [key, current().get(key)!] as const
      },
      async close () { read(mine) }
    }
  }

  return {
    open: () => ({ blocks: openBlocks(generation), records: openRecords(generation) }),
    crash,
    crashAfter (writes, onCrash) { writesLeft = writes; onOwnCrash = onCrash }
  }
}

import { createHash } from 'node:crypto'
import type { Clock, Random } from '@holdfast/protocol'
import { createMemoryRecordStore } from '../../storage-memory/src/memory-record-store.js'
import { sameTime } from '../src/model.js'
import { createMirror, type Mirror, type MirrorOptions } from '../src/mirror.js'
import type { Naming } from '../src/naming.js'
import { isWithin, joinPath } from '../src/paths.js'
import type { WatchDisk } from '../src/watch-disk.js'
import { MemoryDisk } from './memory-disk.js'
import { MemoryVault } from './memory-vault.js'

const TICK_MS = 4

/** A clock that only goes on when it is asked or told to. */
export class ManualClock implements Clock {
  ms = 1_700_000_000_000
  readonly #waiting = new Set<{ at: number, callback: () => void }>()

  now (): number {
    this.ms += 0.05
    return this.ms
  }

  schedule (ms: number, callback: () => void): () => void {
    const entry = { at: this.ms + ms, callback }
    this.#waiting.add(entry)
    return () => { this.#waiting.delete(entry) }
  }

  advance (ms: number): void {
    this.ms += ms
    for (const entry of [...this.#waiting].sort((a, b) => a.at - b.at)) {
      if (entry.at > this.ms || !this.#waiting.delete(entry)) continue
      entry.callback()
    }
  }
}

export const countingRandom = (): Random => {
  let next = 1
  return { bytes: length => Uint8Array.from({ length }, () => (next = (next * 1103515245 + 12345) & 0x7fffffff) >> 16) }
}

/** A vault, a disk and a mirror between them, all in memory. */
export class World {
  readonly clock = new ManualClock()
  readonly vault = new MemoryVault()
  readonly records = createMemoryRecordStore()
  readonly random = countingRandom()
  readonly disk: MemoryDisk
  readonly lost: string[] = []

  constructor (naming?: Naming) {
    this.disk = new MemoryDisk(() => BigInt(Math.floor(this.clock.now() / TICK_MS) * TICK_MS) * 1_000_000n, naming)
    this.disk.onLost = (bytes, path) => {
      // Its own unfinished downloads.
      if (path.startsWith('/.holdfast/tmp/new-')) return
      const digest = createHash('sha256').update(bytes).digest('hex')
      if (bytes.length > 0 && !this.vault.written.has(digest)) this.lost.push(`${path}: ${new TextDecoder().decode(bytes)}`)
    }
  }

  async mirror (options: MirrorOptions = {}, watchDisk?: WatchDisk): Promise<Mirror> {
    const { vault, disk, records, clock, random } = this
    return createMirror({ directory: '/mirror', filesystem: vault, disk, records, clock, random, watchDisk: watchDisk ?? (() => ({ add: () => undefined, remove: () => undefined, close: () => undefined })) }, options)
  }

  /** Watches directories one by one, as on Linux: by inode, and with the path under which each was added. */
  readonly watchDisk: WatchDisk = (_root, onHint) => {
    const watched = new Map<string, bigint>()
    this.disk.onChange = (directory, name) => { for (const [path, inode] of watched) if (inode === directory) onHint(joinPath(path, name)) }
    return {
      add: directory => { const inode = this.disk.inodeAt(directory); if (inode !== undefined) watched.set(directory, inode) },
      remove: directory => { for (const path of watched.keys()) if (isWithin(path, directory)) watched.delete(path) },
      close: () => { this.disk.onChange = undefined }
    }
  }

  /** Lets a live mirror do all that it can do by hints alone, without its periodic scan. */
  async settle (): Promise<void> {
    for (let turn = 0; turn < 40; turn++) {
      await new Promise(resolve => { setImmediate(resolve) })
      this.clock.advance(1500)
    }
    await new Promise(resolve => { setImmediate(resolve) })
  }

  /** How the two sides differ, in words; empty when they are the same. */
  async differences (): Promise<string[]> {
    const onDisk = new Map([...this.disk.tree()].map(entry => [entry.path, entry]))
    const found: string[] = []
    for await (const entry of this.vault.walk()) {
      if (entry.path === '/') continue
      const there = onDisk.get(entry.path)
      onDisk.delete(entry.path)
      if (there === undefined || there.kind !== entry.kind) { found.push(`${entry.path} is a ${entry.kind} in the vault, ${there?.kind ?? 'missing'} on the disk`); continue }
      if (entry.kind === 'file' && there.text !== await this.vault.text(entry.path)) found.push(`${entry.path} has other contents`)
      if (entry.kind === 'link' && there.target !== entry.target) found.push(`${entry.path} has another target`)
      if (entry.kind !== 'link' && there.mode !== entry.mode) found.push(`${entry.path} has another mode`)
      if (!sameTime(there.mtime, entry.modified)) found.push(`${entry.path} has another time: ${there.mtime} on the disk, ${entry.modified} in the vault`)
    }
    for (const path of onDisk.keys()) found.push(`${path} is on the disk alone`)
    return found
  }

  /** What the mirror left in its own directory. */
  leftovers (): string[] {
    return [...this.disk.tree('/.holdfast', true)].map(entry => entry.path).filter(path => !['/.holdfast/mirror', '/.holdfast/tmp', '/.holdfast/parked'].includes(path))
  }
}

import { mkdir, realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isHoldfastError, type CallOptions, type Clock, type HoldfastError, type Random, type RecordStore } from '@holdfast/protocol'
import { createAgreedStore, type AgreedStore } from './agreed-store.js'
import { AgreedTree } from './agreed-tree.js'
import type { Disk } from './disk-port.js'
import { codeOf, EntryFailedError, ForeignMirrorError, GuardError, MirrorMissingError } from './errors.js'
import type { MirroredFilesystem } from './filesystem-port.js'
import { createIgnoreRules, type IgnoreRules } from './ignore-rules.js'
import { checkMarker, claimDirectory, makePrivateDirectories, readText } from './marker.js'
import type { Id } from './model.js'
import { createNodeDisk } from './node-disk.js'
import { IGNORE_FILE, isWithin, parentPath, PRIVATE_DIRECTORY } from './paths.js'
import { probeNaming } from './probe-naming.js'
import { recover } from './recover.js'
import { everything, readRules, runRound, type RoundState, type Scope } from './round.js'
import { RoundLog, type MirrorCounts, type MirrorEvent } from './round-log.js'
import { watchDisk as watchWithNode, type DiskWatcher, type WatchDisk } from './watch-disk.js'

export interface MirrorComponents {
  /** A directory of the disk; made when it is missing and was never a mirror. */
  readonly directory: string
  readonly filesystem: MirroredFilesystem
  /** The home's records; the mirror keeps to keys under `mirror/`. */
  readonly records: RecordStore
  readonly clock: Clock
  readonly random: Random
  readonly watchDisk?: WatchDisk
  /** The disk below the directory; Node's by default. */
  readonly disk?: Disk
}

export interface MirrorOptions {
  /** The person confirmed that most of the mirror shall be deleted in the vault. */
  readonly allowMassDelete?: boolean
  /** How long hints of the disk are gathered before it is looked at. Milliseconds, 20 by default. */
  readonly gatherMs?: number
  /** How often the whole disk is scanned in case a hint was lost. Milliseconds, ten minutes by default. */
  readonly rescanMs?: number
}

export interface MirrorReport extends MirrorCounts {
  readonly rounds: number
  /** What could not be mirrored, one for each entry. Empty when both sides are the same. */
  readonly failures: readonly HoldfastError[]
  /** Paths of files of which the vault keeps several versions now. */
  readonly conflicts: readonly string[]
}

export interface Mirror {
  readonly directory: string
  /**
   * Watches both sides, and makes them the same; resolves when they are, and goes on until `stop`. Throws
   * MirrorMissingError, ForeignMirrorError and GuardError.
   */
  start (options?: CallOptions): Promise<void>
  /** Scans, plans and carries out, until nothing is left to do. Throws as `start` does. */
  once (options?: CallOptions): Promise<MirrorReport>
  stop (): Promise<void>
  /** The returned function unsubscribes. */
  on (listener: (event: MirrorEvent) => void): () => void
}

/** Rounds without progress before `once` gives up on files that keep changing under it. */
const PATIENCE = 4
/** Somebody is always writing; `once` has an end all the same, and says what it could not keep up with. */
const MOST_ROUNDS = 100
const STEADY_MS = 1000
const FIRST_RETRY_MS = 5000
const LAST_RETRY_MS = 300_000
const FIRST_PAUSE_MS = 50
const MORE_PATIENCE = 3
/** After so many rounds that each left something, the next one waits a little: whatever it is, it shall not keep the machine busy. */
const MANY_ROUNDS = 20

/**
 * Binds a directory to a vault. Throws MirrorMissingError when the directory was a mirror and lacks its marker,
 * ForeignMirrorError when it is the mirror of another home.
 */
export async function createMirror (components: MirrorComponents, options: MirrorOptions = {}): Promise<Mirror> {
  const store = createAgreedStore(components.records)
  const directory = await openDirectory(components, store)
  const disk = components.disk ?? createNodeDisk(directory)
  const id = await claimDirectory(disk, directory, store, components.random)
  const naming = await probeNaming(disk)
  const agreed = new AgreedTree(naming)
  for await (const entry of store.load(id)) agreed.load(entry)
  await recover(disk, agreed)
  return new RunningMirror({ ...components, directory, disk }, options, { id, store, agreed })
}

async function openDirectory ({ directory, disk }: MirrorComponents, store: AgreedStore): Promise<string> {
  if (disk !== undefined) return directory
  const wanted = resolve(directory)
  try { return await realpath(wanted) } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw new EntryFailedError(wanted, 'opened', error)
  }
  const known = await store.mirrors()
  if (known.some(mirror => mirror.directory === wanted)) throw new MirrorMissingError(wanted)
  await mkdir(wanted, { recursive: true }).catch((error: unknown) => { throw new EntryFailedError(wanted, 'made', error) })
  return realpath(wanted)
}

interface Binding { readonly id: string, readonly store: AgreedStore, readonly agreed: AgreedTree }
type Parts = MirrorComponents & { readonly disk: Disk }

class RunningMirror implements Mirror {
  readonly directory: string
  readonly #listeners = new Set<(event: MirrorEvent) => void>()
  readonly #told = new Map<string, string>()
  readonly #steady = new Map<Id, bigint>()
  readonly #timers = new Map<string, () => void>()
  readonly #stopping = new AbortController()
  #rules: IgnoreRules = createIgnoreRules('')
  #queue: Promise<unknown> = Promise.resolve()
  #saving: Promise<void> = Promise.resolve()
  #watcher: DiskWatcher | undefined
  #unwatchVault: (() => void) | undefined
  #live = false
  #pumping = false
  #all = false
  /** A round broke off, so the next one has to look at everything. */
  #lost = false
  #hints = new Set<string>()
  #look = new Set<string>()
  #below = new Set<string>()
  #entries = new Set<Id>()
  #retryMs = FIRST_RETRY_MS
  #pauseMs = FIRST_PAUSE_MS
  readonly #putOff = new Map<string, { readonly look: Set<string>, readonly entries: Set<Id> }>()
  #postponed = 0
  #streak = 0

  constructor (readonly parts: Parts, readonly options: MirrorOptions, readonly binding: Binding) {
    this.directory = parts.directory
  }

  on (listener: (event: MirrorEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  async start (options: CallOptions = {}): Promise<void> {
    if (this.#live) return
    this.#live = true
    const watch = this.parts.watchDisk ?? watchWithNode
    this.#watcher = watch(this.directory, path => { this.#hint(path) }, error => { this.#watchFailed(error) })
    this.#unwatchVault = this.parts.filesystem.watch(changes => {
      for (const { before, after } of changes) for (const entry of [before, after]) if (entry !== undefined) this.#entries.add(entry.id)
      this.#pump()
    })
    try { await this.once(options) } catch (error) {
      await this.stop()
      throw error
    }
    this.#emit({ type: 'ready' })
    this.#scheduleRescan()
    this.#pump()
  }

  async stop (): Promise<void> {
    this.#live = false
    this.#stopping.abort()
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    this.#unwatchVault?.()
    this.#watcher?.close()
    await this.#queue.catch(() => undefined)
    await this.#save()
  }

  async once (options: CallOptions = {}): Promise<MirrorReport> {
    return this.#exclusively(async () => {
      const total = new RoundLog()
      let rounds = 0
      let last: RoundLog
      for (let patience = PATIENCE; ;) {
        last = await this.#round(everything, options.signal)
        rounds++
        for (const name of Object.keys(total.counts) as (keyof MirrorCounts)[]) total.counts[name] += last.counts[name]
        for (const [path, versions] of last.conflicts) total.conflicts.set(path, versions)
        const left = last.look.size + last.unsteady.size + last.entries.size > 0
        if (last.done > 0) patience = PATIENCE
        else if (!left || --patience === 0) break
        if (rounds === MOST_ROUNDS) break
      }
      for (const path of last.look) if (!last.failures.has(path)) last.fail(path, 'mirrored', new Error('it keeps changing'))
      return { ...total.counts, rounds, failures: [...last.failures.values()], conflicts: [...total.conflicts.keys()] }
    })
  }

  async #exclusively<Result> (work: () => Promise<Result>): Promise<Result> {
    const mine = this.#queue.catch(() => undefined).then(work)
    this.#queue = mine
    return mine
  }

  async #round (scope: Scope, signal?: AbortSignal): Promise<RoundLog> {
    const { parts: { disk, filesystem, clock, random }, binding } = this
    const log = new RoundLog()
    await checkMarker(disk, this.directory, binding.id)
    await makePrivateDirectories(disk)
    const work = {
      disk, filesystem, clock, random, log, agreed: binding.agreed, rules: this.#rules,
      signal: signal === undefined ? this.#stopping.signal : AbortSignal.any([signal, this.#stopping.signal]),
      save: async () => this.#save()
    }
    const mayHaveNewRules = scope.disk === 'all' || scope.disk.look.has(IGNORE_FILE)
    const rules = mayHaveNewRules ? await readRules(work, createIgnoreRules, IGNORE_FILE, async path => readText(disk, path)) : this.#rules
    const wide = rules.text === this.#rules.text ? scope : everything
    this.#rules = rules
    const state: RoundState = {
      watcher: this.#watcher, allowMassDelete: this.options.allowMassDelete === true, steady: this.#steady,
      moreIsComing: () => this.#hints.size + this.#look.size > 0 && this.#postponed++ < MORE_PATIENCE
    }
    await runRound(wide, { ...work, rules }, state)
    if (this.#hints.size === 0) this.#postponed = 0
    this.#tell(log, wide.disk === 'all')
    return log
  }

  /** One batch after the other, so that the newest agreement is the one that is kept. */
  async #save (): Promise<void> {
    const { store, id, agreed } = this.binding
    this.#saving = this.#saving.catch(() => undefined).then(async () => store.save(id, agreed))
    return this.#saving
  }

  #hint (path: string | null): void {
    if (path !== null && isWithin(path, PRIVATE_DIRECTORY)) return
    if (path === null) this.#all = true
    else this.#hints.add(path).add(parentPath(path))
    if (!this.#timers.has('gather')) this.#later('gather', this.options.gatherMs ?? 20, () => { this.#pump() })
  }

  #watchFailed (error: Error): void {
    this.#emit({ type: 'error', error: new EntryFailedError(this.directory, 'watched', error) })
    this.#hint(null)
  }

  #later (name: string, ms: number, act: () => void): void {
    this.#timers.get(name)?.()
    this.#timers.set(name, this.parts.clock.schedule(ms, () => {
      this.#timers.delete(name)
      act()
    }))
  }

  #scheduleRescan (): void {
    this.#later('rescan', this.options.rescanMs ?? 600_000, () => {
      this.#all = true
      this.#scheduleRescan()
      this.#pump()
    })
  }

  /** Works off what was hinted at, one round after the other. */
  #pump (): void {
    if (!this.#live || this.#pumping) return
    this.#pumping = true
    this.#exclusively(async () => this.#drain()).catch((error: unknown) => { this.#stopped(error) }).finally(() => {
      this.#pumping = false
      if (this.#hasWork()) this.#pump()
    })
  }

  /** Hints still being gathered are none yet. */
  #hasWork (): boolean {
    return this.#all || this.#look.size + this.#below.size + this.#entries.size > 0 || (this.#hints.size > 0 && !this.#timers.has('gather'))
  }

  async #drain (): Promise<void> {
    while (this.#live) {
      const scope = this.#takeScope()
      if (scope === undefined) break
      this.#resume(await this.#round(scope))
    }
    if (this.#live && !['gather', 'left', 'steady'].some(name => this.#timers.has(name))) this.#emit({ type: 'idle' })
  }

  #takeScope (): Scope | undefined {
    if (!this.#hasWork()) return undefined
    // Hints wait until the gathering is over; what the vault says does not wait for them.
    if (!this.#timers.has('gather')) {
      for (const path of this.#hints) this.#look.add(path)
      this.#hints = new Set()
    }
    const scope: Scope = this.#all || this.#lost ? everything : { disk: { look: this.#look, below: this.#below }, vault: this.#entries }
    this.#all = this.#lost = false
    this.#look = new Set()
    this.#below = new Set()
    this.#entries = new Set()
    return scope
  }

  /** What a round left is taken up again: at once after progress, otherwise after a pause. */
  #resume (log: RoundLog): void {
    for (const path of log.lookBelow) this.#below.add(path)
    if (log.look.size + log.entries.size + log.lookBelow.size === 0) this.#streak = 0
    if (log.done > 0 && ++this.#streak < MANY_ROUNDS) {
      this.#pauseMs = FIRST_PAUSE_MS
      for (const path of log.look) this.#look.add(path)
      for (const id of log.entries) this.#entries.add(id)
    } else if (log.look.size + log.entries.size > 0) {
      this.#pauseMs = Math.min(this.#pauseMs * 2, FIRST_RETRY_MS)
      this.#again('left', this.#pauseMs, log.look, log.entries)
    }
    if (log.unsteady.size > 0) this.#again('steady', STEADY_MS, log.unsteady)
    if ([...log.failures.values()].some(error => error.family === 'retryable')) {
      this.#again('retry', this.#retryMs, log.failures.keys(), log.retry)
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS)
    } else if (log.done > 0) this.#retryMs = FIRST_RETRY_MS
  }

  /** Looks at these, and at what was put off under the same name before, after a while. */
  #again (name: 'left' | 'steady' | 'retry', ms: number, look: Iterable<string>, entries: Iterable<Id> = []): void {
    const put = this.#putOff.get(name) ?? { look: new Set<string>(), entries: new Set<Id>() }
    this.#putOff.set(name, put)
    for (const path of look) put.look.add(path)
    for (const id of entries) put.entries.add(id)
    // What is put off later than the first does not make the first wait longer.
    if (!this.#timers.has(name)) this.#later(name, ms, () => {
      this.#putOff.delete(name)
      for (const path of put.look) this.#look.add(path)
      for (const id of put.entries) this.#entries.add(id)
      this.#pump()
    })
  }

  /** A round could not go on at all. */
  #stopped (error: unknown): void {
    if (!this.#live || this.#stopping.signal.aborted) return
    this.#lost = true
    const told = isHoldfastError(error) ? error : new EntryFailedError(this.directory, 'mirrored', error)
    const guarded = told instanceof GuardError || told instanceof MirrorMissingError || told instanceof ForeignMirrorError
    if (this.#told.get('') !== told.message) this.#emit(guarded ? { type: 'guarded', error: told } : { type: 'error', error: told })
    this.#told.set('', told.message)
    this.#later('again', this.#retryMs, () => {
      this.#all = true
      this.#pump()
    })
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS)
  }

  /** Tells each trouble once, and again when it is another. */
  #tell (log: RoundLog, full: boolean): void {
    this.#told.delete('')
    if (full) for (const path of this.#told.keys()) if (!log.failures.has(path) && !log.conflicts.has(path)) this.#told.delete(path)
    for (const [path, error] of log.failures) this.#tellOnce(path, error.message, { type: 'error', path, error })
    for (const [path, versions] of log.conflicts) this.#tellOnce(path, `${versions}`, { type: 'conflict', path, versions })
  }

  #tellOnce (path: string, what: string, event: MirrorEvent): void {
    if (this.#told.get(path) === what) return
    this.#told.set(path, what)
    this.#emit(event)
  }

  #emit (event: MirrorEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}

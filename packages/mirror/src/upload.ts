import { commitGroups, OPERATIONS_PER_COMMIT, type Pending } from './commit.js'
import type { FileEntry, PreparedContent } from './filesystem-port.js'
import { codeOf } from './errors.js'
import { inParallel } from './in-parallel.js'
import { sameBytes, toModified, type AgreedEntry, type DiskFacts, type DiskNode, type Id } from './model.js'
import type { UploadStep } from './planner.js'
import type { Workplace } from './round-log.js'

/** Files read, chunked and sealed at once. */
const UPLOADS_AT_ONCE = 12
/** What is ready does not wait longer than this for the rest of its commit. Milliseconds. */
const COMMIT_AFTER_MS = 1000
/** A file changed this shortly before it was read might change again in the same tick of the disk's clock. */
const TICK_NS = 50_000_000n
const COARSE_TICK_NS = 2_100_000_000n

export interface PreparedFile { readonly content: PreparedContent, readonly facts: DiskFacts }
/** Contents that had to be read before the plan, by id at that time. */
export type PreparedFiles = ReadonlyMap<Id, PreparedFile>

/**
 * Reads and prepares a file. Undefined when it is not the one that was scanned any more, or changed while it was
 * read; the next round sees it as it is then. Throws what the disk and the vault throw.
 */
export async function prepareFile (node: DiskNode, facts: { mode: number, replaces?: string, base?: string | null }, { disk, filesystem, clock, signal }: Pick<Workplace, 'disk' | 'filesystem' | 'clock' | 'signal'>): Promise<PreparedFile | undefined> {
  const file = await disk.open(node.path)
  try {
    const readAt = BigInt(Math.round(clock.now())) * 1_000_000n
    const before = await file.facts()
    if (!sameBytes(before, node.facts)) return undefined
    const content = await filesystem.prepare(file.read(), { size: before.size, modified: toModified(before.mtime), ...facts }, signal === undefined ? {} : { signal })
    const after = await file.facts()
    if (!sameBytes(before, after) || before.ctime !== after.ctime || content.size !== before.size) return undefined
    // The permissions that the plan speaks of: if they changed since, that is a change still to come.
    const seen = { ...before, mode: node.facts.mode }
    return { content, facts: isRacy(before, readAt) ? { ...seen, racy: true } : seen }
  } finally {
    await file.close()
  }
}

/** Whole seconds come from disks that know nothing finer (FAT: two seconds), or from unpacked archives. */
const isRacy = ({ mtime }: DiskFacts, readAt: bigint): boolean => mtime > readAt - (mtime % 1_000_000_000n === 0n ? COARSE_TICK_NS : TICK_NS)

/** Reads, prepares and commits, all three at the same time. */
export async function uploadAll (steps: readonly UploadStep[], prepared: PreparedFiles, work: Workplace): Promise<void> {
  let ready: Pending[] = []
  let since = work.clock.now()
  let committing: Promise<void> = Promise.resolve()
  let broken: unknown
  const commitReady = (): void => {
    const batch = ready
    ready = []
    committing = committing.then(async () => commitGroups(batch.map(pending => [pending]), work)).catch((error: unknown) => { broken ??= error })
  }
  const upload = async (step: UploadStep): Promise<void> => {
    work.signal?.throwIfAborted()
    if (broken !== undefined) throw broken
    const pending = await prepareUpload(step, prepared, work)
    if (pending === undefined) return
    if (ready.length === 0) since = work.clock.now()
    ready.push(pending)
    if (ready.length < OPERATIONS_PER_COMMIT && work.clock.now() - since < COMMIT_AFTER_MS) return
    // One commit under way and one waiting: reading goes on meanwhile, but not without bound.
    const underWay = committing
    commitReady()
    await underWay
  }
  try { await inParallel(steps, UPLOADS_AT_ONCE, upload) } finally {
    commitReady()
    await committing
  }
  if (broken !== undefined) throw broken
}

async function prepareUpload (step: UploadStep, cache: PreparedFiles, work: Workplace): Promise<Pending | undefined> {
  const { node, agreed, vault } = step
  const prepared = await prepareStep(step, cache, work)
  if (prepared === undefined) return undefined
  const { digest } = prepared.content
  if (vault !== undefined && agreed !== undefined && digest === agreed.digest) return touched(step, agreed, vault.digest, prepared, work)
  if (vault !== undefined && digest === vault.digest) {
    // Both sides came to the same bytes. Agreed as the disk shows them; the vault's times and permissions follow.
    const { facts } = prepared
    work.agreed.set({ ...step.place, id: vault.id, kind: 'file', parent: work.log.idOf(step.place.parent), digest, modified: toModified(facts.mtime), mode: facts.mode, facts })
    work.log.entries.add(vault.id)
    work.log.done++
    return undefined
  }
  return {
    operation: { type: 'write', path: step.path, expected: vault === undefined ? { parent: step.place.parent } : { entry: vault.id }, content: prepared.content },
    path: node.path,
    settle: result => { uploaded(step, prepared, result, work) }
  }
}

async function prepareStep (step: UploadStep, cache: PreparedFiles, work: Workplace): Promise<PreparedFile | undefined> {
  const { node, agreed, vault } = step
  const known = cache.get(step.id)
  // What was read before planning followed on the vault's file, if it was one that both sides had.
  if (known !== undefined && known.content.mode === step.mode && (vault === undefined) === (agreed === undefined)) return known
  try {
    const prepared = await prepareFile(node, { mode: step.mode, ...(vault !== undefined && { replaces: step.path, base: agreed?.digest ?? null }) }, work)
    if (prepared === undefined) work.log.leave(node.path)
    return prepared
  } catch (error) {
    work.signal?.throwIfAborted()
    if (isGone(error)) work.log.leave(node.path)
    else work.log.fail(node.path, 'read', error)
    return undefined
  }
}

const isGone = (error: unknown): boolean => ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')

/** The disk's bytes are those agreed on; only times, permissions or nothing at all changed. */
function touched (step: UploadStep, before: AgreedEntry, vaultDigest: string | undefined, { facts }: PreparedFile, { agreed, log }: Workplace): Pending | undefined {
  const vault = step.vault!
  const entry: AgreedEntry = { ...before, ...agreed.placeOf(before.id) ?? { ...step.place, parent: log.idOf(step.place.parent) }, facts }
  if (before.digest !== vaultDigest) {
    // Touched here while edited there: what the vault has comes down in the next round, and keeps a new mode of the disk.
    agreed.set({ ...entry, facts: { ...facts, mode: before.facts.mode } })
    log.entries.add(vault.id)
    log.leave(step.node.path)
    log.done++
    return undefined
  }
  const mode = facts.mode !== before.facts.mode && vault.mode === before.mode ? { mode: facts.mode } : {}
  const modified = facts.mtime !== before.facts.mtime && vault.modified === before.modified ? { modified: toModified(facts.mtime) } : {}
  if (!('mode' in mode) && !('modified' in modified)) {
    agreed.set(entry)
    const toCome = vault.mode !== before.mode || vault.modified !== before.modified
    if (toCome) log.entries.add(vault.id)
    // A second look at a file that could have changed within a tick of the clock is no progress: rounds would not end.
    if (toCome || before.facts.racy !== true) log.done++
    return undefined
  }
  return {
    operation: { type: 'attributes', path: step.path, expected: { entry: vault.id }, ...mode, ...modified },
    path: step.node.path,
    settle (result) {
      log.counts.attributes++
      log.entries.add(vault.id)
      if (result.id === entry.id) agreed.set({ ...entry, ...('mode' in mode && { mode: result.mode }), ...('modified' in modified && { modified: result.modified }) })
    }
  }
}

function uploaded (step: UploadStep, { content, facts }: PreparedFile, result: FileEntry, { agreed, log }: Workplace): void {
  const { place, vault } = step
  log.became(step.id, result.id)
  if (step.id !== result.id) agreed.delete(step.id)
  const shown = result.digest === content.digest
  const before = step.agreed
  const vaultMode = before !== undefined && vault !== undefined && vault.mode !== before.mode && before.facts.mode === facts.mode
  agreed.set({
    ...place, id: result.id, kind: 'file', parent: log.idOf(place.parent), digest: content.digest,
    modified: shown ? result.modified : content.modified,
    mode: vaultMode ? before.mode : shown ? result.mode : content.mode,
    facts
  })
  if (!shown || result.path !== step.path || vaultMode) log.entries.add(result.id)
  log.counts.uploaded++
  log.counts.bytes += content.size
}

import type { EntryId } from '@holdfast/protocol'
import { DirectoryKeeper } from './directory-keeper.js'
import type { Disk } from './disk-port.js'
import { codeOf } from './errors.js'
import { inParallel } from './in-parallel.js'
import { factsWithTime, isNewId, ROOT, sameBytes, toModified, type AgreedEntry, type DiskFacts, type Id } from './model.js'
import { baseName, joinPath, parentPath, PARKED_DIRECTORY } from './paths.js'
import { agreedOf, type DiskStep, type Plan, type Target, type WriteStep } from './planner.js'
import type { Workplace } from './round-log.js'
import { createSafeDisk, putBack, type SafeDisk } from './safe-disk.js'

/** Files written at once: enough that forcing them to the platter costs one journal entry for several. */
const WRITES_AT_ONCE = 16
const SAVE_EVERY = 500

interface DiskWork extends Workplace { readonly safe: SafeDisk, readonly keeper: DirectoryKeeper }

/** Carries out the disk's part of a plan. What is not as scanned any more is left for the next round. */
export async function executeDisk (plan: Plan['disk'], workplace: Workplace): Promise<void> {
  if (plan.shape.length + plan.contents.length + plan.attributes.length + plan.removals.length === 0) return
  const keeper = new DirectoryKeeper(workplace)
  const work: DiskWork = { ...workplace, safe: createSafeDisk(workplace.disk, workplace.random), keeper }
  try {
    for (const step of plan.shape) await attempt(step, work, shapeStep)
    await writeAll(plan.contents, work)
    for (const step of plan.attributes) await attempt(step, work, attributesStep)
    for (const step of plan.removals) await attempt(step, work, shapeStep)
  } finally {
    // Also after a failure half way: nothing stays parked, and directories get their times back.
    for (const step of plan.shape) if (step.do === 'move' && step.parked) await unpark(step, work)
    await keeper.finish()
  }
  await workplace.save()
}

type Step = DiskStep | WriteStep
const ACTIONS = { mkdir: 'made on the disk', move: 'moved on the disk', attributes: 'changed on the disk', remove: 'deleted from the disk', write: 'written to the disk' } as const

async function attempt<Some extends Step> (step: Some, work: DiskWork, act: (step: Some, work: DiskWork) => Promise<boolean>): Promise<void> {
  const path = step.do === 'move' ? step.from : step.path
  try {
    work.signal?.throwIfAborted()
    if (await act(step, work)) work.log.done++
    else leave(step, work)
  } catch (error) {
    work.signal?.throwIfAborted()
    // What is gone since the scan is no failure: the next round sees what became of it.
    if (codeOf(error) === 'ENOENT') leave(step, work)
    else {
      work.log.fail(path, ACTIONS[step.do], error)
      if (!isNewId(step.id)) work.log.retry.add(step.id)
    }
  }
}

function leave (step: Step, { log }: DiskWork): void {
  log.leave(step.do === 'move' ? step.from : step.path)
  if (step.do === 'move') log.leave(step.to)
  if (!isNewId(step.id)) log.entries.add(step.id)
}

async function shapeStep (step: DiskStep, work: DiskWork): Promise<boolean> {
  switch (step.do) {
    case 'mkdir': return makeDirectory(step, work)
    case 'move': return move(step, work)
    case 'remove': return step.node.facts.kind === 'directory' ? removeDirectory(step, work) : removeFile(step, work)
    case 'attributes': return attributesStep(step, work)
  }
}

async function makeDirectory (step: Extract<DiskStep, { do: 'mkdir' }>, { disk, agreed, keeper, log }: DiskWork): Promise<boolean> {
  await keeper.touch(parentPath(step.path))
  await disk.makeDirectory(step.path).catch(async (error: unknown) => {
    // Somebody made it meanwhile: just as good.
    const there = codeOf(error) === 'EEXIST' ? await disk.facts(step.path) : undefined
    if (there === undefined || there === 'special' || there.kind !== 'directory') throw error
  })
  const facts = await disk.facts(step.path)
  if (facts === undefined || facts === 'special') return false
  const id = log.idOf(step.id)
  agreed.set({ ...agreedOf(step.vault, { ...step.place, parent: log.idOf(step.place.parent) }, facts), id, modified: toModified(facts.mtime), mode: facts.mode })
  keeper.want(step.path, step.vault, true)
  // What others put into it already is found by listing it, which also begins to watch it.
  log.lookBelow.add(step.path)
  log.counts.downloaded++
  return true
}

async function move (step: Extract<DiskStep, { do: 'move' }>, { disk, filesystem, safe, agreed, keeper, log }: DiskWork): Promise<boolean> {
  const { node } = step
  if (parentPath(step.from) !== PARKED_DIRECTORY) await keeper.touch(parentPath(step.from))
  if (!step.parked) await keeper.touch(parentPath(step.to))
  if (!await safe.move(step.from, step.to, node.facts)) return false
  keeper.moved(step.from, step.to)
  if (step.parked) return true
  if (node.facts.kind === 'directory') log.lookBelow.add(step.to)
  log.counts.moved++
  const entry = agreed.get(log.idOf(step.id)) ?? step.agreed
  const facts = await disk.facts(step.to)
  if (entry === undefined || facts === undefined || facts === 'special') return true
  // Where the vault did not follow (its part of the move failed), this stays a move that it has to be told of.
  if (!await isInVault(step.id, step.place, filesystem, log)) { log.leave(step.to); return true }
  // A rename changes the ctime alone. What else differs from the agreed facts is for the next round to tell.
  const changed = sameBytes(entry.facts, facts) ? { ...entry.facts, ctime: facts.ctime } : entry.facts
  agreed.set({ ...entry, ...step.place, parent: log.idOf(step.place.parent), facts: changed })
  return true
}

async function isInVault (id: Id, place: Target, filesystem: Workplace['filesystem'], log: Workplace['log']): Promise<boolean> {
  const entry = await filesystem.entry(log.idOf(id) as EntryId)
  if (entry === undefined || baseName(entry.path) !== place.name) return false
  const parent = parentPath(entry.path)
  return place.parent === ROOT ? parent === '/' : (await filesystem.entry(log.idOf(place.parent) as EntryId))?.path === parent
}

async function removeFile (step: Extract<DiskStep, { do: 'remove' }>, { safe, agreed, keeper, log }: DiskWork): Promise<boolean> {
  await keeper.touch(parentPath(step.path))
  if (!await safe.remove(step.path, step.node.facts, step.id)) return false
  agreed.delete(step.id)
  log.counts.removedFromDisk++
  return true
}

async function removeDirectory (step: Extract<DiskStep, { do: 'remove' }>, { disk, agreed, keeper, log }: DiskWork): Promise<boolean> {
  await keeper.touch(parentPath(step.path))
  try {
    await disk.removeDirectory(step.path)
    log.counts.removedFromDisk++
  } catch (error) {
    // What is ignored or unknown in it stays, and so does the directory; if there is anything new, it comes back.
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error
    log.lookBelow.add(step.path)
  }
  agreed.delete(step.id)
  keeper.forget(step.path)
  return true
}

async function attributesStep (step: DiskStep, work: DiskWork): Promise<boolean> {
  if (step.do !== 'attributes') return shapeStep(step, work)
  const { disk, agreed, keeper, log } = work
  const id = log.idOf(step.id)
  const place = agreed.placeOf(id) ?? { ...step.place, parent: log.idOf(step.place.parent) }
  const asDiskSays: AgreedEntry = agreed.get(id) ?? { ...agreedOf(step.vault, place, step.node.facts), modified: toModified(step.node.facts.mtime), mode: step.node.facts.mode }
  log.counts.attributes++
  if (step.vault.kind === 'directory') {
    // It may be another directory than the one agreed on, in the same place.
    const { inode, born } = step.node.facts
    agreed.set({ ...asDiskSays, ...place, id, facts: { ...asDiskSays.facts, inode, born } })
    keeper.want(step.path, step.vault)
    return true
  }
  const before = await disk.facts(step.path)
  if (before === undefined || before === 'special' || !sameBytes(before, step.node.facts)) return false
  if (step.mode !== undefined) await disk.setMode(step.path, step.mode)
  if (step.modified !== undefined) await disk.setModified(step.path, step.modified)
  const facts = await disk.facts(step.path)
  if (facts === undefined || facts === 'special') return false
  // An edit just before the time was set would be hidden by it: the file is looked into at the next occasion.
  const timed = step.modified === undefined ? { ...facts, mtime: before.mtime } : { ...factsWithTime(facts, step.modified), ...(facts.kind === 'file' && { racy: true }) }
  agreed.set({ ...agreedOf(step.vault, place, { ...timed, mode: step.mode ?? before.mode, size: before.size }), id })
  return true
}

async function writeAll (steps: readonly WriteStep[], work: DiskWork): Promise<void> {
  let unsaved = 0
  await inParallel(steps, WRITES_AT_ONCE, async step => {
    await attempt(step, work, step.vault.kind === 'link' ? writeLink : writeFile)
    if (++unsaved < SAVE_EVERY) return
    unsaved = 0
    await work.keeper.sync()
    await work.save()
  })
}

async function writeFile (step: WriteStep, work: DiskWork): Promise<boolean> {
  const { disk, filesystem, agreed, safe, keeper, log } = work
  const entry = await filesystem.entry(step.vault.id as EntryId)
  if (entry?.digest !== step.vault.digest) { log.entries.add(step.vault.id); return false }
  const temporary = safe.temporary()
  let placed = false
  try {
    const { modified, mode } = step.vault
    await disk.writeFile(temporary, filesystem.read(entry!.path, undefined, work.signal === undefined ? {} : { signal: work.signal }), { mode, modified })
    const written = await disk.facts(temporary)
    // The path was read while others may write to the vault: the entry must still be what was meant.
    const after = await filesystem.entry(step.vault.id as EntryId)
    if (written === undefined || written === 'special' || written.size !== step.vault.size || after?.digest !== step.vault.digest || after?.path !== entry!.path) { log.entries.add(step.vault.id); return false }
    await keeper.touch(parentPath(step.path))
    placed = step.replaces === undefined ? await safe.place(temporary, step.path) : await safe.replace(temporary, step.path, step.replaces.facts, step.replaces.id)
    if (!placed) return false
    const now = await disk.facts(step.path)
    // What became of it in this moment is for the next round, so that only the new ctime is taken over.
    const facts: DiskFacts = now !== undefined && now !== 'special' && sameBytes(now, written) ? { ...written, ctime: now.ctime } : written
    agreed.set({ ...agreedOf(step.vault, { ...step.place, parent: log.idOf(step.place.parent) }, facts) })
    log.counts.downloaded++
    log.counts.bytes += step.vault.size
    return true
  } finally {
    if (!placed) await removeQuietly(disk, temporary)
  }
}

async function writeLink (step: WriteStep, { disk, agreed, safe, keeper, log }: DiskWork): Promise<boolean> {
  const temporary = safe.temporary()
  let placed = false
  try {
    await disk.makeLink(temporary, step.vault.target!, step.vault.modified)
    await keeper.touch(parentPath(step.path))
    placed = step.replaces === undefined ? await safe.place(temporary, step.path) : await safe.replace(temporary, step.path, step.replaces.facts, step.replaces.id)
    if (!placed) return false
    const facts = await disk.facts(step.path)
    // If it was replaced in this moment, the next round has to see that: then nothing is agreed yet.
    if (facts === undefined || facts === 'special' || facts.kind !== 'link' || await disk.readLink(step.path) !== step.vault.target) return true
    agreed.set(agreedOf(step.vault, { ...step.place, parent: log.idOf(step.place.parent) }, facts))
    log.counts.downloaded++
    return true
  } finally {
    if (!placed) await removeQuietly(disk, temporary)
  }
}

async function removeQuietly (disk: Disk, path: string): Promise<void> {
  // Its own failure hides nothing: what is left here is cleared away at the next start.
  await disk.removeFile(path).catch(() => undefined)
}

/** Something whose own place could not be freed goes back to where it was. */
async function unpark (step: Extract<DiskStep, { do: 'move' }>, { disk, keeper, log }: DiskWork): Promise<void> {
  try {
    if (await disk.facts(step.to) === undefined) return
    // Should its directory be gone by now, the nearest one above has to do.
    let home = step.from
    while (parentPath(home) !== '/' && await disk.facts(parentPath(home)) === undefined) home = joinPath(parentPath(parentPath(home)), baseName(home))
    await keeper.touch(parentPath(home))
    const back = await putBack(disk, step.to, home)
    keeper.moved(step.to, back)
    log.leave(step.from)
    log.lookBelow.add(back)
  } catch (error) {
    // It waits in .holdfast/parked, and comes back at the next start at the latest.
    log.fail(step.from, 'moved back on the disk', error)
  }
}

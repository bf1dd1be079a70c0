import type { EntryId } from '@holdfast/protocol'
import { commitGroups, type Pending } from './commit.js'
import type { FileEntry } from './filesystem-port.js'
import { toModified, type AgreedEntry, type Id } from './model.js'
import { isWithin } from './paths.js'
import type { Plan, VaultRemoval, VaultStep } from './planner.js'
import type { Workplace } from './round-log.js'
import { uploadAll, type PreparedFiles } from './upload.js'

/** Carries out the vault's part of a plan. What cannot be done is logged; the rest goes on. */
export async function executeVault (plan: Plan['vault'], prepared: PreparedFiles, work: Workplace): Promise<void> {
  await commitGroups(await shapeGroups(plan.shape, work), work)
  await uploadAll(plan.contents, prepared, work)
  const rest: Pending[][] = []
  for (const step of [...plan.attributes, ...plan.removals]) rest.push(...(await pendingsOf(step, work)).map(pending => [pending]))
  await commitGroups(rest, work)
}

/**
 * Steps that only make sense together: from the first parked entry to the last one that found its place, nothing
 * may be visible to others, or survive a crash alone.
 */
async function shapeGroups (steps: readonly VaultStep[], work: Workplace): Promise<Pending[][]> {
  const groups: Pending[][] = []
  const parked = new Set<Id>()
  const leaving = new Set<Id>()
  let group: Pending[] = []
  for (const step of steps) {
    group.push(...await pendingsOf(step, work, leaving))
    if (step.do === 'move') leaving.add(step.id)
    if (step.do === 'move' && step.parked) parked.add(step.id)
    else if (step.do === 'move') parked.delete(step.id)
    if (parked.size > 0) continue
    groups.push(group)
    group = []
  }
  return group.length > 0 ? [...groups, group] : groups
}

/** `leaving`: what will be elsewhere when its turn comes. */
const pendingsOf = async (step: VaultStep, work: Workplace, leaving: ReadonlySet<Id> = new Set()): Promise<Pending[]> => step.do === 'remove' ? removalsOf(step, work, leaving) : [pendingOf(step, work)]

function pendingOf (step: Exclude<VaultStep, VaultRemoval>, work: Workplace): Pending {
  const { log } = work
  switch (step.do) {
    case 'mkdir': return {
      operation: { type: 'mkdir', path: step.path, expected: { parent: step.place.parent }, mode: step.node.facts.mode, modified: toModified(step.node.facts.mtime) },
      path: step.path, settle: result => { created(step, result, work) }
    }
    case 'link': return {
      operation: { type: 'link', path: step.path, expected: { parent: step.place.parent }, target: step.node.target!, modified: toModified(step.node.facts.mtime) },
      path: step.path, settle: result => { created(step, result, work); log.counts.uploaded++ }
    }
    case 'move': return {
      operation: { type: 'move', from: step.from, to: step.to, expected: { entry: step.id, ...(step.agreed !== undefined && { parent: step.agreed.parent }) } },
      path: step.to,
      settle (result) {
        if (step.parked) return
        log.counts.moved++
        if (result.id !== step.id) { log.entries.add(step.id).add(result.id); return }
        if (step.agreed !== undefined) work.agreed.set({ ...step.agreed, parent: log.idOf(step.agreed.parent) })
        if (result.path !== step.to) log.entries.add(result.id)
      }
    }
    case 'attributes': return {
      operation: { type: 'attributes', path: step.path, expected: { entry: step.id }, ...(step.mode !== undefined && { mode: step.mode }), ...(step.modified !== undefined && { modified: step.modified }) },
      path: step.path,
      settle (result) {
        log.counts.attributes++
        if (result.id !== step.id) { log.entries.add(step.id).add(result.id); return }
        const { agreed, node } = step
        work.agreed.set({
          ...agreed, ...work.agreed.placeOf(step.id) ?? { parent: log.idOf(agreed.parent) }, facts: node.facts,
          ...(step.mode !== undefined && { mode: result.mode }), ...(step.modified !== undefined && { modified: result.modified })
        })
      }
    }
  }
}

function created (step: Extract<VaultStep, { do: 'mkdir' | 'link' }>, result: FileEntry, { agreed, log }: Workplace): void {
  log.became(step.id, result.id)
  if (step.id !== result.id) agreed.delete(step.id)
  const entry: AgreedEntry = {
    ...step.place, id: result.id, kind: result.kind, parent: log.idOf(step.place.parent), modified: result.modified, mode: result.mode, facts: step.node.facts,
    ...(step.node.target === undefined ? {} : { target: step.node.target })
  }
  agreed.set(entry)
  if (result.path !== step.path) log.entries.add(result.id)
}

/**
 * Checks what the vault shows now, so that no edit of others is swept away. What is there and not to be removed (new,
 * edited, or ignored here) stays, and the directories that it is in.
 */
async function removalsOf (step: VaultRemoval, { filesystem, agreed, log }: Workplace, leaving: ReadonlySet<Id>): Promise<Pending[]> {
  const top = await filesystem.entry(step.id as EntryId)
  const missing = new Set(step.ids.map(({ id }) => id))
  const forget = (id: Id): void => { agreed.delete(id); log.counts.removedFromVault++ }
  if (top !== undefined && top.path !== step.path) { log.entries.add(step.id); return [] }
  const found: FileEntry[] = []
  const kept: string[] = []
  const left: string[] = []
  const look = (entry: FileEntry): void => {
    if (leaving.has(entry.id)) left.push(entry.path)
    if (left.some(path => isWithin(entry.path, path))) return
    const edited = entry.kind === 'file' && entry.digest !== agreed.get(entry.id)?.digest
    if (missing.delete(entry.id) && !edited) found.push(entry)
    else { kept.push(entry.path); log.entries.add(entry.id) }
  }
  if (top !== undefined) {
    look(top)
    if (top.kind === 'directory') for await (const below of filesystem.walk(top.path)) if (below.id !== top.id) look(below)
  }
  // What is not there any more went to the trash already, or somewhere else.
  for (const id of missing) { forget(id); log.entries.add(id) }
  // An edit that comes between this look and the commit would be deleted as if it had been seen.
  const remove = (entry: FileEntry, all: FileEntry[]): Pending => ({ operation: { type: 'remove', path: entry.path, expected: { entry: entry.id, all } }, path: entry.path, settle: () => { for (const { id } of all) forget(id) } })
  if (top !== undefined && kept.length === 0) return [remove(top, found)]
  return found.toReversed().filter(entry => !kept.some(path => isWithin(path, entry.path))).map(entry => remove(entry, [entry]))
}

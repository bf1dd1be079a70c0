import type { EntryId } from '@holdfast/protocol'
import type { AgreedTree } from './agreed-tree.js'
import { GuardError } from './errors.js'
import { executeDisk } from './execute-disk.js'
import { executeVault } from './execute-vault.js'
import { identify, matchByDigest } from './identify.js'
import type { IgnoreRules } from './ignore-rules.js'
import { inParallel } from './in-parallel.js'
import { isNewId, ROOT, type AgreedEntry, type Delta, type DiskNode, type Id, type VaultNode } from './model.js'
import { isWithin, joinPath, parentPath } from './paths.js'
import { contentsToRead, plan, type Plan, type VaultStep } from './planner.js'
import type { Workplace } from './round-log.js'
import { Scan } from './scan.js'
import { prepareFile, type PreparedFile } from './upload.js'
import { compareVault, lookAtEntries, lookAtVault, sameNode } from './vault-view.js'
import type { DiskWatcher } from './watch-disk.js'

/** What to look at; `all` is everything on that side. */
export interface Scope {
  disk: 'all' | { readonly look: ReadonlySet<string>, readonly below: ReadonlySet<string> }
  vault: 'all' | ReadonlySet<Id>
}

export const everything: Scope = { disk: 'all', vault: 'all' }

/** What one round needs to know beyond its workplace. */
export interface RoundState {
  readonly watcher: DiskWatcher | undefined
  readonly allowMassDelete: boolean
  /** Times of directories that changed alone, as they were when last seen. */
  readonly steady: Map<Id, bigint>
  /** Whether more was hinted at meanwhile, so that what seems deleted may turn up elsewhere. */
  moreIsComing (): boolean
}

const LOOKS_AT_ONCE = 32
const CONTENTS_AT_ONCE = 12
/** A mass delete is more than this many entries and more than half of all. */
const MASS_DELETE = 50

/** Looks at both sides, plans, and carries the plan out once. Throws GuardError rather than delete most of the vault. */
export async function runRound (scope: Scope, work: Workplace, state: RoundState): Promise<void> {
  const { agreed, log } = work
  const { vault, disk } = await lookAtBoth(scope, work, state)
  await noteConflicts(vault, work)
  const { digests, prepared } = await readContents(vault, disk, work)
  const planned = plan({ agreed, vault, disk, digests, naming: agreed.naming })
  guard(planned, agreed, state)
  const steps = holdBack(planned, work, state)
  const before = new Map([...disk.keys()].map(id => [id, agreed.get(id)]))
  for (const entry of planned.agree) agreed.set(entry)
  for (const id of planned.forget) agreed.delete(id)
  log.done += planned.forget.length
  await executeVault(steps, prepared, work)
  await executeDisk(planned.disk, work)
  await work.save()
  requeue(vault, disk, before, work)
}

/**
 * What differs on either side. Whatever turns up on one side is looked at on the other too, since the planner takes
 * what it is not told for unchanged.
 */
async function lookAtBoth (scope: Scope, work: Workplace, { watcher }: RoundState): Promise<{ vault: Delta<VaultNode>, disk: Map<Id, DiskNode | null> }> {
  const { disk, filesystem, agreed, rules, log } = work
  const scan = new Scan({ disk, agreed, rules, naming: agreed.naming, beforeList: path => { watcher?.add(path) } })
  if (scope.disk === 'all') await scan.all()
  else {
    const { look, below } = scope.disk
    for (const path of [...below].filter(path => ![...below].some(other => other !== path && isWithin(path, other)))) await scan.look(path, true)
    await inParallel(look, LOOKS_AT_ONCE, async path => scan.look(path))
  }
  const entries = new Set(scope.vault === 'all' ? [] : scope.vault)
  for (;;) {
    const look = scope.vault === 'all' ? await lookAtVault(filesystem, agreed, rules) : await lookAtEntries(filesystem, agreed, rules, entries)
    for (const id of look.moving) log.entries.add(id)
    for (const id of [...look.nodes.keys(), ...look.gone]) entries.add(id)
    const vault = compareVault(agreed, look)
    const delta = await whatDiffers(scan, vault, agreed)
    const others = scope.vault === 'all' ? [] : await counterparts(delta, entries, work)
    if (others.length === 0) {
      for (const error of scan.skipped) log.failures.set(error.path, error)
      for (const path of scan.torn) log.leave(parentPath(path))
      unwatch(delta, scan, agreed, watcher)
      await readTargets(delta, work)
      return { vault, disk: delta }
    }
    for (const id of others) entries.add(id)
  }
}

async function whatDiffers (scan: Scan, vault: Delta<VaultNode>, agreed: AgreedTree): Promise<Map<Id, DiskNode | null>> {
  await inParallel(pathsOf(vault, agreed), LOOKS_AT_ONCE, async path => scan.look(path))
  const asked = new Set<string>()
  for (;;) {
    const { delta, wanted } = identify(agreed, scan)
    // Where something seems to have come from elsewhere, that place is looked at too.
    const open = wanted.filter(path => !asked.has(path))
    if (open.length === 0) return delta
    for (const path of open) {
      asked.add(path)
      await scan.look(path)
    }
  }
}

/** Entries that the vault has for what differs on the disk, or has in the places of what is new there. */
async function counterparts (disk: Delta<DiskNode>, looked: ReadonlySet<Id>, { filesystem, agreed }: Workplace): Promise<Id[]> {
  const found: Id[] = []
  for (const [id, node] of disk) {
    if (!isNewId(id)) found.push(id)
    else if (node !== null && !isNewId(node.parent)) {
      const parent = node.parent === ROOT ? '/' : (await filesystem.entry(node.parent as EntryId))?.path
      const there = parent === undefined ? undefined : await filesystem.stat(joinPath(parent, node.name)).catch(() => undefined)
      if (there !== undefined && agreed.child(node.parent, node.name)?.id !== there.id) found.push(there.id)
    }
  }
  return found.filter(id => !looked.has(id))
}

/** What was found to differ and is not settled has to be looked at again: nobody else will mention it. */
function requeue (vault: Delta<VaultNode>, disk: Delta<DiskNode>, before: ReadonlyMap<Id, AgreedEntry | undefined>, { agreed, log }: Workplace): void {
  for (const [id, node] of vault) {
    const now = agreed.get(id)
    if (log.retry.has(id) || (node === null ? now === undefined : now !== undefined && sameNode(now, node))) continue
    if (log.failures.has(agreed.diskPath(id) ?? '')) log.retry.add(id)
    else log.entries.add(id)
  }
  for (const [id, node] of disk) {
    const now = agreed.get(id)
    const path = node?.path ?? agreed.diskPath(id)
    if (path === undefined || log.failures.has(path) || log.unsteady.has(path)) continue
    const isOpen = isNewId(id) ? log.idOf(id) === id && agreed.atDiskPath(path) === undefined : now !== undefined && now === before.get(id)
    if (isOpen) log.look.add(path)
  }
}

async function noteConflicts (vault: Delta<VaultNode>, { filesystem, agreed, log }: Workplace): Promise<void> {
  for (const [id, node] of vault) {
    if (node === null || node.conflicts === 0 || node.digest === agreed.get(id)?.digest) continue
    const entry = await filesystem.entry(id as EntryId)
    if (entry !== undefined) log.conflicts.set(entry.path, node.conflicts + 1)
  }
}

/** Where the disk has, or will have, what changed in the vault. */
function pathsOf (vault: Delta<VaultNode>, agreed: AgreedTree): Set<string> {
  const paths = new Set<string>()
  const pathOf = (id: Id): string | undefined => {
    const node = vault.get(id)
    if (id === ROOT || node === undefined || node === null) return agreed.diskPath(id)
    const parent = pathOf(node.parent)
    return parent === undefined ? undefined : joinPath(parent, agreed.naming.diskName(node.name))
  }
  for (const id of vault.keys()) for (const path of [agreed.diskPath(id), pathOf(id)]) if (path !== undefined) paths.add(path)
  return paths
}

/** Unless another directory is there by now, whose watch is younger. */
function unwatch (disk: Delta<DiskNode>, { nodes }: Scan, agreed: AgreedTree, watcher: DiskWatcher | undefined): void {
  if (watcher === undefined) return
  for (const [id, node] of disk) {
    const entry = agreed.get(id)
    const path = entry?.kind === 'directory' ? agreed.diskPath(id) : undefined
    if (path !== undefined && node?.path !== path && nodes.get(path)?.facts.kind !== 'directory') watcher.remove(path)
  }
}

async function readTargets (delta: Map<Id, DiskNode | null>, { disk, log }: Workplace): Promise<void> {
  for (const [id, node] of delta) {
    if (node === null || node.facts.kind !== 'link') continue
    try { delta.set(id, { ...node, target: await disk.readLink(node.path) }) } catch {
      // It changed since it was seen a moment ago; the next round sees what it is.
      delta.delete(id)
      log.leave(node.path)
    }
  }
}

/** Reads what has to be known before planning, and finds renames by equal contents. */
async function readContents (vault: Delta<VaultNode>, disk: Map<Id, DiskNode | null>, work: Workplace): Promise<{ digests: Map<Id, string>, prepared: Map<Id, PreparedFile> }> {
  const digests = new Map<Id, string>()
  const prepared = new Map<Id, PreparedFile>()
  const wanted = contentsToRead({ agreed: work.agreed, vault, disk, digests, naming: work.agreed.naming })
  await inParallel(wanted, CONTENTS_AT_ONCE, async node => {
    try {
      const before = work.agreed.get(node.id)
      const replaces = before === undefined || vault.get(node.id) === null ? undefined : (await work.filesystem.entry(node.id as EntryId))?.path
      const file = await prepareFile(node, { mode: node.facts.mode, ...(replaces !== undefined && { replaces, base: before?.digest ?? null }) }, work)
      if (file === undefined) { work.log.leave(node.path); return }
      digests.set(node.id, file.content.digest)
      prepared.set(node.id, file)
    } catch {
      // It is read again when it is uploaded, and its failure told then.
      work.signal?.throwIfAborted()
    }
  })
  for (const [from, to] of matchByDigest(work.agreed, disk, digests)) digests.set(to, digests.get(from)!)
  return { digests, prepared }
}

function guard ({ vaultRemovals }: Plan, agreed: AgreedTree, { allowMassDelete }: RoundState): void {
  if (!allowMassDelete && vaultRemovals > MASS_DELETE && vaultRemovals * 2 > agreed.count) throw new GuardError(vaultRemovals, agreed.count)
}

/** Leaves out of the vault's steps what is better decided by a second look. */
function holdBack (planned: Plan, { agreed, log }: Workplace, state: RoundState): Plan['vault'] {
  let { removals } = planned.vault
  if (removals.length > 0 && state.moreIsComing()) {
    for (const step of removals) if (step.do === 'remove') log.leave(agreed.diskPath(step.id) ?? '/')
    removals = []
  }
  const busy = busyDirectories({ ...planned.vault, removals }, agreed)
  const attributes = planned.vault.attributes.filter(step => {
    if (step.do !== 'attributes' || step.node.facts.kind !== 'directory' || step.mode !== undefined || busy.has(step.id)) return true
    // A directory's time changes with every file in it. Alone, it travels once it is seen to have come to rest.
    if (state.steady.get(step.id) === step.node.facts.mtime) { state.steady.delete(step.id); return true }
    state.steady.set(step.id, step.node.facts.mtime)
    log.unsteady.add(step.node.path)
    return false
  })
  return { ...planned.vault, attributes, removals }
}

/** Directories in which the vault's steps change something, so that their time goes along in the same commit. */
function busyDirectories (steps: Plan['vault'], agreed: AgreedTree): Set<Id> {
  const busy = new Set<Id>()
  for (const step of steps.contents) busy.add(step.place.parent)
  for (const step of [...steps.shape, ...steps.removals] as VaultStep[]) {
    const before = agreed.get(step.id)
    if (before !== undefined) busy.add(before.parent)
    if (step.do === 'mkdir' || step.do === 'link') busy.add(step.place.parent)
    if (step.do === 'move' && step.agreed !== undefined) busy.add(step.agreed.parent)
  }
  return busy
}

/** Rules as the disk has them, or the vault as long as the disk has none. */
export async function readRules (work: Pick<Workplace, 'disk' | 'filesystem'>, read: (text: string) => IgnoreRules, path: string, readText: (path: string) => Promise<string>): Promise<IgnoreRules> {
  const facts = await work.disk.facts(path)
  if (facts !== undefined && facts !== 'special' && facts.kind === 'file') return read(await readText(path))
  const entry = await work.filesystem.stat(path).catch(() => undefined)
  if (entry === undefined || entry.kind !== 'file') return read('')
  const decoder = new TextDecoder()
  let text = ''
  for await (const piece of work.filesystem.read(path)) text += decoder.decode(piece, { stream: true })
  return read(text + decoder.decode())
}

import { getBackend, init, readBundle } from '@automerge/automerge'
import { CorruptBlockError, LimitExceededError, MAX_BLOCK_BYTES } from '@holdfast/protocol'
import type { PageFragment, StoredLog } from './page-types.js'

/** Automerge's own document, without the copy of its contents that the JavaScript layer would keep. */
export type AutomergeHandle = ReturnType<typeof getBackend>

type FragmentMeta = ReturnType<AutomergeHandle['getFragmentMetadata']>[number]

/** A new, empty document. */
export const createHandle = (actor: string): AutomergeHandle => getBackend(init({ actor }))

/**
 * A fragment has to fit in a block when it is sealed. Changes of a bulk import are large already; a fragment that
 * would be larger stays as its changes.
 */
export const MAX_FRAGMENT_BYTES = MAX_BLOCK_BYTES - (64 << 10)

/**
 * LOG-2, the one place that knows Automerge's experimental fragments. Which changes make a fragment follows from
 * their hashes and dependencies alone, hence the same boundaries on every device, however changes arrived.
 */
export function compactable (handle: AutomergeHandle, stored: StoredLog): PageFragment[] {
  const changes = new Set(stored.changes)
  const fragments = new Set(stored.fragments)
  const candidates = largestFirst(handle.getFragmentMetadata({ start: 1 }))
  const covered = new Set<string>(candidates.filter(meta => fragments.has(meta.head)).flatMap(meta => meta.members))
  const wanted: FragmentMeta[] = []
  for (const meta of candidates) {
    const freed = meta.members.filter(member => changes.has(member) && !covered.has(member))
    if (fragments.has(meta.head) || freed.length < 2) continue
    wanted.push(meta)
    for (const member of meta.members) covered.add(member)
  }
  const encoded = handle.bundleFragmentMetadata(wanted)
  return wanted
    .map((meta, i) => ({ id: meta.head, members: [...meta.members].sort(), bytes: encoded[i]! }))
    .filter(fragment => fragment.bytes.length <= MAX_FRAGMENT_BYTES)
    .reverse()
}

/** Fragments of higher levels contain those of lower ones. Fixed order, so that every device chooses the same. */
function largestFirst (metas: FragmentMeta[]): FragmentMeta[] {
  return [...metas].sort((a, b) => b.level - a.level || b.members.length - a.members.length || (a.head < b.head ? -1 : 1))
}

/**
 * Adds a fragment's changes. That its members are what it says is checked first: a change is thrown away once a
 * fragment is known to contain it. Throws CorruptBlockError or LimitExceededError; then nothing was changed.
 */
export function addFragment (handle: AutomergeHandle, fragment: PageFragment): void {
  if (fragment.bytes.length > MAX_FRAGMENT_BYTES) throw new LimitExceededError('a fragment in bytes', fragment.bytes.length, MAX_FRAGMENT_BYTES)
  const inside = membersOf(fragment)
  const said = [...fragment.members].sort()
  if (inside.length !== said.length || inside.some((hash, i) => hash !== said[i]) || !said.includes(fragment.id)) {
    throw new CorruptBlockError('a fragment contains other changes than it says', { fragment: fragment.id })
  }
  try {
    handle.addFragments([{ head: fragment.id, level: 1, boundary: [], checkpoints: [], members: inside, bytes: fragment.bytes }])
  } catch (cause) {
    throw new CorruptBlockError('a fragment cannot be applied', { fragment: fragment.id }, { cause })
  }
}

function membersOf (fragment: PageFragment): string[] {
  try {
    return readBundle(fragment.bytes).changes.map(change => change.hash).sort()
  } catch (cause) {
    throw new CorruptBlockError('a fragment cannot be read', { fragment: fragment.id }, { cause })
  }
}

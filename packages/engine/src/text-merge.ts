import type { Content, FileDescription, FileRef } from '@holdfast/content'
import { mergeText, type EntryContent, type FileVersion } from '@holdfast/manifest'
import { blockId, BlockNotFoundError, compareBytes, MAX_MERGED_TEXT_BYTES, type BlockId, type CallOptions, type EntryId } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { PreparedFile } from './engine-types.js'
import { prepareFile } from './prepare.js'
import { transact, type TransactionResult } from './transaction.js'
import type { VaultStore } from './vault-store.js'

/** The latest time that a stamp can say. A clock that is wrong may have said it. */
const LAST_TIME = 2 ** 48 - 1
/** How far back a common ancestor is looked for. */
const MAX_ANCESTORS = 2_000

type Read = (cid: CID, options?: CallOptions) => Promise<Uint8Array>
interface Versions { store: VaultStore, content: Content, read: Read, options?: CallOptions }

/**
 * MAN-5: makes the concurrent versions of one file one version. Where all others went into one of them, as when one
 * device edits and another changes permissions, that one is it; texts merge. Everything in the result is taken from the
 * versions themselves in a fixed order, so that devices which merge alone make the same block. Resolves to null, and
 * the file keeps its versions, when they are not text, too large, or share no ancestor.
 */
export async function resolveText (components: Versions, entry: EntryId, run: <T>(task: () => Promise<T>) => Promise<T>): Promise<TransactionResult<boolean> | null> {
  const { store } = components
  const versions = sorted(store.index.get(entry)?.versions ?? [])
  if (versions.length < 2) return null
  const merged = await lastOf(components, versions) ?? await mergedText(components, versions)
  if (merged === null) return null
  return run(async () => transact(store, transaction => {
    const now = sorted(store.index.get(entry)?.versions ?? [])
    if (now.length !== versions.length || !now.every((version, i) => version.node.equals(versions[i]!.node))) return false
    if (merged.file !== null) transaction.bring({ node: merged.file.sealed.ref.node, fresh: merged.file.fresh, inline: merged.file.inline })
    transaction.content(entry, merged.content)
    return true
  }))
}

interface Merged { content: EntryContent, /** null when the version is there already */ file: PreparedFile | null }

/** The version that all others went into. Attributes that were changed on an earlier one are kept. */
async function lastOf (components: Versions, versions: readonly FileVersion[]): Promise<Merged | null> {
  for (const last of versions) {
    const ancestors = await ancestorsOf(components, last)
    const others = versions.filter(version => version !== last)
    if (!others.every(version => ancestors.has(blockId(version.node)))) continue
    const mode = others.filter(version => ancestors.get(blockId(version.node))!.mode !== version.mode).at(-1)?.mode ?? last.mode
    const { modified, size, digest, node, key } = last
    return { content: mergedContent({ modified, mode, at: latest(versions) }, { ref: { node, key }, size, digest }), file: null }
  }
  return null
}

async function mergedText (components: Versions, versions: readonly FileVersion[]): Promise<Merged | null> {
  if (versions.some(version => version.size > MAX_MERGED_TEXT_BYTES)) return null
  const merged = await fold(components, versions)
  if (merged === null) return null
  const facts = {
    previous: versions.map(version => ({ node: version.node, key: version.key })),
    modified: Math.max(...versions.map(version => version.modified)),
    mode: versions.at(-1)!.mode,
    by: null,
    at: latest(versions)
  }
  const file = await prepareFile(components.store, components.content, [merged], { ...facts, size: merged.length })
  return { content: mergedContent(facts, file.sealed), file }
}

const latest = (versions: readonly FileVersion[]): number => Math.max(...versions.map(version => version.stamp.when))

function mergedContent (facts: { modified: number, mode: number, at: number }, sealed: { ref: FileRef, size: number, digest: Uint8Array }): EntryContent {
  // No device's name and no device's clock: the register has the same bytes wherever it is written.
  return { kind: 'file', stamp: { when: Math.min(facts.at + 1, LAST_TIME), by: null, seq: 0 }, modified: facts.modified, mode: facts.mode, size: sealed.size, digest: sealed.digest, node: sealed.ref.node, key: sealed.ref.key, alternates: [] }
}

/** Oldest first; ties by block, so that the order is the same everywhere. */
const sorted = (versions: readonly FileVersion[]): FileVersion[] =>
  [...versions].sort((a, b) => a.stamp.when - b.stamp.when || compareBytes(a.node.bytes, b.node.bytes))

async function fold (components: Versions, versions: readonly FileVersion[]): Promise<Uint8Array | null> {
  let text = await readAll(components, versions[0]!)
  let ancestors = await ancestorsOf(components, versions[0]!)
  for (const version of versions.slice(1)) {
    const others = await ancestorsOf(components, version)
    const base = lowestCommon(ancestors, others)
    if (base === null) return null
    const merged = mergeText(await readAll(components, base), text, await readAll(components, version))
    if (merged === null) return null
    text = merged
    ancestors = new Map([...ancestors, ...others])
  }
  return text
}

type Ancestors = Map<BlockId, FileRef & { previous: readonly FileRef[], mode: number }>

/** A version and all it came from, as far as it can be read. */
async function ancestorsOf ({ content, read, options }: Versions, version: FileRef): Promise<Ancestors> {
  const found: Ancestors = new Map()
  const queue: FileRef[] = [version]
  for (let next = queue.shift(); next !== undefined && found.size < MAX_ANCESTORS; next = queue.shift()) {
    const id = blockId(next.node)
    if (found.has(id)) continue
    const description = await describe(content, read, next, options)
    if (description === null) continue
    found.set(id, { node: next.node, key: next.key, previous: description.previous, mode: description.mode })
    queue.push(...description.previous)
  }
  return found
}

/** Null for a version that nobody keeps any more: history ends there. */
export async function describe (content: Content, read: Read, version: FileRef, options?: CallOptions): Promise<FileDescription | null> {
  try { return (await content.open(version, read, options)).description } catch (error) {
    if (error instanceof BlockNotFoundError) return null
    throw error
  }
}

/** The common ancestor that no other common ancestor comes from; the smallest CID where there are several. */
function lowestCommon (left: Ancestors, right: Ancestors): FileRef | null {
  const common = [...left.keys()].filter(id => right.has(id)).sort()
  const older = new Set<BlockId>()
  const visit = (id: BlockId): void => {
    for (const previous of (left.get(id) ?? right.get(id))?.previous ?? []) {
      const earlier = blockId(previous.node)
      if (older.has(earlier)) continue
      older.add(earlier)
      visit(earlier)
    }
  }
  for (const id of common) visit(id)
  const lowest = common.find(id => !older.has(id))
  return lowest === undefined ? null : left.get(lowest)!
}

async function readAll ({ content, read, options }: Versions, version: FileRef): Promise<Uint8Array> {
  const file = await content.open(version, read, options)
  const bytes = new Uint8Array(file.size)
  let offset = 0
  for await (const part of file.read(undefined, options)) { bytes.set(part, offset); offset += part.length }
  return bytes
}

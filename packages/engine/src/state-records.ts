import { checkVersion, decode, encode, fieldReader, fromHex, toHex, type DeviceId, type PageId, type VaultId, type VersionVector } from '@holdfast/protocol'
import type { Body } from '@holdfast/roots'
import type { CID } from 'multiformats/cid'

/**
 * What an engine keeps of a vault between starts, as records. Written in one atomic batch after the blocks that
 * it names, so that a crash between any two writes leaves the state before or the state after.
 */
export interface VaultState {
  /** The three tries as they are now, published or not. */
  body: Body
  /** The block that names `body`. */
  bodyCid: CID
  vector: VersionVector
  /** Counter of this device's newest root; it is written before the root leaves the device and never goes back. */
  counter: number
  /** A known root with exactly this body, by this device or another; null while the body is unpublished. */
  root: CID | null
  /** This device's own newest root. */
  ownRoot: CID | null
  /** Hybrid logical clock: the greatest `when` ever given or seen. */
  when: number
  /** The page that takes this device's new entries. */
  openPage: PageId | null
  /** Number of the newest commit, for the lists of blocks that no node has yet. */
  commit: number
}

const VERSION = 1

export function encodeState (s: VaultState): Uint8Array {
  return encode({
    v: VERSION, log: s.body.log, files: s.body.files, members: s.body.members, body: s.bodyCid,
    vector: s.vector, counter: s.counter, root: s.root, ownRoot: s.ownRoot, when: s.when,
    openPage: s.openPage === null ? null : fromHex(s.openPage), commit: s.commit
  })
}

export function decodeState (bytes: Uint8Array): VaultState {
  const value = decode(bytes, 'vault state')
  checkVersion('vault state', value, VERSION)
  const f = fieldReader('vault state', value)
  const vector: Record<DeviceId, number> = {}
  for (const [device, counter] of Object.entries(f.map('vector'))) vector[device as DeviceId] = Number(counter)
  return {
    body: { log: f.cid('log'), files: f.cid('files'), members: f.cid('members') },
    bodyCid: f.cid('body'),
    vector,
    counter: f.integer('counter'),
    root: value['root'] === null ? null : f.cid('root'),
    ownRoot: value['ownRoot'] === null ? null : f.cid('ownRoot'),
    when: f.integer('when'),
    openPage: value['openPage'] === null ? null : toHex(f.bytes('openPage', 16)) as PageId,
    commit: f.integer('commit')
  }
}

/** Numbers in keys are padded, so that keys sort as numbers. */
const padded = (n: number): string => n.toString().padStart(12, '0')

/** Record keys of one vault. They hold random ids and counters only: keys are not sealed. */
export const vaultKeys = (vault: VaultId) => {
  const base = `vault/${vault}`
  return {
    state: `${base}/state`,
    pages: `${base}/page/`,
    pageSaved: (page: PageId) => `${base}/page/${page}/saved`,
    pageSnapshot: (page: PageId) => `${base}/page/${page}/snapshot`,
    pageTails: (page: PageId) => `${base}/page/${page}/tail/`,
    pageTail: (page: PageId, n: number) => `${base}/page/${page}/tail/${padded(n)}`,
    logBlocks: `${base}/log/`,
    logBlock: (cid: string) => `${base}/log/${cid}`,
    fresh: `${base}/fresh/`,
    freshCommit: (commit: number) => `${base}/fresh/${padded(commit)}`,
    wanted: `${base}/wanted/`,
    wantedFile: (cid: string) => `${base}/wanted/${cid}`,
    heads: `${base}/head/`,
    head: (device: DeviceId) => `${base}/head/${device}`,
    evidence: (at: number) => `${base}/evidence/${padded(at)}`
  }
}
export type VaultRecordKeys = ReturnType<typeof vaultKeys>

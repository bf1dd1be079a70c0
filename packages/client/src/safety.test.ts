import type { Engine, NodeStatus } from '@holdfast/engine'
import { createSigner } from '@holdfast/crypto'
import { createTreeIndex, type EntryContent, type Registers, type Stamp } from '@holdfast/manifest'
import { BlockNotFoundError, createBlock, encodeBlock, RAW, ROOT_ENTRY, type Block, type BlockStore, type DeviceId, type EntryId, type VaultId } from '@holdfast/protocol'
import { encodeBody, signRoot } from '@holdfast/roots'
import { beforeAll, describe, expect, test } from 'vitest'
import { entrySafety } from './safety.js'

const vault = '0'.repeat(32) as VaultId
const signer = createSigner(new Uint8Array(32).fill(7))
const device = Buffer.from(signer.publicKey).toString('hex') as DeviceId
const id = (name: string): EntryId => Buffer.from(name.padEnd(16)).toString('hex') as EntryId
const at = (seq: number): Stamp => ({ when: seq, by: device, seq })
const kept = new Map<string, Uint8Array>()
const blocks = { get: async cid => kept.get(cid.toString()) ?? notHere(cid.toString()) } as BlockStore
const notHere = (cid: string): never => { throw new BlockNotFoundError(cid) }
let some: Block

/** The root that this device signed as its so-many-eth. */
async function rootOf (counter: number): Promise<string> {
  const empty = await encodeBlock({ v: 1, leaf: [] })
  const body = await encodeBody({ log: empty.cid, files: empty.cid, members: empty.cid })
  const root = await signRoot({ vault, device, counter, vector: { [device]: counter }, body: body.cid, at: counter }, signer)
  kept.set(root.cid.toString(), root.bytes)
  return root.cid.toString()
}
const directory = (stamp: Stamp): EntryContent => ({ kind: 'directory', stamp, modified: 1, mode: 0o755 })
const file = (stamp: Stamp): EntryContent => ({ kind: 'file', stamp, modified: 1, mode: 0o644, size: 1, digest: new Uint8Array(32), node: some.cid, key: new Uint8Array(32), alternates: [] })
const entry = (parent: EntryId, name: string, place: Stamp, content: EntryContent): Registers => ({ places: [{ parent, name, stamp: place, before: null, seen: null }], contents: [content] })

/** Whether the node is said to hold an entry, when it has verified the root `receipted` and the newest one is `newest`. */
async function safe (name: string, receipted: number | null, newest = 9): Promise<boolean | undefined> {
  const index = createTreeIndex()
  index.update([
    [id('d'), entry(ROOT_ENTRY, 'd', at(1), directory(at(1)))],
    [id('edited'), entry(id('d'), 'edited', at(1), file(at(3)))],
    [id('moved'), entry(ROOT_ENTRY, 'moved', at(4), file(at(2)))],
    [id('merged'), entry(ROOT_ENTRY, 'merged', at(1), file({ when: 9, by: null, seq: 0 }))]
  ])
  const node: NodeStatus = { url: 'http://n', peerId: 'p', reachable: true, receipt: receipted === null ? null : { root: await rootOf(receipted), at: 77 } }
  const root = await rootOf(newest)
  const engine = { vault: { index }, nodes: () => [node], status: () => ({ vaults: [{ root }] }) } as unknown as Engine
  const [said] = await entrySafety({ engine, blocks }, id(name))
  return said?.safe
}
beforeAll(async () => { some = await createBlock(RAW, Uint8Array.of(1)) })

describe('what a receipt covers', () => {
  test('NODE-4 a file is safe once the receipted root includes its last edit and its last move, not before', async () => {
    expect([await safe('edited', null), await safe('edited', 1), await safe('edited', 2), await safe('edited', 3)]).toEqual([false, false, false, true])
    expect([await safe('moved', 3), await safe('moved', 4)]).toEqual([false, true])
  })

  test('NODE-4 a directory is safe with all below it', async () => {
    expect([await safe('d', 2), await safe('d', 3)]).toEqual([false, true])
  })

  test('NODE-4 what merging made is safe only when the receipt is for exactly what is here', async () => {
    expect([await safe('merged', 8), await safe('merged', 9)]).toEqual([false, true])
  })
})

import { createSigner } from '@holdfast/crypto'
import { createMemoryBlockStore, createMemoryRecordStore } from '@holdfast/storage-memory'
import {
  accountId, certifyDevice, createBlock, deviceId, encodeBlock, RAW, toHex, vaultId, blockId,
  type AccountId, type Block, type Clock, type DeviceCertificate, type DeviceId, type HeadName, type Random, type Signer, type VaultId, type VaultRegistration, type VersionVector
} from '@holdfast/protocol'
import { createHeadRecord, emptyTrie, encodeBody, headNameOf, signRoot, updateTrie } from '@holdfast/roots'
import type { CID } from 'multiformats/cid'

/** People, devices and roots for tests of a node: real keys, signatures and tries; invented contents. */
export interface TestClock extends Clock { advance (ms: number): void }

export function createTestClock (start = 1_800_000_000_000): TestClock {
  let now = start
  const due = new Set<{ at: number, callback: () => void }>()
  return {
    now: () => now,
    schedule (ms, callback) {
      const timer = { at: now + ms, callback }
      due.add(timer)
      return () => { due.delete(timer) }
    },
    advance (ms) {
      now += ms
      for (const timer of [...due].filter(({ at }) => at <= now)) { due.delete(timer); timer.callback() }
    }
  }
}

/** Reproducible bytes (mulberry32). */
export function createTestRandom (seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  return { bytes: length => Uint8Array.from({ length }, () => next() & 0xff) }
}

export interface TestAccount { readonly id: AccountId, readonly signer: Signer }
export interface TestDevice { readonly account: TestAccount, readonly seed: Uint8Array, readonly signer: Signer, readonly id: DeviceId, readonly certificate: DeviceCertificate, readonly headSeed: Uint8Array, readonly head: HeadName, readonly headKey: Uint8Array }

export function createTestAccount (random: Random): TestAccount {
  const signer = createSigner(random.bytes(32))
  return { id: accountId(signer.publicKey), signer }
}

export async function createTestDevice (account: TestAccount, random: Random): Promise<TestDevice> {
  const seed = random.bytes(32)
  const signer = createSigner(seed)
  const id = deviceId(signer.publicKey)
  const headSeed = random.bytes(32)
  const headKey = createSigner(headSeed).publicKey
  return { account, seed, signer, id, headSeed, head: headNameOf(headKey), headKey, certificate: await certifyDevice(account.signer, id, 1) }
}

export const createTestVault = (random: Random): VaultId => vaultId(random.bytes(16))
export const registrationOf = (device: TestDevice, vault: VaultId): VaultRegistration => ({ vault, topic: `holdfast/${vault}`, head: device.head, headKey: device.headKey })

/** One file: a node that links to its chunks. */
export interface TestFile { readonly node: Block, readonly chunks: readonly Block[] }

export async function createTestFile (random: Random, sizes: readonly number[]): Promise<TestFile> {
  const chunks = await Promise.all(sizes.map(async size => createBlock(RAW, random.bytes(size))))
  return { node: await encodeBlock({ v: 1, links: chunks.map(chunk => chunk.cid), sealed: random.bytes(40) }), chunks }
}

export interface TestRoot { readonly root: Block, readonly record: Uint8Array, /** every block that it reaches, the root included */ readonly blocks: readonly Block[], readonly vector: VersionVector }

/** A root of these files by this device, and its head's record. */
export async function createTestRoot (device: TestDevice, vault: VaultId, files: readonly TestFile[], { counter, others = {}, at = 1_800_000_000_000, sequence = counter, lifetimeMs = 365 * 86_400_000 }: { counter: number, others?: VersionVector, at?: number, sequence?: number, lifetimeMs?: number }): Promise<TestRoot> {
  const held = new Map<string, Block>()
  const keep = (block: Block): Block => { held.set(blockId(block.cid), block); return block }
  const trie = async (add: CID[]): Promise<CID> => {
    const empty = keep(await emptyTrie())
    const update = await updateTrie(empty.cid, { add, remove: [] }, async cid => held.get(blockId(cid))!.bytes)
    update.blocks.forEach(keep)
    return update.root
  }
  const filesTrie = await trie(files.map(file => file.node.cid))
  const none = await trie([])
  const body = await encodeBody({ log: none, files: filesTrie, members: none })
  const vector = { ...others, [device.id]: counter } as VersionVector
  const root = await signRoot({ vault, device: device.id, counter, vector, body: body.cid, at }, device.signer)
  const record = await createHeadRecord(device.headSeed, root.cid, BigInt(sequence), { now: at, lifetimeMs, ttlMs: 60_000 })
  const reached = [root, body, ...held.values(), ...files.flatMap(file => [file.node, ...file.chunks])]
  return { root, record, vector, blocks: [...new Map(reached.map(block => [blockId(block.cid), block])).values()] }
}

export const rawBlock = async (bytes: Uint8Array): Promise<Block> => createBlock(RAW, bytes)
export const idsOf = (blocks: readonly { cid: CID }[]): string[] => blocks.map(block => blockId(block.cid)).sort()
export const hex = toHex

export async function collect<T> (items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

export { createMemoryBlockStore, createMemoryRecordStore, createSigner }

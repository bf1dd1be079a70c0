import { deriveVaultKeys, type VaultKeys } from '@holdfast/crypto'
import { blockId, BlockNotFoundError, vaultId, type Block } from '@holdfast/protocol'
import { nodePrimitives } from '../../client/src/node-primitives.js'
import { createCutter, gearTable } from '../src/cutter.js'
import { fileKeys } from '../src/file-keys.js'
import { createContent, type BlockFetch, type Content, type FileFacts, type OpenFile, type SealedFile, type Source } from '../src/index.js'
import type { FileParts } from '../src/seal-file.js'
import { createSealer } from '../src/sealed-block.js'

export { noise } from '../../../test/vectors/load.js'

export const vault = vaultId(Uint8Array.from({ length: 16 }, (_, i) => i))
export const keysOf = (byte: number, epoch = 0): VaultKeys => deriveVaultKeys(new Uint8Array(32).fill(byte), vault, epoch)
export const facts: FileFacts = { modified: 1_763_000_000_123, mode: 0o644, previous: [], by: null, at: 1_763_000_000_456 }
export const contentOf = (keys = keysOf(1)): Content => createContent({ primitives: nodePrimitives, keys })

/** The inside of `createContent`, for tests that make what it never would. */
export function partsOf (keys = keysOf(1)): FileParts {
  const derived = fileKeys(keys)
  return { primitives: nodePrimitives, keys: derived, sealer: createSealer(nodePrimitives, derived.chunk), cut: createCutter(gearTable(keys.gear)) }
}

/** Where sealed blocks go in tests. */
export interface Shelf {
  readonly blocks: Map<string, Uint8Array>
  readonly order: Block[]
  readonly sink: (blocks: Block[]) => Promise<void>
  readonly fetch: BlockFetch
}

export function createShelf (): Shelf {
  const blocks = new Map<string, Uint8Array>()
  const order: Block[] = []
  return {
    blocks,
    order,
    async sink (batch) { for (const block of batch) { order.push(block); blocks.set(blockId(block.cid), block.bytes) } },
    async fetch (cid) {
      const bytes = blocks.get(blockId(cid))
      if (bytes === undefined) throw new BlockNotFoundError(blockId(cid))
      return bytes
    }
  }
}

export function * pieces (bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

export async function collect (source: Source): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(part)
  return new Uint8Array(Buffer.concat(parts))
}

/** Seals some bytes in one piece. */
export async function sealed (bytes: Uint8Array, content = contentOf(), more: Partial<FileFacts> = {}): Promise<{ file: SealedFile, shelf: Shelf, open: () => Promise<OpenFile> }> {
  const shelf = createShelf()
  const file = await content.seal(pieces(bytes, 1 << 20), { ...facts, ...more }, shelf.sink)
  return { file, shelf, open: async () => content.open(file.ref, shelf.fetch) }
}

/** Compares large arrays quickly; test runners compare them item by item. */
export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

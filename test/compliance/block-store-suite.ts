import { blockId, createBlock, DAG_CBOR, MAX_BLOCK_BYTES, RAW, type Block, type BlockStore } from '@holdfast/protocol'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { identity } from 'multiformats/hashes/identity'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sampleBlock, sampleBlocks, sampleBytes, structuredBlock } from './sample-blocks.js'

/** An adapter under test. Each call of `open` gives a new, empty store; `close` ends it and removes what it left. */
export interface BlockStoreSubject { open: () => Promise<{ store: BlockStore, close: () => Promise<void> }> }

// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const seed = process.env['HOLDFAST_TEST_SEED']
const replay = seed === undefined ? {} : { seed: Number(seed) }

const listed = async (store: BlockStore): Promise<string[]> => {
  const ids: string[] = []
  for await (const cid of store.list()) ids.push(blockId(cid))
  return ids.toSorted()
}
const idsOf = (blocks: readonly Block[]): string[] => blocks.map(block => blockId(block.cid)).toSorted()
const cidsOf = (blocks: readonly Block[]): CID[] => blocks.map(block => block.cid)

export function blockStoreSuite (name: string, subject: BlockStoreSubject): void {
  describe(`block store: ${name}`, () => {
    let store: BlockStore
    let close: () => Promise<void>
    beforeEach(async () => { ({ store, close } = await subject.open()) })
    afterEach(async () => { await close() })

    it('STORE-1 blocks of every size come back as they were put, before and after a flush', async () => {
      const sizes = [0, 1, 127, 128, 5_000, (48 << 10) - 1, 48 << 10, (48 << 10) + 1, 300_000, MAX_BLOCK_BYTES]
      const blocks = await Promise.all(sizes.map(async (size, i) => sampleBlock(i, size)))
      await store.put(blocks)
      for (const { cid, bytes } of blocks) expect(await store.get(cid)).toEqual(bytes)
      await store.flush()
      for (const { cid, bytes } of blocks) {
        expect(await store.has(cid)).toBe(true)
        expect(await store.get(cid)).toEqual(bytes)
      }
    })

    it('STORE-1 the codec is part of the name', async () => {
      const structured = await structuredBlock(1)
      await store.put([structured])
      const sameBytesAsRaw = await createBlock(RAW, structured.bytes)
      expect(await store.has(sameBytesAsRaw.cid)).toBe(false)
      const [only] = await listed(store)
      expect(only).toBe(blockId(structured.cid))
      expect(structured.cid.code).toBe(DAG_CBOR)
    })

    it('STORE-1 what a caller does to its bytes afterwards changes nothing', async () => {
      const block = await sampleBlock(7, 200)
      const mine = block.bytes.slice()
      await store.put([{ cid: block.cid, bytes: mine }])
      mine.fill(0)
      const read = await store.get(block.cid)
      expect(read).toEqual(block.bytes)
      read.fill(1)
      expect(await store.get(block.cid)).toEqual(block.bytes)
    })

    it('STORE-1 blocks over 1 MiB, and CIDs without a SHA-256, are refused', async () => {
      const { cid } = await sampleBlock(1)
      await expect(store.put([{ cid, bytes: new Uint8Array(MAX_BLOCK_BYTES + 1) }])).rejects.toMatchObject({ name: 'LimitExceededError', family: 'invalid' })
      await expect(store.put([{ cid: CID.createV1(RAW, identity.digest(Uint8Array.of(1))), bytes: Uint8Array.of(1) }])).rejects.toMatchObject({ name: 'InvalidArgumentError' })
      expect(await listed(store)).toEqual([])
    })

    it('STORE-2 a block that is not there is a BlockNotFoundError that names it', async () => {
      const block = await sampleBlock(1)
      expect(await store.has(block.cid)).toBe(false)
      await expect(store.get(block.cid)).rejects.toMatchObject({ name: 'BlockNotFoundError', family: 'retryable', cid: blockId(block.cid) })
    })

    it('STORE-2 putting again, twice in one call and at the same time changes nothing', async () => {
      const blocks = await sampleBlocks(0, 20)
      await store.put([...blocks, ...blocks])
      await store.flush()
      await Promise.all([store.put(blocks), store.put(blocks), store.flush(), store.put(blocks)])
      expect(await listed(store)).toEqual(idsOf(blocks))
      for (const { cid, bytes } of blocks) expect(await store.get(cid)).toEqual(bytes)
    })

    it('STORE-2 deleted blocks are gone, those beside them stay, and deleting what is not there is nothing', async () => {
      const blocks = await sampleBlocks(0, 30)
      await store.put(blocks.slice(0, 20))
      await store.flush()
      await store.put(blocks.slice(20))
      const gone = blocks.filter((_, i) => i % 3 === 0)
      const stay = blocks.filter((_, i) => i % 3 !== 0)
      await store.delete([...cidsOf(gone), ...cidsOf(gone)])
      await store.delete(cidsOf(gone))
      for (const { cid } of gone) expect(await store.has(cid)).toBe(false)
      await expect(store.get(gone[0]!.cid)).rejects.toMatchObject({ name: 'BlockNotFoundError' })
      await store.flush()
      expect(await listed(store)).toEqual(idsOf(stay))
      await store.put(gone)
      expect(await listed(store)).toEqual(idsOf(blocks))
    })

    it('STORE-2 deleting and putting replaces damaged bytes', async () => {
      const good = await sampleBlock(3, 1_000)
      await store.put([{ cid: good.cid, bytes: sampleBytes(4, 1_000) }])
      await store.flush()
      await store.delete([good.cid])
      await store.put([good])
      expect(await store.get(good.cid)).toEqual(good.bytes)
    })

    it('STORE-3 those that stay are listed once while others are put, flushed and deleted', async () => {
      const stay = await sampleBlocks(0, 600)
      const go = await sampleBlocks(1_000, 100)
      const come = await sampleBlocks(2_000, 100)
      await store.put([...stay.slice(0, 300), ...go])
      await store.flush()
      await store.put(stay.slice(300))
      const seen = new Map<string, number>()
      for await (const cid of store.list()) {
        if (seen.size === 5) await store.delete(cidsOf(go))
        if (seen.size === 10) await store.put(come)
        if (seen.size === 20) await store.flush()
        seen.set(blockId(cid), (seen.get(blockId(cid)) ?? 0) + 1)
      }
      expect(idsOf(stay).filter(id => seen.get(id) !== 1)).toEqual([])
      expect([...seen.values()].every(times => times === 1)).toBe(true)
    })

    it('STORE-3 a list may be left early', async () => {
      await store.put(await sampleBlocks(0, 50))
      await store.flush()
      for await (const cid of store.list()) {
        expect(await store.has(cid)).toBe(true)
        break
      }
      expect((await listed(store)).length).toBe(50)
    })

    it('STORE-1 STORE-2 STORE-3 any sequence of calls, also overlapping, ends as a map would', async () => {
      const blocks = await sampleBlocks(0, 12, 3_000)
      const step = fc.oneof(
        fc.record({ call: fc.constant('put' as const), which: fc.subarray([...blocks.keys()], { minLength: 1 }) }),
        fc.record({ call: fc.constant('delete' as const), which: fc.subarray([...blocks.keys()], { minLength: 1 }) }),
        fc.record({ call: fc.constant('flush' as const), which: fc.constant<number[]>([]) })
      )
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, overlapping) => {
        await store.delete(cidsOf(blocks))
        const model = new Set<number>()
        const calls: Promise<void>[] = []
        for (const { call, which } of steps) {
          const chosen = which.map(i => blocks[i]!)
          const running = call === 'put' ? store.put(chosen) : call === 'delete' ? store.delete(cidsOf(chosen)) : store.flush()
          calls.push(running)
          if (!overlapping) await running
          for (const i of which) if (call === 'put') model.add(i); else model.delete(i)
        }
        await Promise.all(calls)
        expect(await listed(store)).toEqual(idsOf([...model].map(i => blocks[i]!)))
        for (const i of model) expect(await store.get(blocks[i]!.cid)).toEqual(blocks[i]!.bytes)
      }), { numRuns: 30, ...replay })
    })

    it('STORE-7 every call takes a signal', async () => {
      const block = await sampleBlock(1)
      const reason = new Error('not wanted any more')
      const options = { signal: AbortSignal.abort(reason) }
      await expect(store.put([block], options)).rejects.toBe(reason)
      await expect(store.get(block.cid, options)).rejects.toBe(reason)
      await expect(store.has(block.cid, options)).rejects.toBe(reason)
      await expect(store.delete([block.cid], options)).rejects.toBe(reason)
      await expect(store.flush(options)).rejects.toBe(reason)
      await expect((async () => { for await (const cid of store.list(options)) expect(cid).toBeUndefined() })()).rejects.toBe(reason)
      expect(await store.has(block.cid)).toBe(false)
    })

    it('STORE-7 after close, which may be called twice, calls are refused', async () => {
      const block = await sampleBlock(1)
      await store.put([block])
      await store.close()
      await store.close()
      const refused = { name: 'InvalidArgumentError', family: 'invalid' }
      await expect(store.put([block])).rejects.toMatchObject(refused)
      await expect(store.get(block.cid)).rejects.toMatchObject(refused)
      await expect(store.has(block.cid)).rejects.toMatchObject(refused)
      await expect(store.delete([block.cid])).rejects.toMatchObject(refused)
      await expect(store.flush()).rejects.toMatchObject(refused)
      await expect(listed(store)).rejects.toMatchObject(refused)
    })
  })
}

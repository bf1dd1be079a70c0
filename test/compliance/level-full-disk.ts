import { openLevelStores } from '@holdfast/storage-level'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sampleBlock, sampleBytes } from './sample-blocks.js'

/**
 * Fills the small disk at the directory it is given, for real (the check that leaves a reserve is turned off), goes on once there
 * is room, opens the stores again, and prints what it found as one JSON object.
 */
const disk = process.argv[2]!
const directory = join(disk, 'stores')
const noCheck = { freeBytes: async () => Number.MAX_SAFE_INTEGER, packBytes: 1 << 20, reclaimBytes: 1 << 20 }
const nameOf = (error: unknown): string => error instanceof Error ? error.name : String(error)
const refusals: string[] = []
const recordKeys: string[] = []
const blockSeeds: number[] = []

/** Calls until it is refused; at most `times`. */
async function untilRefused (times: number, call: (i: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < times; i++) {
    try { await call(i) } catch (error) {
      refusals.push(nameOf(error))
      return
    }
  }
  refusals.push('never')
}

await writeFile(join(disk, 'ballast'), Buffer.alloc(12 << 20, 1))
const { blocks, records } = await openLevelStores(directory, noCheck)
const putBlock = (from: number) => async (i: number): Promise<void> => {
  await blocks.put([await sampleBlock(from + i, 20_000)])
  await blocks.flush()
  blockSeeds.push(from + i)
}
const putRecord = (from: number) => async (i: number): Promise<void> => {
  await records.write([{ key: `r/${from + i}`, value: sampleBytes(from + i, 20_000) }], { durable: true })
  recordKeys.push(`r/${from + i}`)
}
const lost = async (stores: { blocks: typeof blocks, records: typeof records }): Promise<number> => {
  let missing = 0
  for (const seed of blockSeeds) {
    const block = await sampleBlock(seed, 20_000)
    missing += await stores.blocks.get(block.cid).then(bytes => Buffer.compare(bytes, block.bytes) === 0 ? 0 : 1, () => 1)
  }
  for (const key of recordKeys) {
    const value = await stores.records.get(key).catch(() => undefined)
    missing += value !== undefined && Buffer.compare(value, sampleBytes(Number(key.slice(2)), 20_000)) === 0 ? 0 : 1
  }
  return missing
}

// Both kinds in turn, so that each fills the disk under the other.
for (let i = 0; i < 200; i++) {
  await putRecord(0)(i)
  await putBlock(0)(i)
}
await untilRefused(2_000, putRecord(10_000))
await untilRefused(2_000, putBlock(10_000))
await untilRefused(1, putRecord(20_000))
const lostWhileFull = await lost({ blocks, records })
await rm(join(disk, 'ballast'))
for (let i = 0; i < 20; i++) {
  await putBlock(30_000)(i)
  await putRecord(30_000)(i)
}
const lostAfterRoom = await lost({ blocks, records })
await blocks.close()
await records.close()
const again = await openLevelStores(directory, noCheck)
const lostAfterReopening = await lost(again)
await again.blocks.close()
await again.records.close()
process.stdout.write(JSON.stringify({ refusals, lostWhileFull, lostAfterRoom, lostAfterReopening, blocks: blockSeeds.length, records: recordKeys.length }))

import { openLevelStores } from '@holdfast/storage-level'
import { sampleBlock } from './sample-blocks.js'

/**
 * Writes blocks and records into the directory it is given, until it is killed, and says on stdout how far it got. Round `n` has
 * blocks 10n to 10n+9 and record `n`; a line `put n` says that they were put, `flushed n` that they were flushed.
 */
const directory = process.argv[2]!
const { blocks, records } = await openLevelStores(directory, { packBytes: 256 << 10, reclaimBytes: 128 << 10 })
const say = (line: string): void => { process.stdout.write(`${line}\n`) }
say('open')

const sizes = [50, 700, 5_000, 30_000, 90_000]
for (let round = 0; ; round++) {
  const added = await Promise.all(Array.from({ length: 10 }, async (_, i) => sampleBlock(round * 10 + i, sizes[i % sizes.length])))
  await blocks.put(added)
  await records.write([{ key: `round/${round}`, value: Uint8Array.of(round & 0xff) }, { key: `twin/${round}`, value: Uint8Array.of(round & 0xff) }])
  say(`put ${round}`)
  if (round % 3 !== 2) continue
  await blocks.flush()
  await records.write([{ key: 'flushed', value: new TextEncoder().encode(String(round)) }], { durable: true })
  say(`flushed ${round}`)
  // Every tenth block goes, so that space is reclaimed under way.
  if (round % 6 === 5) await blocks.delete(await Promise.all(Array.from({ length: 60 }, async (_, i) => (await sampleBlock((round - 5) * 10 + i, sizes[i % sizes.length])).cid)))
}

/**
 * What the README says about speed: `node packages/network/bench.mjs [ws]`, after a build. Three peers in one process, real sockets on loopback.
 */
import { createBlock, RAW } from '@holdfast/protocol'
import { createMemoryBlockStore } from '@holdfast/storage-memory'
import { createNetwork } from '@holdfast/network/node'

const clock = {
  now: () => Date.now(),
  schedule (ms, callback) {
    const timer = setTimeout(() => callback(), ms)
    return () => clearTimeout(timer)
  }
}
const random = length => Uint8Array.from({ length: Math.ceil(length / 65_536) }, (_, i) => i).reduce((bytes, i) => {
  crypto.getRandomValues(bytes.subarray(i * 65_536, (i + 1) * 65_536))
  return bytes
}, new Uint8Array(length))
const pause = async ms => new Promise(resolve => { setTimeout(resolve, ms) })

async function start (listen) {
  const blocks = createMemoryBlockStore()
  const network = await createNetwork({ seed: random(32), listen, blocks, relay: listen.length > 0, clock, allowPeer: () => true })
  return { network, blocks }
}

const node = await start([process.argv[2] === 'ws' ? '/ip4/127.0.0.1/tcp/0/ws' : '/ip4/127.0.0.1/tcp/0'])
const [left, right] = [await start([]), await start([])]
let heard = () => {}
right.network.subscribe('topic', message => heard(message.length))
for (const { network } of [node, left]) network.subscribe('topic', () => {})
const begun = performance.now()
for (const { network } of [left, right]) network.keep(node.network.addresses())

async function gossip (bytes) {
  const sent = performance.now()
  const arrived = new Promise(resolve => { heard = length => { if (length === bytes) resolve(true) } })
  await left.network.publish('topic', new Uint8Array(bytes))
  return await Promise.race([arrived, pause(200)]) === true ? performance.now() - sent : null
}

let size = 1
while (await gossip(size) === null) size++
console.log(`from nothing to the first announcement: ${(performance.now() - begun).toFixed(0)} ms`)
for (const bytes of [2_000, 64_000]) {
  const times = []
  for (let i = 0; i < 200; i++) {
    const took = await gossip(bytes)
    if (took !== null) times.push(took)
    await pause(5)
  }
  times.sort((a, b) => a - b)
  console.log(`gossip device, node, device, ${bytes} bytes: median ${times[Math.floor(times.length / 2)].toFixed(1)}, 95 % ${times[Math.floor(times.length * 0.95)].toFixed(1)} ms, ${times.length} of 200`)
}

for (const [bytes, count] of [[1 << 20, 100], [64 << 10, 400], [4 << 10, 1000]]) {
  for (const atOnce of [1, 16]) {
    const blocks = []
    for (let i = 0; i < count; i++) blocks.push(await createBlock(RAW, random(bytes)))
    await node.blocks.put(blocks)
    const from = performance.now()
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) await left.network.fetchBlock(block.cid)
    }))
    const seconds = (performance.now() - from) / 1000
    console.log(`bitswap, blocks of ${bytes >> 10} KiB, ${atOnce} at once: ${(bytes * count / 1e6 / seconds).toFixed(1)} MB/s, ${(seconds * 1000 / count).toFixed(1)} ms a block`)
  }
}
await Promise.all([node, left, right].map(async ({ network }) => network.close()))

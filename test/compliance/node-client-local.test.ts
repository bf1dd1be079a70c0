import { createSigner } from '@holdfast/crypto'
import { createLocalNodeClient, createPinner } from '@holdfast/pinner/core'
import { createMemoryBlockStore, createMemoryRecordStore } from '@holdfast/storage-memory'
import { nodeClientCompliance } from './node-client.js'
import { createTestClock, createTestRandom } from './node-world.js'

nodeClientCompliance('the core in process', async () => {
  const random = createTestRandom(1)
  const quotaBytes = 32 << 20
  const pinner = await createPinner({
    blocks: createMemoryBlockStore(), records: createMemoryRecordStore(), clock: createTestClock(), random, signer: createSigner(random.bytes(32)), quotaBytes
  })
  return {
    client: seed => createLocalNodeClient({ pinner, publicKey: createSigner(seed).publicKey }),
    newPairingToken: async () => pinner.newPairingToken(),
    quotaBytes,
    stop: async () => undefined
  }
})

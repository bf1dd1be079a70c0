import { createNodeClient } from '@holdfast/node-client'
import { startNode } from '@holdfast/pinner'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeClientCompliance } from './node-client.js'

nodeClientCompliance('HTTP to a running node', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'holdfast-node-'))
  const quotaBytes = 32 << 20
  const node = await startNode({ dataDirectory, listen: '127.0.0.1:0', quotaBytes })
  return {
    client: seed => createNodeClient({ url: node.url, seed, peerId: node.peerId }),
    newPairingToken: async () => node.newPairingToken(),
    quotaBytes,
    async stop () {
      await node.stop()
      await rm(dataDirectory, { recursive: true })
    }
  }
})

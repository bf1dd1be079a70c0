import { createNodeClient } from '@holdfast/node-client'
import { startNode, type NodeOptions, type RunningNode } from '@holdfast/pinner'
import type { NodeClient, Random } from '@holdfast/protocol'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTestAccount, createTestDevice, type TestDevice } from './node-world.js'

/** A node on free ports of loopback and a directory of its own, for tests. */
export interface TestNode {
  readonly node: RunningNode
  readonly directory: string
  /** Failures inside that callers are not told. */
  readonly errors: unknown[]
  restart (options?: Partial<NodeOptions>): Promise<void>
  client (seed: Uint8Array): NodeClient
  pairedDevice (random: Random): Promise<{ device: TestDevice, client: NodeClient }>
  /** A request with the API key. */
  operator (path: string, init?: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> }): Promise<Response>
  end (): Promise<void>
}

export async function startTestNode (options: Partial<NodeOptions> = {}): Promise<TestNode> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-node-'))
  const errors: unknown[] = []
  const start = async (more: Partial<NodeOptions>): Promise<RunningNode> => startNode({ dataDirectory: directory, listen: '127.0.0.1:0', onError: error => { errors.push(error) }, ...options, ...more })
  let node = await start({})
  return {
    get node () { return node },
    directory,
    errors,
    async restart (more = {}) {
      await node.stop()
      node = await start(more)
    },
    client: seed => createNodeClient({ url: node.url, seed }),
    async pairedDevice (random) {
      const device = await createTestDevice(createTestAccount(random), random)
      const client = createNodeClient({ url: node.url, seed: device.seed })
      await client.pair({ token: await node.newPairingToken(), certificate: device.certificate })
      return { device, client }
    },
    operator: async (path, init = {}) => fetch(node.url + path, { ...init, headers: { authorization: `Bearer ${node.apiKey}`, ...init.headers } }),
    async end () {
      await node.stop()
      await rm(directory, { recursive: true })
    }
  }
}

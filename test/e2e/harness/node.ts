import { join } from 'node:path'
import type { RunningProcess } from './running-process.js'
import type { Sandbox } from './sandbox.js'

export interface TestNode {
  readonly url: string
  readonly peerId: string
  /** One-time token for the first device. */
  readonly pairing: string
  readonly dataDirectory: string
  readonly process: RunningProcess
  stop (): Promise<void>
  /** As a power cut. */
  kill (): Promise<void>
  /** On the same port with the same data; after stop or kill. */
  restart (): Promise<void>
}

export interface TestNodeOptions { name?: string, quota?: string, args?: readonly string[] }

/** Runs `holdfast node` on a free port of loopback. */
export async function startNode (sandbox: Sandbox, { name = 'node', quota, args = [] }: TestNodeOptions = {}): Promise<TestNode> {
  const dataDirectory = join(sandbox.directory, name)
  const launch = async (listen: string): Promise<{ process: RunningProcess, url: string, peerId: string, pairing: string }> => {
    const process = sandbox.start(['node', '--json', '--data', dataDirectory, '--listen', listen, ...quota === undefined ? [] : ['--quota', quota], ...args])
    const { url, peerId, pairing } = await process.event(event => event['event'] === 'ready', { what: 'the node is ready' })
    return { process, url: String(url), peerId: String(peerId), pairing: String(pairing) }
  }
  let current = await launch('127.0.0.1:0')
  const { url, peerId, pairing } = current
  return {
    url, peerId, pairing, dataDirectory,
    get process () { return current.process },
    stop: async () => { await current.process.stop() },
    kill: async () => { await current.process.kill() },
    restart: async () => { current = await launch(new URL(url).host) }
  }
}

import type { Libp2pNetwork } from '@holdfast/network'
import { createNetwork } from '@holdfast/network/node'
import { fromHex, type BlockStore, type Clock, type Random, type Signer } from '@holdfast/protocol'
import { openLevelStores } from '@holdfast/storage-level'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { mkdir } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createBackground } from './background.js'
import { createPinner, type Pinner } from './core/index.js'
import { createAuthenticator, type NodeKey } from './http/auth.js'
import { UnprotectedListenError } from './http/errors.js'
import { createMetrics } from './http/metrics.js'
import { createHttpServer } from './http/server.js'
import { isLoopback, ourHosts, parseListen, urlHost, type ListenAddress } from './listen-address.js'
import { listenForPeers } from './peer-ports.js'
import { secretFile } from './secret-file.js'
import { systemClock, systemRandom } from './system.js'

export interface NodeOptions {
  /** Created when it is not there; holds blocks, records, the node's key and its API key. */
  readonly dataDirectory: string
  /** HTTP address as HOST:PORT; port 0 takes a free one. Default 127.0.0.1:4747. */
  readonly listen?: string
  /** NODE-3: in all, and for one vault. Bytes; none by default. */
  readonly quotaBytes?: number
  readonly vaultQuotaBytes?: number
  /** Of your own, instead of the generated one in the data directory. Also says that a network address without TLS is wanted (NODE-1). */
  readonly apiKey?: string
  /** PEM. */
  readonly tls?: { readonly key: string | Uint8Array, readonly cert: string | Uint8Array }
  /** Names under which clients reach this node through a proxy or NAT, such as `node.example.org`. */
  readonly hosts?: readonly string[]
  /** Origins of pages that may use this node from a browser. None by default. */
  readonly allowedOrigins?: readonly string[]
  /** Multiaddrs for libp2p. Default: TCP and WebSocket on the HTTP address's interface, on free ports that are kept from start to start. */
  readonly peerListen?: readonly string[]
  /** Multiaddrs to tell devices instead of those. */
  readonly announce?: readonly string[]
  readonly uploadGraceMs?: number
  readonly headGraceMs?: number
  /** Default one hour. Milliseconds. */
  readonly collectEveryMs?: number
  /** How often all that is kept is read and checked. Default seven days. Milliseconds. */
  readonly auditEveryMs?: number
  /** HEAD-1. Default four hours. Milliseconds. */
  readonly rebroadcastEveryMs?: number
  /** Told of failures in the background; the node goes on. Default: one line on stderr. */
  readonly onError?: (error: unknown) => void
  readonly clock?: Clock
  readonly random?: Random
}

export interface RunningNode {
  readonly url: string
  readonly peerId: string
  /** The one-time pairing token of this start. */
  readonly pairing: string
  /** A further token, instead of the former. */
  newPairingToken (): Promise<string>
  /** Multiaddrs that devices can dial. */
  addresses (): string[]
  readonly apiKey: string
  /** Finishes what is under way, frees ports and locks. */
  stop (): Promise<void>
}

const VERSION = '0.1.0'
const HOUR_MS = 60 * 60 * 1000

/** Starts a node: stores, HTTP, libp2p and timers around the core. Throws UnprotectedListenError, StoreLockedError, ListenError, and EADDRINUSE from the system. */
export async function startNode (options: NodeOptions): Promise<RunningNode> {
  const listen = parseListen(options.listen ?? '127.0.0.1:4747')
  if (!isLoopback(listen.host) && options.tls === undefined && options.apiKey === undefined) throw new UnprotectedListenError(listen.host)
  const { dataDirectory, clock = systemClock, random = systemRandom, onError = toStderr } = options
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
  const undo: (() => Promise<void>)[] = []
  const unwind = async (): Promise<void> => { for (const step of undo.splice(0).toReversed()) await step() }
  try {
    const stores = await openLevelStores(dataDirectory)
    undo.push(async () => { await stores.blocks.close(); await stores.records.close() })
    // Only after the lock on the stores is held: two nodes starting at once must not make two keys.
    const seed = fromHex(await secretFile(join(dataDirectory, 'node-key'), random, 32))
    const apiKey = options.apiKey ?? await secretFile(join(dataDirectory, 'api-key'), random, 32)
    const nodeKey = await generateKeyPairFromSeed('Ed25519', seed)
    const reach: { addresses: () => string[] } = { addresses: () => [] }
    const pinner = await createPinner({ ...stores, clock, random, signer: signerOf(nodeKey), quotaBytes: options.quotaBytes ?? null }, { ...corePart(options), addresses: () => reach.addresses() })
    // Peers get what the CID says, or nothing.
    const blocks: BlockStore = { ...stores.blocks, get: async (cid, call) => pinner.getBlock({ kind: 'operator' }, cid, call) }
    const listenOn = async (addresses: readonly string[]): Promise<Libp2pNetwork> => createNetwork({
      seed, listen: addresses, blocks, allowPeer: peer => pinner.allowsPeer(peer), relay: true, clock,
      ...(options.announce === undefined ? {} : { announce: options.announce })
    })
    const network = options.peerListen === undefined ? await listenForPeers(join(dataDirectory, 'peer-ports'), listen, random, listenOn) : await listenOn(options.peerListen)
    undo.push(async () => network.close())
    reach.addresses = () => network.addresses()
    const metrics = createMetrics(pinner)
    const background = createBackground({ pinner, network, clock, onError, onCollected: ({ blocks, bytes }) => { metrics.swept(blocks, bytes) }, collectEveryMs: options.collectEveryMs ?? HOUR_MS, auditEveryMs: options.auditEveryMs ?? 7 * 24 * HOUR_MS, rebroadcastEveryMs: options.rebroadcastEveryMs ?? 4 * HOUR_MS })
    undo.push(async () => background.stop())
    const authenticator = createAuthenticator({ pinner, nodeKey, apiKey, isOurHost: ourHosts(listen, options.hosts ?? []), now: () => clock.now() })
    const server = createHttpServer({ pinner, authenticator, metrics, version: VERSION, allowedOrigins: options.allowedOrigins ?? [], onError, ...(options.tls === undefined ? {} : { tls: options.tls }) })
    const port = await open(server, listen)
    undo.push(async () => shut(server))
    return running({ pinner, url: `${options.tls === undefined ? 'http' : 'https'}://${urlHost(listen.host)}:${port}`, pairing: await pinner.newPairingToken(), apiKey, addresses: () => network.addresses(), stop: unwind })
  } catch (error) {
    await unwind()
    throw error
  }
}

function running ({ pinner, stop, ...facts }: { pinner: Pinner, url: string, pairing: string, apiKey: string, addresses: () => string[], stop: () => Promise<void> }): RunningNode {
  let stopping: Promise<void> | null = null
  return { ...facts, peerId: pinner.peerId, newPairingToken: async () => pinner.newPairingToken(), stop: async () => stopping ??= stop() }
}

const corePart = ({ vaultQuotaBytes, uploadGraceMs, headGraceMs }: NodeOptions): { version: string, vaultQuotaBytes?: number, uploadGraceMs?: number, headGraceMs?: number } => ({
  version: VERSION,
  ...(vaultQuotaBytes === undefined ? {} : { vaultQuotaBytes }),
  ...(uploadGraceMs === undefined ? {} : { uploadGraceMs }),
  ...(headGraceMs === undefined ? {} : { headGraceMs })
})

const signerOf = (key: NodeKey): Signer => ({ publicKey: key.publicKey.raw, sign: async message => key.sign(message) })

async function open (server: Server, { host, port }: ListenAddress): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
  return (server.address() as AddressInfo).port
}

/** How long requests under way may take to finish once the node stops. Milliseconds. */
const FINISH_MS = 2_000

async function shut (server: Server): Promise<void> {
  const closed = new Promise<void>(resolve => { server.close(() => { resolve() }) })
  server.closeIdleConnections()
  const cancel = setTimeout(() => { server.closeAllConnections() }, FINISH_MS)
  await closed
  clearTimeout(cancel)
}

const toStderr = (error: unknown): void => { process.stderr.write(`${new Date().toISOString()} ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`) }

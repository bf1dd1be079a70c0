import { createContent, type Content } from '@holdfast/content'
import { deriveKey } from '@holdfast/crypto'
import type { TreeChange } from '@holdfast/manifest'
import { createMembershipLog, deriveTopic, type MembershipLog } from '@holdfast/membership'
import { InvalidArgumentError, peerIdOfDevice, revokeDevice, type DeviceId, type HoldfastError } from '@holdfast/protocol'
import { createBackground, type Background } from './background.js'
import { createEmitter, type Emitter } from './emitter.js'
import { loadEnvelopes, type Envelopes } from './envelopes.js'
import type { Engine, EngineComponents, EngineEvent, EngineOptions, EngineStatus, SyncOptions, SyncReport } from './engine-types.js'
import { createExclusive, type Exclusive } from './exclusive.js'
import { createFetcher, type Fetcher } from './fetcher.js'
import { createNodeErrands, type NodeErrands } from './node-errands.js'
import { createNodes, type Nodes } from './nodes.js'
import { headKeyOf } from './publish.js'
import { createPublisher, type Publisher } from './publisher.js'
import { createReceiver, type Receiver } from './receiver.js'
import { createTextResolver } from './text-resolver.js'
import { createVaultSession } from './vault-session.js'
import { openVaultStore, type VaultStore } from './vault-store.js'
import { verifyVault } from './verify.js'
import { loadWantedFiles, type WantedFiles } from './wanted-files.js'

const POLL_INTERVAL_MS = 30_000
/** After a connection went, the nodes are asked again. Milliseconds. */
const RECONNECT_MS = 1_000
/** Rounds in one `sync` before it says that it did not settle. */
const MAX_SYNC_ROUNDS = 8

/** The parts of a running engine, put together once. */
interface Parts {
  components: EngineComponents
  log: MembershipLog
  topic: string
  store: VaultStore
  content: Content
  fetcher: Fetcher
  exclusive: Exclusive
  background: Background
  emitter: Emitter<EngineEvent>
  wanted: WantedFiles
  envelopes: Envelopes
  errands: NodeErrands
  nodes: Nodes
  publisher: Publisher
  receiver: Receiver
  resolveTexts: ReturnType<typeof createTextResolver>
  onCommit: (changes: TreeChange[]) => void
}

/** Opens the account's home vault on this device: its state at rest, or a new one. Nothing runs by itself until `start`. */
export async function createEngine (components: EngineComponents, options: EngineOptions = {}): Promise<Engine> {
  const parts = await assemble(components)
  const { store, nodes, background, exclusive, content, fetcher, onCommit } = parts
  return {
    vault: createVaultSession({ store, content, fetcher, exclusive, onCommit }),
    start: () => start(parts, options.pollIntervalMs ?? POLL_INTERVAL_MS),
    async stop () {
      for (const link of nodes.links.values()) link.stop()
      await background.stop()
      await exclusive.settled()
      await Promise.all(nodes.clients().map(async client => client.close()))
    },
    addNode: nodes.add,
    removeNode: nodes.remove,
    nodes: () => [...nodes.links.values()].map(link => link.status()),
    nodeUsage: async (url, callOptions) => nodes.get(url).client.usage(callOptions),
    async addEnvelope (name, seed, block) {
      await parts.envelopes.add({ name, seed, block }, components.clock.now())
      await Promise.all([...nodes.links.values()].map(async link => link.round()))
    },
    sync: async callOptions => sync(parts, callOptions),
    status: () => status(parts),
    devices: () => [...store.membership.devices].map(([id, { revokedAt }]) => ({ id, peerId: peerIdOfDevice(id), current: id === components.device.id, revokedAt })),
    revoke: async device => revoke(parts, device),
    async verify (verifyOptions) {
      const report = await verifyVault({ store, nodes: nodes.clients, fetcher }, verifyOptions)
      // A node that lost blocks may have lost the envelopes too, which no root reaches.
      if (verifyOptions.repair) await Promise.all([...nodes.links.values()].map(async link => { await parts.errands.again(link); await link.round() }))
      return report
    },
    on: parts.emitter.on
  }
}

async function openStore (components: EngineComponents, log: MembershipLog): Promise<VaultStore> {
  const { blocks, records, clock, random, primitives, account, device } = components
  const { vault, secret } = account.homeVault()
  return openVaultStore({ vault, secret, owner: account.id, blocks, records, clock, random, primitives, device }, async () => {
    // Every device of the account makes the same genesis block, so that it needs nobody to have made one before it.
    const genesis = await createMembershipLog({ vault, secret }, { bytes: length => deriveKey(secret, 'vault/genesis', length) }).genesis(account.signer, { at: 0 })
    return [genesis, await log.device(device.signer, { certificate: device.certificate, headKey: headKeyOf(device.seed, vault).publicKey, at: clock.now() })]
  })
}

async function assemble (components: EngineComponents): Promise<Parts> {
  const { blocks, records, network, clock, random, primitives, account, device, connectNode } = components
  const home = account.homeVault()
  const log = createMembershipLog(home, random)
  const store = await openStore(components, log)
  const topic = deriveTopic(home.secret, home.vault)
  const exclusive = createExclusive()
  const emitter = createEmitter<EngineEvent>(error => { throw error })
  const { emit } = emitter
  const onError = (error: HoldfastError): void => emit({ type: 'error', error })
  const background = createBackground(clock, onError)
  const fetcher = createFetcher({ store: blocks, network, nodes: () => [...nodes.links.values()].filter(link => link.reachable).map(link => link.client) })
  const content = createContent({ primitives, keys: store.vaultKeys })
  const wanted = await loadWantedFiles(store, fetcher)
  const envelopes = await loadEnvelopes(records, blocks)
  const errands = createNodeErrands({ records, envelopes, network })
  const nodes: Nodes = createNodes({ store, records, clock, network, connectNode, certificate: device.certificate, topic, errands, background, receiver: () => receiver, publishNow: async () => publisher.now(), onPushed: () => publisher.pushed(), emit, onError })
  const publisher = createPublisher({ store, exclusive, background, network, topic, onPublished: () => emit({ type: 'status' }), tellNodes: nodes.round, hasNodes: () => [...nodes.links.values()].some(link => link.reachable) })
  const onCommit = (changes: TreeChange[]): void => {
    if (changes.length > 0) {
      emit({ type: 'changed', changes })
      background.run('merging text', () => resolveTexts(changes.map(change => change.id)))
    }
    publisher.soon()
  }
  const resolveTexts = createTextResolver({ store, content, fetcher, exclusive, background, emit, onCommit })
  const receiver = createReceiver({ store, fetcher, exclusive, background, wanted, ownHead: headKeyOf(device.seed, home.vault).name, emit, resolveTexts, publishSoon: publisher.soon, askNodes: nodes.round })
  await nodes.load()
  return { components, log, topic, store, content, fetcher, exclusive, background, emitter, wanted, envelopes, errands, nodes, publisher, receiver, resolveTexts, onCommit }
}

function start ({ components: { network }, background, topic, nodes, errands, publisher, receiver, store, resolveTexts }: Parts, pollIntervalMs: number): void {
  if (background.running) return
  background.start()
  if (network !== null) {
    background.onStop(network.subscribe(topic, message => background.run('an announcement', () => receiver.takeAnnouncement(message))))
    background.onStop(network.onPeer(({ connected }) => {
      if (!connected) {
        errands.disconnected()
        background.later(RECONNECT_MS, 'asking the nodes', async () => nodes.round())
        return
      }
      nodes.round()
      background.run('announcing', publisher.announceAgain)
    }))
    for (const link of nodes.links.values()) network.keep(link.remembered.addresses)
  }
  const poll = async (): Promise<void> => {
    nodes.round()
    background.later(pollIntervalMs, 'asking the nodes', poll)
  }
  publisher.soon()
  background.run('asking the nodes', poll)
  background.run('fetching contents', receiver.fetchWanted)
  background.run('merging text', () => resolveTexts([...store.index.conflicts()].map(entry => entry.id)))
}

async function sync ({ store, nodes, publisher, wanted, resolveTexts }: Parts, options: SyncOptions = {}): Promise<SyncReport> {
  let failures: HoldfastError[] = []
  for (let round = 0; round < MAX_SYNC_ROUNDS; round++) {
    await publisher.now()
    await Promise.all([...nodes.links.values()].map(async link => link.round(options)))
    failures = options.contents === false ? [] : await wanted.fetch(options)
    await resolveTexts([...store.index.conflicts()].map(entry => entry.id))
    options.signal?.throwIfAborted()
    const failed = [...nodes.links.values()].some(link => link.error !== null)
    if (store.state.root !== null && (failed || ((options.contents === false || wanted.count === 0) && nodes.isSafe()))) break
  }
  for (const link of nodes.links.values()) failures.push(...link.refused, ...link.error === null ? [] : [link.error])
  const links = [...nodes.links.values()]
  return { settled: nodes.isSafe() && wanted.count === 0, nodes: links.length, reachableNodes: links.filter(link => link.reachable).length, failures }
}

function status ({ components: { account, device }, store: { state, index, fresh, components }, nodes }: Parts): EngineStatus {
  const vault = {
    id: components.vault, name: 'Home', root: state.root?.toString() ?? null, body: state.bodyCid.toString(), entries: index.size, bytes: index.bytes,
    pendingBlocks: fresh.count, conflicts: [...index.conflicts()].length
  }
  return { account: account.id, device: device.id, vaults: [vault], nodes: [...nodes.links.values()].map(link => link.status()) }
}

async function revoke ({ components: { account, clock }, log, store, exclusive, nodes, errands, onCommit }: Parts, device: DeviceId): Promise<void> {
  if (!store.membership.devices.has(device)) throw new InvalidArgumentError('this account has no such device', 'See `holdfast devices`.', { device })
  const revocation = await revokeDevice(account.signer, device, clock.now())
  const block = await log.revoke(revocation)
  await exclusive.run(async () => store.write({ blocks: [block], membersAdded: [block.cid] }))
  // A node that is away now is told when it is back.
  await errands.revoke(nodes.links.keys(), revocation)
  onCommit([])
  await Promise.all([...nodes.links.values()].map(async link => link.round()))
}

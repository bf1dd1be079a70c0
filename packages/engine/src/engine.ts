import { createContent } from '@holdfast/content'
import { decodeAnnouncement, encodeAnnouncement } from '@holdfast/roots'
import { createMembershipLog, deriveTopic } from '@holdfast/membership'
import { deriveKey } from '@holdfast/crypto'
import type { TreeChange } from '@holdfast/manifest'
import { asHoldfastError, BlockNotFoundError, InvalidArgumentError, peerIdOfDevice, revokeDevice, type CallOptions, type DeviceId, type EntryId, type HeadName, type HoldfastError, type NodeClient, type NodeDescription } from '@holdfast/protocol'
import { createEmitter } from './emitter.js'
import { loadEnvelopes } from './envelopes.js'
import type { DeviceStatus, Engine, EngineComponents, EngineEvent, EngineOptions, EngineStatus, SyncReport } from './engine-types.js'
import { createExclusive } from './exclusive.js'
import { createFetcher } from './fetcher.js'
import { mergeHead, storedHead } from './heads.js'
import { createNodeLink, forgetNode, newNode, rememberedNodes, type NodeLink, type RememberedNode } from './node-link.js'
import { nodeRound } from './node-round.js'
import { headKeyOf, publish } from './publish.js'
import { resolveText } from './text-merge.js'
import { createVaultSession } from './vault-session.js'
import { openVaultStore } from './vault-store.js'
import { verifyVault } from './verify.js'
import { loadWantedFiles } from './wanted-files.js'

const POLL_INTERVAL_MS = 30_000
/** Commits that follow one another within this time travel as one root. */
const PUBLISH_DELAY_MS = 3
/** A head whose blocks are not to be had yet is asked for again after this. */
const LATE_BLOCKS_MS = 1_000
/** Rounds in one `sync` before it says that it did not settle. */
const MAX_SYNC_ROUNDS = 8

/** Opens the account's home vault on this device: its state at rest, or a new one. Nothing runs by itself until `start`. */
export async function createEngine (components: EngineComponents, options: EngineOptions = {}): Promise<Engine> {
  const { blocks, records, network, clock, random, primitives, account, device, connectNode } = components
  const home = account.homeVault()
  const log = createMembershipLog(home, random)
  const store = await openVaultStore({ vault: home.vault, secret: home.secret, blocks, records, clock, random, primitives, device }, async () => {
    // Every device of the account makes the same genesis block, so that it needs nobody to have made one before it.
    const genesis = await createMembershipLog(home, { bytes: length => deriveKey(home.secret, 'vault/genesis', length) }).genesis(account.signer, { at: 0 })
    return [genesis, await log.device(device.signer, { certificate: device.certificate, headKey: headKeyOf(device.seed, home.vault).publicKey, at: clock.now() })]
  })
  const topic = deriveTopic(home.secret, home.vault)
  const exclusive = createExclusive()
  const links = new Map<string, NodeLink>()
  const emitter = createEmitter<EngineEvent>(error => { throw error })
  const emit = emitter.emit
  const fetcher = createFetcher({ store: blocks, network, nodes: () => [...links.values()].filter(link => link.reachable).map(link => link.client) })
  const content = createContent({ primitives, keys: store.vaultKeys })
  const wanted = await loadWantedFiles(store, fetcher)
  const envelopes = await loadEnvelopes(records, blocks)
  const abort = new AbortController()
  const cleanups: (() => void)[] = []
  const background = new Set<Promise<unknown>>()
  let running = false
  let cancelPublish: (() => void) | null = null

  const onError = (error: HoldfastError): void => emit({ type: 'error', error })

  /** Runs beside the caller; what goes wrong is an event, and `stop` waits for it. */
  function inBackground (where: string, task: () => Promise<unknown>): void {
    const promise = task().catch(error => { if (!abort.signal.aborted) onError(asHoldfastError(where, error)) }).finally(() => background.delete(promise))
    background.add(promise)
  }

  // --- from here to others -------------------------------------------------------------------------------------

  function onCommit (changes: TreeChange[]): void {
    if (changes.length > 0) { emit({ type: 'changed', changes }); inBackground('merging text', () => resolveTexts(changes.flatMap(idsOf))) }
    if (running) cancelPublish ??= clock.schedule(PUBLISH_DELAY_MS, () => {
      cancelPublish = null
      inBackground('publishing', async () => { await publishNow(); startRounds() })
    })
  }

  async function publishNow (): Promise<void> {
    const publication = await exclusive.run(async () => publish(store))
    if (publication === null) return
    emit({ type: 'status' })
    await network?.publish(topic, publication.announcement, { signal: abort.signal })
  }

  /** To a peer that has just come: this device's newest head, without the blocks. */
  async function announceAgain (): Promise<void> {
    const head = await storedHead(store, device.id)
    if (head !== null) await network?.publish(topic, encodeAnnouncement({ head: head.name, record: head.record, blocks: [] }), { signal: abort.signal })
  }

  // --- from others to here -------------------------------------------------------------------------------------

  async function takeHead (head: { name: HeadName, record: Uint8Array }, callOptions?: CallOptions): Promise<void> {
    const result = await exclusive.run(async () => mergeHead(store, fetcher, head, emit, callOptions))
    if (result === null) return
    wanted.add(result.wanted)
    if (result.changes.length > 0) emit({ type: 'changed', changes: result.changes })
    emit({ type: 'status' })
    if (running) {
      if (result.wanted.length > 0) inBackground('fetching contents', fetchWanted)
      inBackground('merging text', () => resolveTexts(result.touched))
      onCommit([])
    } else await resolveTexts(result.touched)
  }

  async function onAnnouncement (message: Uint8Array): Promise<void> {
    const announcement = await decodeAnnouncement(message)
    if (announcement.head === headKeyOf(device.seed, home.vault).name) return
    fetcher.offer(announcement.blocks)
    try {
      await takeHead({ name: announcement.head, record: announcement.record }, { signal: abort.signal })
    } catch (error) {
      if (!(error instanceof BlockNotFoundError)) throw error
      // The announcement was faster than the blocks: the node will have them in a moment.
      cleanups.push(clock.schedule(LATE_BLOCKS_MS, startRounds))
    }
  }

  async function fetchWanted (): Promise<void> {
    const failures = await wanted.fetch({ signal: abort.signal })
    emit({ type: 'status' })
    if (failures.length > 0 && running) cleanups.push(clock.schedule(LATE_BLOCKS_MS * 5, () => inBackground('fetching contents', fetchWanted)))
  }

  /** MAN-5: text merges by itself; what cannot be merged is told to whoever listens. */
  async function resolveTexts (entries: readonly EntryId[]): Promise<void> {
    for (const entry of new Set(entries)) {
      const shown = store.index.get(entry)
      if (shown === undefined || shown.versions.length < 2) continue
      const merged = await resolveText({ store, content, read: fetcher.get, options: { signal: abort.signal } }, entry, exclusive.run)
      if (merged?.result === true) onCommit(merged.changes)
      else if (merged === null) emit({ type: 'conflict', path: store.index.path(entry) ?? '', entry })
    }
  }

  // --- nodes ---------------------------------------------------------------------------------------------------

  function link (remembered: RememberedNode): NodeLink {
    const created = createNodeLink({
      client: connectNode(remembered.url), records, clock, remembered, retries: () => running, onStatus: () => emit({ type: 'status' }),
      work: async (self, callOptions) => {
        await nodeRound({ store, takeHead, ensurePublished: publishNow, onError, onReceipt }, self, callOptions)
        if (running && wanted.count > 0) inBackground('fetching contents', fetchWanted)
      }
    })
    links.set(remembered.url, created)
    if (running) network?.keep(remembered.addresses)
    return created
  }

  function startRounds (): void {
    for (const one of links.values()) inBackground('a round with a node', () => one.round({ signal: abort.signal }))
  }

  async function onReceipt (): Promise<void> {
    const covered = Math.min(...[...links.values()].map(one => one.remembered.commit))
    await records.write(store.fresh.covered(covered))
    if (isSafe()) emit({ type: 'synced', root: store.state.root?.toString() ?? '', entries: store.index.size, bytes: store.index.bytes })
    emit({ type: 'status' })
  }

  /** Every node has a receipt for exactly what this device shows. */
  const isSafe = (): boolean => store.state.root !== null && [...links.values()].every(one => one.remembered.receipt?.root.equals(store.state.root) === true)

  async function addNode (url: string, nodeOptions: CallOptions & { token?: string } = {}): Promise<NodeDescription> {
    if (links.has(url)) throw new InvalidArgumentError(`${url} is paired already`, 'See `holdfast nodes`.')
    const client = connectNode(url)
    const { token, ...callOptions } = nodeOptions
    const description = await client.pair({ certificate: device.certificate, ...(token === undefined ? {} : { token }) }, callOptions)
    const { name, publicKey } = headKeyOf(device.seed, home.vault)
    await client.registerVault({ vault: home.vault, topic, head: name, headKey: publicKey }, callOptions)
    const created = link(newNode(url, description))
    await created.remember({})
    await envelopes.publish(client, callOptions)
    if (running) inBackground('a round with a node', () => created.round({ signal: abort.signal }))
    return description
  }

  // --- the whole -----------------------------------------------------------------------------------------------

  async function sync (callOptions: CallOptions = {}): Promise<SyncReport> {
    let failures: HoldfastError[] = []
    for (let round = 0; round < MAX_SYNC_ROUNDS; round++) {
      failures = []
      await publishNow()
      await Promise.all([...links.values()].map(async one => one.round(callOptions)))
      failures.push(...await wanted.fetch(callOptions))
      await resolveTexts([...store.index.conflicts()].map(entry => entry.id))
      callOptions.signal?.throwIfAborted()
      if (store.state.root !== null && wanted.count === 0 && (isSafe() || [...links.values()].some(one => one.error !== null))) break
    }
    for (const one of links.values()) if (one.error !== null) failures.push(one.error)
    return { settled: isSafe() && wanted.count === 0, nodes: links.size, reachableNodes: [...links.values()].filter(one => one.reachable).length, failures }
  }

  function start (): void {
    if (running) return
    running = true
    if (network !== null) {
      cleanups.push(network.subscribe(topic, message => inBackground('an announcement', () => onAnnouncement(message))))
      cleanups.push(network.onPeer(({ connected }) => { if (connected) { startRounds(); inBackground('announcing', announceAgain) } }))
      for (const one of links.values()) network.keep(one.remembered.addresses)
    }
    const poll = (): void => { startRounds(); cancelPoll = clock.schedule(options.pollIntervalMs ?? POLL_INTERVAL_MS, poll) }
    let cancelPoll = (): void => undefined
    cleanups.push(() => cancelPoll())
    inBackground('publishing', publishNow)
    poll()
    if (wanted.count > 0) inBackground('fetching contents', fetchWanted)
  }

  async function stop (): Promise<void> {
    running = false
    abort.abort()
    cancelPublish?.()
    for (const cleanup of cleanups) cleanup()
    for (const one of links.values()) one.stop()
    await Promise.all(background)
    await exclusive.settled()
    await Promise.all([...links.values()].map(async one => one.client.close()))
  }

  function status (): EngineStatus {
    const { state, index } = store
    const vault = { id: home.vault, name: 'Home', root: state.root?.toString() ?? null, body: state.bodyCid.toString(), entries: index.size, bytes: index.bytes, pendingBlocks: store.fresh.count, conflicts: [...index.conflicts()].length }
    return { account: account.id, device: device.id, vaults: [vault], nodes: [...links.values()].map(one => one.status()) }
  }

  async function revoke (id: DeviceId): Promise<void> {
    if (!store.membership.devices.has(id)) throw new InvalidArgumentError('this account has no such device', 'See `holdfast devices`.', { device: id })
    const revocation = await revokeDevice(account.signer, id, clock.now())
    const block = await log.revoke(revocation)
    await exclusive.run(async () => store.write({ blocks: [block], membersAdded: [block.cid] }))
    onCommit([])
    await Promise.all([...links.values()].map(async one => one.client.revoke(revocation)))
  }

  const devices = (): DeviceStatus[] => [...store.membership.devices].map(([id, member]) => ({ id, peerId: peerIdOfDevice(id), current: id === device.id, revokedAt: member.revokedAt }))

  for (const remembered of await rememberedNodes(records)) link(remembered)

  const nodeOf = (url: string): NodeLink => {
    const found = links.get(url)
    if (found === undefined) throw new InvalidArgumentError(`${url} is not a paired node`, 'See `holdfast nodes`.')
    return found
  }

  return {
    vault: createVaultSession({ store, content, fetcher, exclusive, onCommit }),
    start,
    stop,
    addNode,
    async removeNode (url) {
      const one = nodeOf(url)
      one.stop()
      links.delete(url)
      network?.forget(one.remembered.addresses)
      await forgetNode(records, url)
      await one.client.close()
    },
    nodes: () => [...links.values()].map(one => one.status()),
    nodeUsage: async (url, callOptions) => nodeOf(url).client.usage(callOptions),
    async addEnvelope (name, seed, block) {
      await envelopes.add({ name, seed, block }, clock.now())
      await Promise.all([...links.values()].map(async one => envelopes.publish(one.client)))
    },
    sync,
    status,
    devices,
    revoke,
    verify: async verifyOptions => verifyVault({ store, nodes: (): NodeClient[] => [...links.values()].map(one => one.client), fetcher }, verifyOptions),
    on: emitter.on
  }
}

const idsOf = (change: TreeChange): EntryId[] => [change.id]

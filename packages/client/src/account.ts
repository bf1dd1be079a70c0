import {
  createDevice, createPhrase, generateRootKey, openAccount, openEnvelope, unlockFromPhrase, unlockFromWallet,
  type EnvelopeHints, type Keyring, type UnlockMethod, type Wallet
} from '@holdfast/identity'
import { createNodeClient } from '@holdfast/node-client'
import { isHoldfastError, UnauthorisedError, type AccountId, type CallOptions, type DeviceId, type HoldfastError, type NodeClient } from '@holdfast/protocol'
import { readHeadRecord } from '@holdfast/roots'
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import type { OpenedClient } from './client.js'
import { closeAll } from './close-all.js'
import { AccountExistsError, EnvelopeNotFoundError } from './errors.js'
import { homeLayout } from './home.js'
import { hasKeyringFile, writeKeyringFile } from './keyring-file.js'
import { compose, openStores, type Surroundings } from './open.js'
import { systemClock, systemRandom } from './system.js'
import { envelopeNameOf } from './unlock-records.js'

/** Where a node on this very machine listens unless it was told otherwise. */
export const DEFAULT_NODE_URL = 'http://127.0.0.1:4747'

export interface CreateAccountOptions extends Surroundings {
  home: string
  /** Protects the keyring file; without one its permissions are the only protection. */
  passphrase?: string | null
}

export interface CreatedAccount {
  account: AccountId
  device: DeviceId
  /** 24 words. Not kept anywhere: whoever asked for the account has to show it. */
  phrase: string
}

/** A new account, its first device and its home vault in `home`. Throws AccountExistsError, HomeLockedError. */
export async function createAccount (options: CreateAccountOptions): Promise<CreatedAccount> {
  const { home, passphrase = null, clock = systemClock, random = systemRandom } = options
  await beginHome(home, clock.now())
  const rootKey = generateRootKey(random)
  const account = openAccount(rootKey)
  const device = await createDevice(account, random, clock.now())
  const keyring: Keyring = { rootKey, deviceSeed: device.seed, certificate: device.certificate }
  const phrase = createPhrase(random)
  const client = await compose(keyring, options)
  try {
    await client.addUnlockMethod(unlockFromPhrase(phrase))
    // Last: until the keyring is there, the account does not exist, and a second attempt begins anew.
    await writeKeyringFile(home, keyring, passphrase, random)
  } finally { await client.close() }
  return { account: account.id, device: device.id, phrase }
}

export type RestoreAccountOptions = CreateAccountOptions & CallOptions & ({ phrase: string } | { wallet: Wallet }) & {
  /** A node of the account. Default: one on this machine. */
  node?: string
}

export interface RestoredAccount {
  account: AccountId
  device: DeviceId
  /** Nodes that this device uses from now on. */
  nodes: string[]
  /** Nodes of the account that did not answer, or did not take this device. */
  failures: HoldfastError[]
}

/**
 * A new device of an existing account: finds the envelope by its IPNS name at the node (KEY-3), opens it, certifies
 * the device, and pairs it with the account's nodes. Throws EnvelopeNotFoundError, WrongUnlockError, UnreachableError,
 * InvalidArgumentError (a wrong phrase), AccountExistsError.
 */
export async function restoreAccount (options: RestoreAccountOptions): Promise<RestoredAccount> {
  const { home, passphrase = null, clock = systemClock, random = systemRandom, node = DEFAULT_NODE_URL } = options
  const method = 'phrase' in options ? unlockFromPhrase(options.phrase) : await unlockFromWallet(options.wallet)
  await beginHome(home, clock.now())
  const { rootKey, hints } = await findEnvelope(method, node, options)
  const account = openAccount(rootKey)
  const device = await createDevice(account, random, clock.now())
  const keyring: Keyring = { rootKey, deviceSeed: device.seed, certificate: device.certificate }
  const client = await compose(keyring, options)
  try {
    await client.engine.addNode(node, {})
    const failures = await addHinted(client, hints, node)
    await client.rememberUnlockMethod(method)
    await writeKeyringFile(home, keyring, passphrase, random)
    return { account: account.id, device: device.id, nodes: client.engine.nodes().map(known => known.url), failures }
  } finally { await client.close() }
}

/** A node that is away now is no reason to fail: the one that was asked has everything that is needed. */
async function addHinted (client: OpenedClient, hints: EnvelopeHints, asked: string): Promise<HoldfastError[]> {
  const failures: HoldfastError[] = []
  for (const url of hints.nodes) {
    if (sameUrl(url, asked)) continue
    try { await client.engine.addNode(url, {}) } catch (error) {
      if (!isHoldfastError(error)) throw error
      failures.push(error)
    }
  }
  return failures
}

const sameUrl = (a: string, b: string): boolean => new URL(a).href === new URL(b).href

async function findEnvelope (method: UnlockMethod, node: string, options: CallOptions): Promise<ReturnType<typeof openEnvelope>> {
  const nodeClient = createNodeClient({ url: node, seed: method.nameSeed })
  try { return openEnvelope(await readEnvelope(nodeClient, method, options), method) } finally { await nodeClient.close() }
}

async function readEnvelope (nodeClient: NodeClient, method: UnlockMethod, options: CallOptions): Promise<Uint8Array> {
  const name = envelopeNameOf(method)
  try {
    const record = await nodeClient.getRecord(name, options)
    if (record !== null) {
      const { root } = await readHeadRecord(name, record)
      for await (const block of nodeClient.getBlocks([root], options)) return block.bytes
    }
  } catch (error) {
    // To a node, the key of a name that nobody registered is a stranger's.
    if (!(error instanceof UnauthorisedError)) throw error
    throw new EnvelopeNotFoundError(nodeClient.url, method.kind, { cause: error })
  }
  throw new EnvelopeNotFoundError(nodeClient.url, method.kind)
}

/** Refuses a home that has an account, and puts aside what an attempt that did not finish left behind. */
async function beginHome (home: string, now: number): Promise<void> {
  if (await hasKeyringFile(home)) throw new AccountExistsError(home)
  const { store } = homeLayout(home)
  if (!existsSync(store)) return
  // Another process may be making an account here at this moment: then the stores are locked, and this throws.
  const { blocks, records } = await openStores(home)
  await closeAll([async () => records.close(), async () => blocks.close()])
  await rename(store, `${store}.unfinished-${now}`)
}

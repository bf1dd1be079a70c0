import { openSmall, sealSmall, type SealContext, type VaultKeys } from '@holdfast/crypto'
import {
  CorruptBlockError, InvalidArgumentError, LimitExceededError, MAX_BLOCK_BYTES, MAX_CHANGES_PER_BLOCK, UnauthorisedError, checkVersion, decode, deviceId, encode, encodeBlock, equalBytes,
  fieldReader, fromHex, pageId, requireSignature, signedBytes, toHex, vaultId,
  type Block, type DeviceId, type PageId, type Random, type Signer, type VaultId
} from '@holdfast/protocol'
import { authoriseChange, type AuthoriseContext } from './authorise.js'
import { checkAutomergeChanges, checkAutomergeFragment } from './inspect-automerge.js'
import { MAX_FRAGMENT_MEMBERS } from './limits.js'

const VERSION = 1
const HASH_BYTES = 32

/** Whoever seals: the keys of the current epoch, the device's signer, randomness for nonces. */
export interface LogWriter { readonly keys: VaultKeys, readonly signer: Signer, readonly random: Random }

/** What is needed to judge and open a log block. */
export interface LogContext extends AuthoriseContext {
  /** The keys of an epoch, when this device has them. */
  readonly keysOf: (epoch: number) => VaultKeys | undefined
}

/** Automerge changes of one page. `seq` is the counter of the root in which the device publishes them: 1, 2, … */
export interface ChangeContent { readonly seq: number, readonly page: PageId, readonly changes: readonly Uint8Array[] }
/** LOG-2: one fragment of a page: `id` and `members` are Automerge change hashes, 64 hex digits. */
export interface FragmentContent { readonly seq: number, readonly page: PageId, readonly id: string, readonly members: readonly string[], readonly bytes: Uint8Array }

interface Author { readonly device: DeviceId, readonly epoch: number }
export type OpenedChange = { readonly kind: 'change' } & Author & ChangeContent
export type OpenedFragment = { readonly kind: 'fragment' } & Author & FragmentContent
type Kind = 'change' | 'fragment'

/** The part of a log block that anybody can read. */
interface Envelope { readonly kind: Kind, readonly vault: VaultId, readonly epoch: number, readonly device: DeviceId, readonly seq: number, readonly sealed: Uint8Array }

const envelopeFields = (e: Envelope) => ({ v: VERSION, kind: e.kind, vault: fromHex(e.vault), epoch: e.epoch, device: fromHex(e.device), seq: e.seq, sealed: e.sealed })
const sealContext = (e: Omit<Envelope, 'sealed'>): SealContext => ({ vault: e.vault, epoch: e.epoch, purpose: e.kind, position: `${e.device}/${e.seq}` })

/** LOG-1: seals and signs Automerge changes. What others would refuse throws LimitExceededError or CorruptBlockError here. */
export async function sealChange (writer: LogWriter, { seq, page, changes }: ChangeContent): Promise<Block> {
  await checkChanges(changes)
  return sealLogBlock(writer, 'change', seq, { v: VERSION, page: fromHex(page), changes })
}

/** LOG-2: seals and signs a fragment. Throws as `sealChange`. */
export async function sealFragment (writer: LogWriter, { seq, page, id, members, bytes }: FragmentContent): Promise<Block> {
  checkMembers(members.length)
  await checkAutomergeFragment(bytes)
  const hashes = new Uint8Array(members.length * HASH_BYTES)
  members.forEach((member, i) => hashes.set(hashOf(member), i * HASH_BYTES))
  return sealLogBlock(writer, 'fragment', seq, { v: VERSION, page: fromHex(page), id: hashOf(id), members: hashes, bytes })
}

async function sealLogBlock ({ keys, signer, random }: LogWriter, kind: Kind, seq: number, content: unknown): Promise<Block> {
  if (!Number.isSafeInteger(seq) || seq < 1) throw new InvalidArgumentError(`a counter is a whole number from 1, not ${seq}`)
  const head = { kind, vault: keys.vault, epoch: keys.epoch, device: deviceId(signer.publicKey), seq }
  const fields = envelopeFields({ ...head, sealed: sealSmall(keys.log, encode(content), sealContext(head), random) })
  return encodeBlock({ ...fields, sig: await signer.sign(signedBytes(kind, fields)) })
}

/**
 * LOG-1: the one place where a log block is let in. In this order: size and shape, vault, device, role and
 * revocation, epoch, signature, seal, limits of its content; only then does anything else see a byte of it.
 * Throws UnauthorisedError, CorruptBlockError, LimitExceededError, UnknownVersionError.
 */
export async function openLogBlock (block: Block, context: LogContext): Promise<OpenedChange | OpenedFragment> {
  const { envelope, signature } = readEnvelope(block)
  authoriseChange({ vault: envelope.vault, device: envelope.device, cid: block.cid }, context)
  const keys = keysFor(envelope, context)
  await requireSignature(envelope.kind, fromHex(envelope.device), envelopeFields(envelope), signature)
  const content = decode(openSmall(keys.log, envelope.sealed, sealContext(envelope)), envelope.kind)
  checkVersion(envelope.kind, content, VERSION)
  const author = { device: envelope.device, epoch: envelope.epoch, seq: envelope.seq }
  return envelope.kind === 'change'
    ? { kind: 'change', ...author, ...await readChanges(content) }
    : { kind: 'fragment', ...author, ...await readFragment(content) }
}

/** As `openLogBlock`, for a block that must be a change. */
export async function openChange (block: Block, context: LogContext): Promise<OpenedChange> {
  const opened = await openLogBlock(block, context)
  if (opened.kind !== 'change') throw new CorruptBlockError('a fragment stands where a change belongs')
  return opened
}

/** As `openLogBlock`, for a block that must be a fragment. */
export async function openFragment (block: Block, context: LogContext): Promise<OpenedFragment> {
  const opened = await openLogBlock(block, context)
  if (opened.kind !== 'fragment') throw new CorruptBlockError('a change stands where a fragment belongs')
  return opened
}

function readEnvelope ({ bytes }: Block): { envelope: Envelope, signature: Uint8Array } {
  if (bytes.length > MAX_BLOCK_BYTES) throw new LimitExceededError('block size', bytes.length, MAX_BLOCK_BYTES)
  const value = decode(bytes, 'log block')
  checkVersion('log block', value, VERSION)
  const f = fieldReader('log block', value)
  const kind = f.text('kind', 32)
  if (kind !== 'change' && kind !== 'fragment') throw new CorruptBlockError(`a log block of an unknown kind: ${kind}`, { kind })
  const envelope: Envelope = {
    kind, vault: vaultId(f.bytes('vault', 16)), epoch: f.integer('epoch'), device: deviceId(f.bytes('device', 32)), seq: f.integer('seq', 1), sealed: f.bytes('sealed')
  }
  const signature = f.bytes('sig', 64)
  if (!equalBytes(encode({ ...envelopeFields(envelope), sig: signature }), bytes)) throw new CorruptBlockError('a log block is not in the one encoding of its content')
  return { envelope, signature }
}

function keysFor ({ epoch, vault }: Envelope, { membership, keysOf }: LogContext): VaultKeys {
  const keys = epoch > membership.epoch ? undefined : keysOf(epoch)
  if (keys === undefined || keys.vault !== vault || keys.epoch !== epoch) {
    throw new UnauthorisedError(`this is of epoch ${epoch}, whose keys are not here`, 'Sync the membership first; if this stays, ask the owner to invite this device again.', { epoch })
  }
  return keys
}

async function readChanges (content: unknown): Promise<Omit<ChangeContent, 'seq'>> {
  const f = fieldReader('change', content)
  const page = pageId(f.bytes('page', 16))
  const changes = f.array('changes', MAX_CHANGES_PER_BLOCK).map(change => {
    if (!(change instanceof Uint8Array)) throw new CorruptBlockError('a change holds something other than bytes')
    return change
  })
  await checkChanges(changes)
  return { page, changes }
}

async function checkChanges (changes: readonly Uint8Array[]): Promise<void> {
  if (changes.length > MAX_CHANGES_PER_BLOCK) throw new LimitExceededError('changes in a block', changes.length, MAX_CHANGES_PER_BLOCK)
  await checkAutomergeChanges(changes)
}

async function readFragment (content: unknown): Promise<Omit<FragmentContent, 'seq'>> {
  const f = fieldReader('fragment', content)
  const page = pageId(f.bytes('page', 16))
  const id = toHex(f.bytes('id', HASH_BYTES))
  const hashes = f.bytes('members')
  if (hashes.length % HASH_BYTES !== 0) throw new CorruptBlockError('a fragment has a cut list of members')
  checkMembers(hashes.length / HASH_BYTES)
  const members = Array.from({ length: hashes.length / HASH_BYTES }, (_, i) => toHex(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)))
  const bytes = f.bytes('bytes')
  await checkAutomergeFragment(bytes)
  return { page, id, members, bytes }
}

function checkMembers (count: number): void {
  if (count > MAX_FRAGMENT_MEMBERS) throw new LimitExceededError('changes in a fragment', count, MAX_FRAGMENT_MEMBERS)
}

function hashOf (text: string): Uint8Array {
  if (text.length !== HASH_BYTES * 2) throw new InvalidArgumentError('a change hash has 64 hex digits', undefined, { text: text.slice(0, 100) })
  return fromHex(text)
}

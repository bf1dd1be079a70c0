import { createSigner } from '@holdfast/crypto'
import type { UnlockKind, UnlockMethod } from '@holdfast/identity'
import { checkVersion, CorruptBlockError, decode, encode, fieldReader, type HeadName, type RecordStore } from '@holdfast/protocol'
import { headNameOf } from '@holdfast/roots'

/**
 * What seals the account's envelopes, so that a device can seal them anew when the nodes in their hints change
 * (KEY-3). These keys open nothing that the keyring on the same device does not hold already, and the phrase
 * cannot be computed from them.
 */
const PREFIX = 'client/unlock/'
const VERSION = 1
const KINDS: readonly string[] = ['phrase', 'wallet', 'passkey'] satisfies UnlockKind[]

export const envelopeNameOf = (method: UnlockMethod): HeadName => headNameOf(method.namePublicKey)

export async function rememberUnlockMethod (records: RecordStore, method: UnlockMethod): Promise<void> {
  const value = encode({ v: VERSION, kind: method.kind, wrap: method.wrapKey, name: method.nameSeed })
  await records.write([{ key: PREFIX + envelopeNameOf(method), value }], { durable: true })
}

export async function rememberedUnlockMethods (records: RecordStore): Promise<UnlockMethod[]> {
  const methods: UnlockMethod[] = []
  for await (const [, value] of records.range({ prefix: PREFIX })) methods.push(readMethod(decode(value, 'unlock record')))
  return methods
}

function readMethod (value: unknown): UnlockMethod {
  checkVersion('unlock record', value, VERSION)
  const f = fieldReader('unlock record', value)
  const kind = f.text('kind')
  if (!KINDS.includes(kind)) throw new CorruptBlockError('an unlock record of an unknown kind', { kind })
  const nameSeed = f.bytes('name', 32)
  return { kind: kind as UnlockKind, wrapKey: f.bytes('wrap', 32), nameSeed, namePublicKey: createSigner(nameSeed).publicKey }
}

import { openSmall, sealSmall } from '@holdfast/crypto'
import { decode, encode, toHex, type Random } from '@holdfast/protocol'
import { describe, expect, it } from 'vitest'
import { createKeyWallet, createPhrase, enrolWallet, MAX_ENVELOPE_BYTES, MAX_ENVELOPE_NODES, MAX_NODE_URL_LENGTH, openEnvelope, sealEnvelope, unlockFromPasskey, unlockFromPhrase, unlockFromWallet } from './index.js'

const random: Random = { bytes: length => crypto.getRandomValues(new Uint8Array(length)) }
const ROOT_KEY = random.bytes(32)
const HINTS = { nodes: ['https://node.example:4002', 'http://192.168.1.5:4002'] }

describe('unlock envelopes', () => {
  it('KEY-1 each method opens its own envelope of the same root key', async () => {
    const phrase = createPhrase(random)
    const key = toHex(random.bytes(32))
    const prf = random.bytes(32)
    for (const [sealing, opening] of [
      [unlockFromPhrase(phrase), unlockFromPhrase(phrase.toUpperCase())],
      [await enrolWallet(createKeyWallet(key)), await unlockFromWallet(createKeyWallet(key))],
      [unlockFromPasskey(prf), unlockFromPasskey(prf)]
    ] as const) {
      const envelope = await sealEnvelope(ROOT_KEY, sealing, HINTS, random)
      expect(openEnvelope(envelope.bytes, opening)).toEqual({ rootKey: ROOT_KEY, hints: HINTS })
    }
    expect(() => unlockFromPasskey(new Uint8Array(16))).toThrow('32 bytes')
  })

  it('KEY-1 the same secret under another kind of method is another key', () => {
    const prf = random.bytes(32)
    expect(unlockFromPasskey(prf).wrapKey).not.toEqual(unlockFromPhrase(createPhrase({ bytes: () => prf })).wrapKey)
  })

  it('KEY-1 another phrase, wallet or passkey does not open it, and is told what to do', async () => {
    const envelope = await sealEnvelope(ROOT_KEY, unlockFromPhrase(createPhrase(random)), HINTS, random)
    for (const [kind, method] of [
      ['phrase', unlockFromPhrase(createPhrase(random))],
      ['wallet', await unlockFromWallet(createKeyWallet(toHex(random.bytes(32))))],
      ['passkey', unlockFromPasskey(random.bytes(32))]
    ] as const) {
      try {
        openEnvelope(envelope.bytes, method)
        expect.unreachable()
      } catch (error) {
        expect(error).toMatchObject({ name: 'WrongUnlockError', family: 'unauthorised', kind, message: `this ${kind} does not open the envelope` })
        expect((error as { remedy: string }).remedy.length).toBeGreaterThan(20)
      }
    }
  })

  it('KEY-4 an envelope shows nothing, and no byte of it can be changed', async () => {
    const method = unlockFromPhrase(createPhrase(random))
    const { bytes } = await sealEnvelope(ROOT_KEY, method, HINTS, random)
    expect(Buffer.from(bytes).includes(Buffer.from(ROOT_KEY))).toBe(false)
    expect(Buffer.from(bytes).includes('node.example')).toBe(false)
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice()
      changed[i]! ^= 1
      expect(() => openEnvelope(changed, method)).toThrow()
    }
  })

  it('KEY-3 what is no envelope is refused by name', async () => {
    const method = unlockFromPhrase(createPhrase(random))
    const context = { vault: null, epoch: 0, purpose: 'envelope', position: toHex(method.namePublicKey) }
    const sealed = (value: unknown): Uint8Array => encode({ v: 1, sealed: sealSmall(method.wrapKey, encode(value), context, random) })
    const nameOf = (bytes: Uint8Array): string => { try { openEnvelope(bytes, method); return 'opened' } catch (error) { return (error as Error).name } }
    expect(nameOf(sealed({ v: 1, root: ROOT_KEY, nodes: [] }))).toBe('opened')
    expect(nameOf(encode('text'))).toBe('CorruptBlockError')
    expect(nameOf(Uint8Array.of(0xff))).toBe('CorruptBlockError')
    expect(nameOf(encode({ v: 2, sealed: new Uint8Array(60) }))).toBe('UnknownVersionError')
    expect(nameOf(encode({ v: 1 }))).toBe('CorruptBlockError')
    expect(nameOf(sealed({ v: 2, root: ROOT_KEY, nodes: [] }))).toBe('UnknownVersionError')
    expect(nameOf(sealed({ v: 1, root: new Uint8Array(31), nodes: [] }))).toBe('CorruptBlockError')
    expect(nameOf(sealed({ v: 1, root: ROOT_KEY, nodes: [5] }))).toBe('CorruptBlockError')
    expect(nameOf(sealed({ v: 1, root: ROOT_KEY, nodes: Array.from({ length: MAX_ENVELOPE_NODES + 1 }, () => 'x') }))).toBe('LimitExceededError')
    expect(nameOf(sealed({ v: 1, root: ROOT_KEY, nodes: ['x'.repeat(MAX_NODE_URL_LENGTH + 1)] }))).toBe('LimitExceededError')
    expect(nameOf(new Uint8Array(MAX_ENVELOPE_BYTES + 1))).toBe('LimitExceededError')
  })

  it('KEY-3 limits hold when sealing too', async () => {
    const method = unlockFromPhrase(createPhrase(random))
    const refused = { name: 'LimitExceededError' }
    await expect(sealEnvelope(ROOT_KEY, method, { nodes: Array.from({ length: MAX_ENVELOPE_NODES + 1 }, () => 'x') }, random)).rejects.toMatchObject(refused)
    await expect(sealEnvelope(ROOT_KEY, method, { nodes: ['x'.repeat(MAX_NODE_URL_LENGTH + 1)] }, random)).rejects.toMatchObject(refused)
    await expect(sealEnvelope(new Uint8Array(5), method, HINTS, random)).rejects.toMatchObject({ name: 'InvalidArgumentError' })
    const most = { nodes: Array.from({ length: MAX_ENVELOPE_NODES }, () => '節'.repeat(MAX_NODE_URL_LENGTH)) }
    expect(openEnvelope((await sealEnvelope(ROOT_KEY, method, most, random)).bytes, method).hints).toEqual(most)
  })

  it('KEY-4 the format: DAG-CBOR {v, sealed} of {v, root, nodes}', async () => {
    const method = unlockFromPhrase(createPhrase(random))
    const outer = decode((await sealEnvelope(ROOT_KEY, method, HINTS, random)).bytes) as { v: number, sealed: Uint8Array }
    expect(Object.keys(outer).toSorted()).toEqual(['sealed', 'v'])
    const plain = openSmall(method.wrapKey, outer.sealed, { vault: null, epoch: 0, purpose: 'envelope', position: toHex(method.namePublicKey) })
    expect(decode(plain)).toEqual({ v: 1, root: ROOT_KEY, nodes: HINTS.nodes })
  })
})

import { createSigner, deriveKey, sealSmall } from '@holdfast/crypto'
import {
  InvalidArgumentError, LimitExceededError, MAX_VECTOR_DEVICES, RAW, UnauthorisedError, accountId, certifyDevice, createBlock, deviceId, encode, encodeBlock, revokeDevice, vaultId,
  type Block, type Random, type Signer, type VaultId
} from '@holdfast/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { signEntry } from './entry.js'
import { MAX_MEMBERSHIP_BLOCKS, MAX_MEMBERSHIP_BLOCK_BYTES, authoriseChange, authoriseRoot, createMembershipLog, deriveTopic, readMembership, type Membership, type VaultSecret } from './index.js'

// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const seed = process.env['HOLDFAST_TEST_SEED']
fc.configureGlobal(seed === undefined ? {} : { seed: Number(seed) })

let drawn = 0
const random: Random = { bytes: length => deriveKey(new Uint8Array(32), `test/${drawn++}`, length) }
const signerOf = (n: number): Signer => createSigner(deriveKey(new Uint8Array(32), `signer/${n}`))
const headKeyOf = (n: number): Uint8Array => signerOf(1000 + n).publicKey

const vault = vaultId(new Uint8Array(16).fill(1))
const secret: VaultSecret = { vault, secret: new Uint8Array(32).fill(2) }
const log = createMembershipLog(secret, random)
const [owner, friend, stranger] = [signerOf(1), signerOf(2), signerOf(3)] as const
const [laptop, phone, tablet] = [signerOf(11), signerOf(12), signerOf(13)] as const

const enter = async (account: Signer, device: Signer, n: number, at = 10): Promise<Block> =>
  log.device(device, { certificate: await certifyDevice(account, deviceId(device.publicKey), 5), headKey: headKeyOf(n), at })
const reasons = (membership: Membership): string[] => membership.rejected.map(({ error }) => error.message)
const deviceOf = (membership: Membership, device: Signer) => membership.devices.get(deviceId(device.publicKey))

describe('membership', () => {
  it('MEM an owner\'s devices enter by their certificates', async () => {
    const membership = await readMembership([await log.genesis(owner, { at: 1 }), await enter(owner, laptop, 1), await enter(owner, phone, 2)], secret)
    expect(membership).toMatchObject({ owner: accountId(owner.publicKey), epoch: 0, rejected: [] })
    expect(membership.devices.size).toBe(2)
    expect(deviceOf(membership, laptop)).toEqual({ account: accountId(owner.publicKey), role: 'owner', headKey: headKeyOf(1), revokedAt: null })
  })

  it('MEM a block shows nothing to who has no secret', async () => {
    const { bytes } = await log.genesis(owner, { at: 1 })
    expect(Buffer.from(bytes).includes(Buffer.from(owner.publicKey))).toBe(false)
    expect(Buffer.from(bytes).includes('genesis')).toBe(false)
  })

  it('MEM the newest grant of an account counts', async () => {
    const account = accountId(friend.publicKey)
    const blocks = [await log.genesis(owner, { at: 1 }), await enter(friend, phone, 2), await log.grant(owner, { account, role: 'viewer', at: 7 }), await log.grant(owner, { account, role: 'editor', at: 8 })]
    expect(deviceOf(await readMembership(blocks, secret), phone)?.role).toBe('editor')
    blocks.push(await log.grant(owner, { account, role: 'viewer', at: 9 }))
    expect(deviceOf(await readMembership(blocks, secret), phone)?.role).toBe('viewer')
  })

  it('MEM a later entry of a device replaces its head', async () => {
    const membership = await readMembership([await log.genesis(owner, { at: 1 }), await enter(owner, laptop, 2, 20), await enter(owner, laptop, 1, 10)], secret)
    expect(deviceOf(membership, laptop)?.headKey).toEqual(headKeyOf(2))
  })

  it('MEM a revocation is final, and the earliest one counts', async () => {
    const revoke = async (at: number): Promise<Block> => log.revoke(await revokeDevice(owner, deviceId(laptop.publicKey), at))
    const blocks = [await revoke(50), await revoke(40), await log.genesis(owner, { at: 1 }), await enter(owner, laptop, 1), await enter(owner, laptop, 1, 99)]
    expect(deviceOf(await readMembership(blocks, secret), laptop)?.revokedAt).toBe(40)
  })

  it('MEM any order and repetition of blocks says the same', async () => {
    const account = accountId(friend.publicKey)
    const blocks = [
      await log.genesis(owner, { at: 1 }), await log.genesis(owner, { at: 1 }), await enter(owner, laptop, 1), await enter(owner, laptop, 3), await enter(friend, phone, 2), await enter(stranger, tablet, 3),
      await log.grant(owner, { account, role: 'viewer', at: 7 }), await log.grant(owner, { account, role: 'editor', at: 7 }), await log.grant(stranger, { account, role: 'viewer', at: 9 }),
      await log.revoke(await revokeDevice(owner, deviceId(laptop.publicKey), 50)), await log.revoke(await revokeDevice(stranger, deviceId(phone.publicKey), 50)), await encodeBlock({ v: 1, sealed: new Uint8Array(60) })
    ]
    const plain = (membership: Membership): unknown => ({ ...membership, devices: [...membership.devices].sort(([a], [b]) => a < b ? -1 : 1), rejected: membership.rejected.map(({ cid, error }) => [cid.toString(), error.message]) })
    const expected = plain(await readMembership(blocks, secret))
    await fc.assert(fc.asyncProperty(fc.shuffledSubarray([...blocks.keys()], { minLength: blocks.length }), fc.array(fc.nat(blocks.length - 1)), async (order, repeated) => {
      expect(plain(await readMembership([...order, ...repeated].map(i => blocks[i]!), secret))).toEqual(expected)
    }), { numRuns: 30 })
  })
})

describe('what membership refuses', () => {
  it('MEM leaves out and reports what has no right', async () => {
    const account = accountId(friend.publicKey)
    const membership = await readMembership([
      await log.genesis(owner, { at: 1 }), await enter(owner, laptop, 1), await enter(stranger, tablet, 3),
      await log.grant(stranger, { account: accountId(stranger.publicKey), role: 'editor', at: 9 }), await log.grant(owner, { account: accountId(owner.publicKey), role: 'viewer', at: 9 }),
      await log.revoke(await revokeDevice(stranger, deviceId(laptop.publicKey), 50)), await log.revoke(await revokeDevice(owner, deviceId(phone.publicKey), 50)), await log.grant(owner, { account, role: 'viewer', at: 9 })
    ], secret)
    expect(reasons(membership).toSorted()).toEqual([
      'only the owner grants roles', 'the owner has no other role', 'this account has no such device here', 'this account has no such device here', 'this device is of an account that is no member'
    ])
    expect([...membership.devices.keys()]).toEqual([deviceId(laptop.publicKey)])
    expect(deviceOf(membership, laptop)).toMatchObject({ role: 'owner', revokedAt: null })
  })

  it('MEM leaves out what is forged, of another vault, or sealed for another', async () => {
    const genesis = await log.genesis(owner, { at: 1 })
    const otherVault = vaultId(new Uint8Array(16).fill(7)) as VaultId
    const elsewhere = createMembershipLog({ vault: otherVault, secret: secret.secret }, random)
    const guessed = createMembershipLog({ vault, secret: new Uint8Array(32).fill(3) }, random)
    const seal = async (entry: unknown): Promise<Block> =>
      encodeBlock({ v: 1, sealed: sealSmall(deriveKey(secret.secret, 'vault/membership'), encode(entry), { vault, epoch: 0, purpose: 'membership', position: 'entry' }, random) })
    const sig = new Uint8Array(64)
    const vaultBytes = new Uint8Array(16).fill(1)
    const certificate = await certifyDevice(owner, deviceId(laptop.publicKey), 5)
    const forged = { v: 1, account: owner.publicKey, device: tablet.publicKey, at: 5, sig: certificate.signature }
    const membership = await readMembership([
      genesis, await elsewhere.genesis(owner, { at: 1 }), await guessed.genesis(owner, { at: 1 }),
      await seal({ v: 1, type: 'genesis', vault: vaultBytes, owner: stranger.publicKey, at: 1, sig }), await seal({ v: 1, type: 'device', vault: vaultBytes, certificate: forged, headKey: headKeyOf(1), at: 1, sig }),
      await seal({ v: 1, type: 'revoke', vault: vaultBytes, revocation: { v: 1, account: owner.publicKey, device: tablet.publicKey, at: 1, sig } }), await seal({ v: 1, type: 'party', vault: vaultBytes }),
      await seal({ v: 1, type: 'grant', vault: vaultBytes, owner: owner.publicKey, account: friend.publicKey, role: 'owner', at: 1, sig }), await seal({ v: 2 }), await seal(7), await encodeBlock({ v: 3 }), await encodeBlock('x')
    ], secret)
    expect(membership.rejected).toHaveLength(11)
    expect(membership.devices.size).toBe(0)
    expect(new Set(membership.rejected.map(({ error }) => error.name))).toEqual(new Set(['CorruptBlockError', 'UnauthorisedError', 'UnknownVersionError']))
  })

  it('MEM a device does not enter with another\'s certificate, to write and to read', async () => {
    const certificate = await certifyDevice(owner, deviceId(laptop.publicKey), 5)
    await expect(log.device(tablet, { certificate, headKey: headKeyOf(1), at: 1 })).rejects.toBeInstanceOf(InvalidArgumentError)
    const liar: Signer = { publicKey: laptop.publicKey, sign: async message => tablet.sign(message) }
    const membership = await readMembership([await log.genesis(owner, { at: 1 }), await log.device(liar, { certificate, headKey: headKeyOf(1), at: 1 })], secret)
    expect(membership.devices.size).toBe(0)
    expect(reasons(membership)[0]).toMatch(/signature/)
  })

  it('MEM a device does not enter with a certificate that its account did not sign', async () => {
    const { signature } = await certifyDevice(owner, deviceId(laptop.publicKey), 5)
    const certificate = { account: accountId(owner.publicKey), device: deviceId(tablet.publicKey), issuedAt: 5, signature }
    const membership = await readMembership([await log.genesis(owner, { at: 1 }), await log.device(tablet, { certificate, headKey: headKeyOf(1), at: 1 })], secret)
    expect(membership.devices.size).toBe(0)
    expect(reasons(membership)[0]).toMatch(/signature of this certificate/)
  })

  it('MEM a revocation that its account did not sign revokes nobody', async () => {
    const forged = { account: accountId(owner.publicKey), device: deviceId(laptop.publicKey), revokedAt: 5, signature: new Uint8Array(64) }
    const membership = await readMembership([await log.genesis(owner, { at: 1 }), await enter(owner, laptop, 1), await log.revoke(forged)], secret)
    expect(deviceOf(membership, laptop)?.revokedAt).toBeNull()
    expect(reasons(membership)).toHaveLength(1)
  })

  it('MEM an entry that is right in another vault is not carried over by a member of both', async () => {
    const entry = { type: 'grant', vault: vaultId(new Uint8Array(16).fill(7)), owner: accountId(owner.publicKey), account: accountId(friend.publicKey), role: 'editor', at: 1 } as const
    const sealed = sealSmall(deriveKey(secret.secret, 'vault/membership'), encode(await signEntry(entry, owner)), { vault, epoch: 0, purpose: 'membership', position: 'entry' }, random)
    const membership = await readMembership([await log.genesis(owner, { at: 1 }), await enter(friend, phone, 2), await encodeBlock({ v: 1, sealed })], secret)
    expect(membership.devices.size).toBe(0)
    expect(reasons(membership)).toContain('a membership entry is of another vault')
  })

  it('MEM a member cannot take the vault by a second genesis', async () => {
    const blocks = [await log.genesis(owner, { at: 9 }), await log.genesis(stranger, { at: 1 }), await enter(owner, laptop, 1)]
    await expect(readMembership(blocks, secret)).rejects.toBeInstanceOf(UnauthorisedError)
    const membership = await readMembership(blocks, secret, { owner: accountId(owner.publicKey) })
    expect(reasons(membership)).toEqual(['this account does not own the vault'])
    expect(deviceOf(membership, laptop)?.role).toBe('owner')
    await expect(readMembership([blocks[1]!], secret, { owner: accountId(owner.publicKey) })).rejects.toBeInstanceOf(UnauthorisedError)
    await expect(readMembership([], secret)).rejects.toBeInstanceOf(UnauthorisedError)
  })

  it('MEM a block over its size is left out; too many blocks or devices are refused', async () => {
    const genesis = await log.genesis(owner, { at: 1 })
    const { rejected } = await readMembership([genesis, await encodeBlock({ v: 1, sealed: new Uint8Array(MAX_MEMBERSHIP_BLOCK_BYTES) })], secret)
    expect(rejected.map(({ error }) => error.name)).toEqual(['LimitExceededError'])
    const many = await Promise.all(Array.from({ length: MAX_MEMBERSHIP_BLOCKS + 1 }, async (_, i) => createBlock(RAW, new TextEncoder().encode(String(i)))))
    await expect(readMembership(many, secret)).rejects.toBeInstanceOf(LimitExceededError)
    const devices = await Promise.all(Array.from({ length: MAX_VECTOR_DEVICES + 1 }, async (_, i) => enter(owner, signerOf(5000 + i), 1)))
    await expect(readMembership([genesis, ...devices], secret)).rejects.toBeInstanceOf(LimitExceededError)
  })
})

describe('who may do what', () => {
  const claim = async (device: Signer, of: VaultId = vault) => ({ vault: of, device: deviceId(device.publicKey), cid: (await encodeBlock(1)).cid })

  it('LOG-1 viewers publish roots but change nothing; strangers do neither', async () => {
    const membership = await readMembership([await log.genesis(owner, { at: 1 }), await enter(owner, laptop, 1), await enter(friend, phone, 2), await log.grant(owner, { account: accountId(friend.publicKey), role: 'viewer', at: 3 })], secret)
    const context = { vault, membership }
    const [mine, theirs, strange, elsewhere] = await Promise.all([claim(laptop), claim(phone), claim(tablet), claim(laptop, vaultId(new Uint8Array(16)))])
    expect(() => { authoriseChange(mine, context); authoriseRoot(mine, context); authoriseRoot(theirs, context) }).not.toThrow()
    expect(() => authoriseChange(theirs, context)).toThrow(UnauthorisedError)
    for (const refused of [strange, elsewhere]) {
      expect(() => authoriseChange(refused, { ...context, accepted: () => true })).toThrow(UnauthorisedError)
      expect(() => authoriseRoot(refused, { ...context, accepted: () => true })).toThrow(UnauthorisedError)
    }
  })

  it('MEM a revoked device keeps what was accepted and adds nothing', async () => {
    const membership = await readMembership([await log.genesis(owner, { at: 1 }), await enter(owner, laptop, 1), await log.revoke(await revokeDevice(owner, deviceId(laptop.publicKey), 50))], secret)
    const old = await claim(laptop)
    const late = { ...old, cid: (await encodeBlock(2)).cid }
    const context = { vault, membership, accepted: (cid: typeof old.cid) => cid.equals(old.cid) }
    expect(() => { authoriseChange(old, context); authoriseRoot(old, context) }).not.toThrow()
    expect(() => authoriseChange(late, context)).toThrow(UnauthorisedError)
    expect(() => authoriseRoot(late, context)).toThrow(UnauthorisedError)
    expect(() => authoriseChange(old, { vault, membership })).toThrow(UnauthorisedError)
  })
})

describe('topic', () => {
  it('ANN-1 differs by secret and vault and shows neither', () => {
    const topic = deriveTopic(secret.secret, vault)
    expect(topic).toMatch(/^[0-9a-f]{64}$/)
    expect(deriveTopic(secret.secret, vault)).toBe(topic)
    expect(deriveTopic(new Uint8Array(32), vault)).not.toBe(topic)
    expect(deriveTopic(secret.secret, vaultId(new Uint8Array(16)))).not.toBe(topic)
  })
})

import { fromHex, InvalidArgumentError, toHex } from '@holdfast/protocol'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { describe, expect, it } from 'vitest'
import { createKeyWallet, encodeType, enrolWallet, hashStruct, hashTypedData, unlockFromWallet, walletTypedData, type TypedData, type Wallet } from './index.js'

// https://eips.ethereum.org/assets/eip-712/Example.js: the key is keccak256("cow").
const COW = `0x${toHex(keccak_256(new TextEncoder().encode('cow')))}`
const COW_ADDRESS = '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826'
const MAIL: TypedData = {
  types: {
    EIP712Domain: [{ name: 'name', type: 'string' }, { name: 'version', type: 'string' }, { name: 'chainId', type: 'uint256' }, { name: 'verifyingContract', type: 'address' }],
    Person: [{ name: 'name', type: 'string' }, { name: 'wallet', type: 'address' }],
    Mail: [{ name: 'from', type: 'Person' }, { name: 'to', type: 'Person' }, { name: 'contents', type: 'string' }]
  },
  primaryType: 'Mail',
  domain: { name: 'Ether Mail', version: '1', chainId: 1, verifyingContract: '0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC' },
  message: {
    from: { name: 'Cow', wallet: COW_ADDRESS },
    to: { name: 'Bob', wallet: '0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB' },
    contents: 'Hello, Bob!'
  }
}

const signatureOf = (digest: Uint8Array, key: string, extraEntropy?: Uint8Array): Uint8Array =>
  secp256k1.sign(digest, fromHex(key.slice(2)), { prehash: false, format: 'recovered', ...(extraEntropy !== undefined && { extraEntropy }) })
const ethereum = (recovered: Uint8Array): string => `0x${toHex(recovered.subarray(1))}${toHex(Uint8Array.of(27 + recovered[0]!))}`

describe('EIP-712', () => {
  it('KEY-1 the Mail example of the EIP: type, struct hashes, digest, address and signature', async () => {
    expect(encodeType('Mail', MAIL.types)).toBe('Mail(Person from,Person to,string contents)Person(string name,address wallet)')
    expect(toHex(keccak_256(new TextEncoder().encode(encodeType('Mail', MAIL.types))))).toBe('a0cedeb2dc280ba39b857546d74f5549c3a1d7bdc2dd96bf881f76108e23dac2')
    expect(toHex(hashStruct('Mail', MAIL.message, MAIL.types))).toBe('c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e')
    expect(toHex(hashStruct('EIP712Domain', MAIL.domain, MAIL.types))).toBe('f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f')
    expect(toHex(hashTypedData(MAIL))).toBe('be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2')
    const wallet = createKeyWallet(COW)
    expect(wallet.address).toBe(COW_ADDRESS)
    expect(await wallet.sign(MAIL)).toBe('0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c')
  })

  it('KEY-1 arrays and atoms are encoded as the EIP says', () => {
    const types = { Set: [{ name: 'values', type: 'uint8[]' }, { name: 'pair', type: 'int16[2]' }, { name: 'on', type: 'bool' }, { name: 'raw', type: 'bytes' }, { name: 'tag', type: 'bytes4' }] }
    const word = (hex: string): string => hex.padStart(64, '0')
    const hash = (hex: string): string => toHex(keccak_256(fromHex(hex)))
    const typeHash = toHex(keccak_256(new TextEncoder().encode('Set(uint8[] values,int16[2] pair,bool on,bytes raw,bytes4 tag)')))
    const expected = hash(typeHash + hash(word('01') + word('ff')) + hash('f'.repeat(64) + word('2')) + word('1') + hash('abcd') + '01020304'.padEnd(64, '0'))
    expect(toHex(hashStruct('Set', { values: [1, 255n], pair: ['-1', 2], on: true, raw: '0xABCD', tag: Uint8Array.of(1, 2, 3, 4) }, types))).toBe(expected)
  })

  it.each([
    ['uint8', 256], ['uint8', -1], ['int8', 128], ['uint7', 1], ['uint256', 1.5], ['bool', 1], ['address', '0x12'], ['bytes4', '0x0102030405'],
    ['string', 5], ['uint8[2]', [1]], ['uint8[]', 'x'], ['Other', {}], ['Thing', 'x']
  ])('KEY-1 a value that is no %s is refused: %j', (type, value) => {
    expect(() => hashStruct('Thing', { field: value }, { Thing: [{ name: 'field', type }] })).toThrow(InvalidArgumentError)
  })
})

describe('wallets', () => {
  it('KEY-1 the request names Holdfast and its purpose in a sentence', () => {
    const request = walletTypedData(COW_ADDRESS.toLowerCase())
    expect(request.domain).toEqual({ name: 'Holdfast', version: '1' })
    expect(request.message).toEqual({ purpose: 'Unlock my Holdfast account. Whoever has this signature can open all my files, so sign this only in Holdfast.', wallet: COW_ADDRESS })
    // Enrolled wallets sign this very digest: another one would lock their owners out.
    expect(toHex(hashTypedData(request))).toMatchInlineSnapshot(`"36402076d0a4cc72ae287cde40e6466d59e1019d795d26626f0ef807c41a27f2"`)
  })

  it('KEY-1 an enrolled wallet unlocks again, and another one gives something else', async () => {
    const enrolled = await enrolWallet(createKeyWallet(COW))
    expect(await unlockFromWallet(createKeyWallet(COW.slice(2).toUpperCase()))).toEqual(enrolled)
    expect((await enrolWallet(createKeyWallet('0x' + '01'.repeat(32)))).wrapKey).not.toEqual(enrolled.wrapKey)
    expect(toHex(enrolled.namePublicKey)).toMatchInlineSnapshot(`"84de0dcc574414fb9a2a9203d12935acd4b8c64ff5d7b23d398fc04f717ae25f"`)
  })

  it('KEY-1 v as 0 or 27 and either form of s are the same signature', async () => {
    const enrolled = await enrolWallet(createKeyWallet(COW))
    const variant = (change: (signature: Uint8Array) => void): Wallet => ({
      address: COW_ADDRESS.toLowerCase(),
      async sign (request) {
        const signature = fromHex((await createKeyWallet(COW).sign(request)).slice(2))
        change(signature)
        return `0x${toHex(signature).toUpperCase()}`
      }
    })
    expect(await unlockFromWallet(variant(signature => { signature[64]! -= 27 }))).toEqual(enrolled)
    expect(await unlockFromWallet(variant(signature => {
      const s = BigInt(`0x${toHex(signature.subarray(32, 64))}`)
      signature.set(fromHex((secp256k1.Point.Fn.ORDER - s).toString(16).padStart(64, '0')), 32)
      signature[64] = signature[64] === 27 ? 28 : 27
    }))).toEqual(enrolled)
  })

  it('KEY-1 a wallet that signs differently each time is told so at enrolment', async () => {
    let times = 0
    const wallet: Wallet = { address: COW_ADDRESS, sign: async request => ethereum(signatureOf(hashTypedData(request), COW, new Uint8Array(32).fill(times++))) }
    await expect(enrolWallet(wallet)).rejects.toMatchObject({
      name: 'NonDeterministicWalletError', family: 'invalid', address: COW_ADDRESS,
      message: expect.stringContaining('signed the same request differently'), remedy: expect.stringContaining('recovery phrase')
    })
    expect(times).toBe(2)
  })

  it.each([
    ['by another key', async (request: TypedData) => createKeyWallet('02'.repeat(32)).sign(request)],
    ['of another request', async () => createKeyWallet(COW).sign(MAIL)],
    ['of a smart account', async () => `0x${'ab'.repeat(200)}`],
    ['of no curve point', async () => `0x${'ff'.repeat(65)}`],
    ['of zeros', async () => `0x${'00'.repeat(65)}`],
    ['that is empty', async () => '0x']
  ])('KEY-1 a signature %s is refused', async (_, sign) => {
    await expect(enrolWallet({ address: COW_ADDRESS, sign })).rejects.toMatchObject({ name: 'WalletSignatureError', family: 'invalid', address: COW_ADDRESS })
  })

  it('KEY-1 what the wallet throws, as when the person declines, passes through', async () => {
    const declined = Object.assign(new Error('User rejected the request.'), { code: 4001 })
    await expect(enrolWallet({ address: COW_ADDRESS, sign: async () => { throw declined } })).rejects.toBe(declined)
  })

  it('KEY-1 wrong addresses and keys are refused, without repeating the key', () => {
    expect(() => walletTypedData('0x1234')).toThrow('not an Ethereum address')
    expect(() => walletTypedData(COW_ADDRESS.replace('CD2a', 'cD2a'))).toThrow('checksum')
    expect(walletTypedData(`0x${COW_ADDRESS.slice(2).toUpperCase()}`).message['wallet']).toBe(COW_ADDRESS)
    for (const wrong of ['', '0x12', '00'.repeat(32), 'ff'.repeat(32), `${COW}00`]) {
      expect(() => createKeyWallet(wrong)).toThrow(new InvalidArgumentError('this is not an Ethereum private key').message)
    }
  })
})

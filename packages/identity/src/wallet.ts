import { compareBytes, equalBytes, fromHex, InvalidArgumentError, toHex } from '@holdfast/protocol'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concatBytes } from '@noble/hashes/utils.js'
import { NonDeterministicWalletError, WalletSignatureError } from './errors.js'
import { hashTypedData, type TypedData } from './typed-data.js'
import { unlockFromSecret, type UnlockMethod } from './unlock.js'

/** An Ethereum wallet: a key file (`createKeyWallet`), or a browser's EIP-1193 provider with `eth_signTypedData_v4`. */
export interface Wallet {
  /** `0x` and 40 hex digits. */
  readonly address: string
  /** EIP-712 signature: `0x` and 130 hex digits, r ‖ s ‖ v. */
  readonly sign: (request: TypedData) => Promise<string>
}

const PURPOSE = 'Unlock my Holdfast account. Whoever has this signature can open all my files, so sign this only in Holdfast.'

/**
 * KEY-1: what the wallet is asked to sign. It shows the person what it is for. No chain id and no contract: the account is
 * the same whatever chain the wallet is on, and wallets refuse a chain id that is not the current one.
 */
export function walletTypedData (address: string): TypedData {
  return {
    types: {
      EIP712Domain: [{ name: 'name', type: 'string' }, { name: 'version', type: 'string' }],
      Unlock: [{ name: 'purpose', type: 'string' }, { name: 'wallet', type: 'address' }]
    },
    primaryType: 'Unlock',
    domain: { name: 'Holdfast', version: '1' },
    message: { purpose: PURPOSE, wallet: checkAddress(address) }
  }
}

/**
 * KEY-1, at enrolment: asks for the signature twice. Throws NonDeterministicWalletError when they differ,
 * WalletSignatureError when an answer is not a signature by this address. What the wallet itself throws (the person declined) passes through.
 */
export async function enrolWallet (wallet: Wallet): Promise<UnlockMethod> {
  const first = await signatureSecret(wallet)
  const second = await signatureSecret(wallet)
  if (!equalBytes(first, second)) throw new NonDeterministicWalletError(checkAddress(wallet.address))
  return unlockFromSecret('wallet', first)
}

/** To unlock with a wallet that was enrolled: asks for the signature once. Throws WalletSignatureError. */
export async function unlockFromWallet (wallet: Wallet): Promise<UnlockMethod> {
  return unlockFromSecret('wallet', await signatureSecret(wallet))
}

/**
 * A wallet of a private key: 64 hex digits, with or without `0x`. Signatures are deterministic (RFC 6979).
 * Throws InvalidArgumentError, which does not repeat the key.
 */
export function createKeyWallet (privateKeyHex: string): Wallet {
  const digits = privateKeyHex.trim().replace(/^0x/iu, '').toLowerCase()
  const secret = /^[0-9a-f]{64}$/u.test(digits) ? fromHex(digits) : new Uint8Array(32)
  if (!secp256k1.utils.isValidSecretKey(secret)) throw new InvalidArgumentError('this is not an Ethereum private key', 'Give its 64 hexadecimal digits, with or without 0x, and nothing else.')
  return {
    address: addressOf(secp256k1.getPublicKey(secret, false)),
    async sign (request) {
      const signature = secp256k1.sign(hashTypedData(request), secret, { prehash: false, format: 'recovered' })
      // Noble puts the recovery bit first, Ethereum puts it last and adds 27.
      return `0x${toHex(signature.subarray(1))}${toHex(Uint8Array.of(signature[0]! + 27))}`
    }
  }
}

/** r ‖ s with the smaller s: the same secret whether a wallet writes v as 0 or 27, or does not normalise s. */
async function signatureSecret (wallet: Wallet): Promise<Uint8Array> {
  const address = checkAddress(wallet.address)
  const request = walletTypedData(address)
  const answer = await wallet.sign(request)
  if (!/^0x[0-9a-f]{130}$/iu.test(answer)) throw new WalletSignatureError(address, 'something that is not a signature by an ordinary key')
  const signature = fromHex(answer.slice(2).toLowerCase())
  const digest = hashTypedData(request)
  // Both recovery bits are tried: wallets write v as 0, 1, 27 or 28.
  const signer = [0, 1].map(bit => recover(digest, signature.subarray(0, 64), bit)).find(found => found === address)
  if (signer === undefined) throw new WalletSignatureError(address, 'a signature that is not by this address')
  return lowS(signature.subarray(0, 64))
}

function recover (digest: Uint8Array, compact: Uint8Array, bit: number): string | undefined {
  try {
    const publicKey = secp256k1.recoverPublicKey(concatBytes(Uint8Array.of(bit), compact), digest, { prehash: false })
    return addressOf(secp256k1.Point.fromBytes(publicKey).toBytes(false))
  } catch {
    // Not a signature by any key: there is no such point for these r, s and bit.
    return undefined
  }
}

function lowS (compact: Uint8Array): Uint8Array {
  const s = compact.subarray(32)
  const other = fromHex((secp256k1.Point.Fn.ORDER - BigInt(`0x${toHex(s)}`)).toString(16).padStart(64, '0'))
  return compareBytes(other, s) < 0 ? concatBytes(compact.subarray(0, 32), other) : compact.slice()
}

/** The last 20 bytes of the keccak hash of the uncompressed public key without its first byte, written with the checksum of EIP-55. */
const addressOf = (uncompressed: Uint8Array): string => checksummed(toHex(keccak_256(uncompressed.subarray(1)).subarray(12)))

/** EIP-55. */
function checksummed (lowerHex: string): string {
  const hash = toHex(keccak_256(new TextEncoder().encode(lowerHex)))
  return `0x${lowerHex.replace(/[a-f]/gu, (digit, index: number) => Number.parseInt(hash[index]!, 16) >= 8 ? digit.toUpperCase() : digit)}`
}

/** An address as EIP-55 writes it. One in lower or upper case alone carries no checksum; a mixed one has to match. */
function checkAddress (address: string): string {
  const digits = /^0x([0-9a-f]{40})$/iu.exec(address)?.[1]
  if (digits === undefined) throw new InvalidArgumentError('this is not an Ethereum address', 'It has 0x and 40 hexadecimal digits.', { address })
  const right = checksummed(digits.toLowerCase())
  const mixed = digits !== digits.toLowerCase() && digits !== digits.toUpperCase()
  if (mixed && right !== `0x${digits}`) throw new InvalidArgumentError('the checksum of this Ethereum address does not match', 'Copy the whole address again.', { address })
  return right
}

import { InvalidArgumentError, LimitExceededError } from '@holdfast/protocol'
import { scryptAsync } from '@noble/hashes/scrypt.js'

/** scrypt's cost (RFC 7914): N a power of two, memory 128·N·r bytes. Kept beside what the key seals, so that it can rise later. */
export interface PassphraseCost { readonly N: number, readonly r: number, readonly p: number }

/** 128 MiB and about half a second: what OWASP advises at least (2026). */
export const PASSPHRASE_COST: PassphraseCost = { N: 2 ** 17, r: 8, p: 1 }

/** A cost read from a file is bounded, so that a forged one cannot take all memory. Bytes. */
const MAX_MEMORY_BYTES = 1 << 30
const MAX_PARALLEL = 16
const MIN_SALT_BYTES = 16
const utf8 = new TextEncoder()

function checkCost ({ N, r, p }: PassphraseCost): void {
  const whole = [N, r, p].every(value => Number.isSafeInteger(value) && value > 0)
  if (!whole || N < 2 || !Number.isInteger(Math.log2(N))) throw new InvalidArgumentError(`scrypt cannot have the cost N=${N} r=${r} p=${p}`)
  if (128 * N * r > MAX_MEMORY_BYTES) throw new LimitExceededError('memory for a passphrase', 128 * N * r, MAX_MEMORY_BYTES)
  if (p > MAX_PARALLEL) throw new LimitExceededError('parallel cost of a passphrase', p, MAX_PARALLEL)
}

/**
 * A 32-byte key from something a person remembers: scrypt (RFC 7914). The passphrase is taken as UTF-8 in Unicode NFKC,
 * so that it is the same on every keyboard. `salt`: 16 random bytes or more. Throws InvalidArgumentError, LimitExceededError.
 */
export async function passphraseKey (passphrase: string, salt: Uint8Array, cost: PassphraseCost = PASSPHRASE_COST): Promise<Uint8Array> {
  checkCost(cost)
  if (salt.length < MIN_SALT_BYTES) throw new InvalidArgumentError(`a salt has at least ${MIN_SALT_BYTES} bytes, not ${salt.length}`)
  return scryptAsync(utf8.encode(passphrase.normalize('NFKC')), salt, { N: cost.N, r: cost.r, p: cost.p, dkLen: 32, maxmem: MAX_MEMORY_BYTES * 2 })
}

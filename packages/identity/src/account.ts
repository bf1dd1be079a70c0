import { createSigner, deriveKey, wrapKeyPair } from '@holdfast/crypto'
import { accountId, InvalidArgumentError, vaultId, type AccountId, type Random, type Signer, type VaultId } from '@holdfast/protocol'

export const ROOT_KEY_BYTES = 32

/** A person: what is derived from a random root key (KEY-1, KEY-2). Holds secrets; it never leaves the device. */
export interface Account {
  readonly id: AccountId
  /** Certifies and revokes devices, signs membership. */
  readonly signer: Signer
  /** X25519 seed, 32 bytes: opens what other people wrapped for this account (KEY-5, `unwrapForPerson`). */
  readonly wrapSeed: Uint8Array
  /** X25519 public key, 32 bytes: others wrap for this account with it. */
  wrapPublicKey (): Promise<Uint8Array>
  homeVault (): HomeVault
}

/** The account's own vault. Every device of the account derives the same, so it needs nobody to tell it. */
export interface HomeVault {
  readonly vault: VaultId
  /** Secret of epoch 0, 32 bytes. */
  readonly secret: Uint8Array
}

/** KEY-1: 32 random bytes. */
export const generateRootKey = (random: Random): Uint8Array => random.bytes(ROOT_KEY_BYTES)

/** Derives an account. The same root key gives the same account on every device. Throws InvalidArgumentError. */
export function openAccount (rootKey: Uint8Array): Account {
  if (rootKey.length !== ROOT_KEY_BYTES) throw new InvalidArgumentError(`a root key has ${ROOT_KEY_BYTES} bytes, not ${rootKey.length}`)
  const signer = createSigner(deriveKey(rootKey, 'account/sign'))
  const wrapSeed = deriveKey(rootKey, 'account/wrap')
  const home: HomeVault = { vault: vaultId(deriveKey(rootKey, 'home-vault/id', 16)), secret: deriveKey(rootKey, 'home-vault/secret') }
  return {
    id: accountId(signer.publicKey),
    signer,
    wrapSeed,
    wrapPublicKey: async () => (await wrapKeyPair(wrapSeed)).publicKey,
    homeVault: () => home
  }
}

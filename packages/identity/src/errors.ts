import { HoldfastError } from '@holdfast/protocol'

const REMEDY_OF_UNLOCK: Record<UnlockKind, string> = {
  phrase: 'Check that these are the 24 words of this very account, in their order, and try again.',
  wallet: 'Choose the wallet address that was enrolled for this account, or restore with the 24-word recovery phrase.',
  passkey: 'Choose the passkey that was enrolled for this account, or restore with the 24-word recovery phrase.'
}

/** What unwraps a root key (KEY-1). */
export type UnlockKind = 'phrase' | 'wallet' | 'passkey'

/** The phrase, wallet or passkey is a well-formed one, but of another account: the envelope does not open. */
export class WrongUnlockError extends HoldfastError {
  override readonly name = 'WrongUnlockError'
  readonly family = 'unauthorised'
  constructor (readonly kind: UnlockKind, options?: ErrorOptions) {
    super(`this ${kind} does not open the envelope`, REMEDY_OF_UNLOCK[kind], { kind }, options)
  }
}

/** KEY-1: the wallet signs the same request differently each time, so nothing can be derived from its signature. */
export class NonDeterministicWalletError extends HoldfastError {
  override readonly name = 'NonDeterministicWalletError'
  readonly family = 'invalid'
  constructor (readonly address: string) {
    super(
      `the wallet ${address} signed the same request differently the second time, so it cannot unlock the account later`,
      'Multi-party (MPC) wallets and smart accounts do this. Nothing was changed. Use the recovery phrase or a passkey, or a wallet with an ordinary key.',
      { address }
    )
  }
}

/** The wallet answered with something that is not its own signature of the request. */
export class WalletSignatureError extends HoldfastError {
  override readonly name = 'WalletSignatureError'
  readonly family = 'invalid'
  constructor (readonly address: string, what: string, options?: ErrorOptions) {
    super(
      `the wallet ${address} answered with ${what}`,
      'Choose this very address in the wallet and try again. Smart accounts cannot sign in this way: use the recovery phrase or a passkey for them.',
      { address }, options
    )
  }
}

/** The keyring is protected by another passphrase. */
export class WrongPassphraseError extends HoldfastError {
  override readonly name = 'WrongPassphraseError'
  readonly family = 'unauthorised'
  constructor (options?: ErrorOptions) {
    super('this passphrase does not open the keyring', 'Type the passphrase of this device again. If it is lost, restore the account into a new home with the recovery phrase.', {}, options)
  }
}

/** The keyring is protected by a passphrase and none was given. */
export class PassphraseNeededError extends HoldfastError {
  override readonly name = 'PassphraseNeededError'
  readonly family = 'unauthorised'
  constructor () {
    super('the keyring of this device is protected by a passphrase', 'Give the passphrase and try again.')
  }
}

import { HoldfastError } from '@holdfast/protocol'

/** Another process has this home open. */
export class HomeLockedError extends HoldfastError {
  override readonly name = 'HomeLockedError'
  readonly family = 'retryable'
  constructor (readonly home: string, options?: ErrorOptions) {
    super(`another process has ${home} open`, 'Wait until it is done, or stop it.', { home }, options)
  }
}

/** There is no account in this home yet. */
export class NoAccountError extends HoldfastError {
  override readonly name = 'NoAccountError'
  readonly family = 'invalid'
  constructor (readonly home: string) {
    super(`there is no account in ${home}`, 'Run `holdfast account create` for a new one, `holdfast account restore` for one you have, or name another directory with --home.', { home })
  }
}

/** Making an account where there is one already would lose the keys of the first. */
export class AccountExistsError extends HoldfastError {
  override readonly name = 'AccountExistsError'
  readonly family = 'invalid'
  constructor (readonly home: string) {
    super(`there is an account in ${home} already`, 'Use it as it is, or name another directory with --home.', { home })
  }
}

/** KEY-3: the asked nodes know nothing under the name that this phrase, wallet or passkey leads to. */
export class EnvelopeNotFoundError extends HoldfastError {
  override readonly name = 'EnvelopeNotFoundError'
  readonly family = 'invalid'
  constructor (readonly where: string, readonly kind: string, options?: ErrorOptions) {
    super(`${where} knows no account of this ${kind}`, `Check the ${kind}, and that this node was paired by a device of the account; name another node with --node URL.`, { where, kind }, options)
  }
}

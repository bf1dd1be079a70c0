/**
 * What the caller can do about an error:
 * - retryable: nothing is wrong with the data or the request; try again later
 * - corrupt: bytes are not what they were when they were written; take them from another copy
 * - unauthorised: the asker may not do this; another key, token or role is needed
 * - invalid: the request itself is wrong; trying again cannot help
 */
export type ErrorFamily = 'retryable' | 'corrupt' | 'unauthorised' | 'invalid'

/**
 * Every error of ours. `name` is stable and says which one; `family` says what can be done; `data` holds the
 * facts; `remedy` is the sentence that tells a person what to do. Callers match on `name` or `family`, never on messages.
 */
export abstract class HoldfastError extends Error {
  abstract override readonly name: string
  abstract readonly family: ErrorFamily
  readonly data: Readonly<Record<string, unknown>>
  readonly remedy: string

  constructor (message: string, remedy: string, data: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(message, options)
    this.remedy = remedy
    this.data = data
  }
}

export const isHoldfastError = (error: unknown): error is HoldfastError => error instanceof HoldfastError

/** A block that this store, or this source, does not have. */
export class BlockNotFoundError extends HoldfastError {
  override readonly name = 'BlockNotFoundError'
  readonly family = 'retryable'
  constructor (readonly cid: string) {
    super(`block ${cid} is not here`, 'Connect to a node or device that has it and try again.', { cid })
  }
}

/** Bytes that do not match their CID, key, tag or signature, or a structure that its format forbids. */
export class CorruptBlockError extends HoldfastError {
  override readonly name = 'CorruptBlockError'
  readonly family = 'corrupt'
  constructor (what: string, data: Record<string, unknown> = {}, options?: ErrorOptions) {
    super(what, 'Run `holdfast verify --repair` to take a good copy from a node or another device.', data, options)
  }
}

/** A structure of a version that this program does not know. */
export class UnknownVersionError extends HoldfastError {
  override readonly name = 'UnknownVersionError'
  readonly family = 'invalid'
  constructor (what: string, version: unknown, known: number) {
    super(`${what} has format version ${String(version)}; this program reads version ${known}`, 'Update Holdfast on this device: a newer version wrote this.', { what, version, known })
  }
}

/** Untrusted input larger than we agree to look at. */
export class LimitExceededError extends HoldfastError {
  override readonly name = 'LimitExceededError'
  readonly family = 'invalid'
  constructor (what: string, actual: number, limit: number) {
    super(`${what} is ${actual}, over the limit of ${limit}`, 'Nothing was changed. The sender has to send less.', { what, actual, limit })
  }
}

/** An argument, path or option that means nothing. */
export class InvalidArgumentError extends HoldfastError {
  override readonly name = 'InvalidArgumentError'
  readonly family = 'invalid'
  constructor (message: string, remedy = 'Correct the argument and try again.', data: Record<string, unknown> = {}) {
    super(message, remedy, data)
  }
}

/** A signature, certificate, token or role that does not allow what was asked. */
export class UnauthorisedError extends HoldfastError {
  override readonly name = 'UnauthorisedError'
  readonly family = 'unauthorised'
  constructor (message: string, remedy: string, data: Record<string, unknown> = {}) {
    super(message, remedy, data)
  }
}

/** A node or peer that does not answer. */
export class UnreachableError extends HoldfastError {
  override readonly name = 'UnreachableError'
  readonly family = 'retryable'
  constructor (readonly where: string, options?: ErrorOptions) {
    super(`${where} does not answer`, 'Check that it runs and that this address is right. Your changes are kept on this device and go up when it is back.', { where }, options)
  }
}

/** The node refuses to keep more. Nothing is lost: the blocks stay on this device. */
export class QuotaExceededError extends HoldfastError {
  override readonly name = 'QuotaExceededError'
  readonly family = 'retryable'
  constructor (readonly where: string, readonly limitBytes: number) {
    super(`${where} has no room left under its quota of ${limitBytes} bytes`, 'Raise the quota on the node, or empty the trash and old versions.', { where, limitBytes })
  }
}

/** A fault in Holdfast itself, wrapped so that it reaches a person instead of vanishing. */
export class InternalError extends HoldfastError {
  override readonly name = 'InternalError'
  readonly family = 'invalid'
  constructor (where: string, cause: unknown) {
    super(`a fault in Holdfast itself (${where}): ${cause instanceof Error ? cause.message : String(cause)}`, 'Nothing is lost. Please report it with the details.', { where }, { cause })
  }
}

/** Any thrown value as an error of ours. */
export const asHoldfastError = (where: string, error: unknown): HoldfastError => isHoldfastError(error) ? error : new InternalError(where, error)

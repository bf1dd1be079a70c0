import { HoldfastError } from '@holdfast/protocol'

/** The network was closed while, or before, this was asked of it. */
export class NetworkClosedError extends HoldfastError {
  override readonly name = 'NetworkClosedError'
  readonly family = 'retryable'
  constructor () {
    super('the network of this device is closed', 'Open the client again.')
  }
}

/** An address that this machine cannot listen on: in use, not its own, or of a transport that is not there. */
export class ListenError extends HoldfastError {
  override readonly name = 'ListenError'
  readonly family = 'invalid'
  constructor (readonly addresses: readonly string[], options?: ErrorOptions) {
    super(`cannot listen on ${addresses.join(', ')}`, 'Choose another port or address, or stop the program that uses this one.', { addresses }, options)
  }
}

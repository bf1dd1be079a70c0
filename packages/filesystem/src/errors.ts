import { HoldfastError } from '@holdfast/protocol'

/** Nothing is at this path. */
export class NotFoundError extends HoldfastError {
  override readonly name = 'NotFoundError'
  readonly family = 'invalid'
  constructor (readonly path: string) {
    super(`there is nothing at ${path}`, 'Check the spelling (case matters); `holdfast ls` and `holdfast trash` show what there is.', { path })
  }
}

/** Something of another kind is at this path. */
export class WrongKindError extends HoldfastError {
  override readonly name = 'WrongKindError'
  readonly family = 'invalid'
  constructor (readonly path: string, readonly is: string, readonly wanted: string) {
    super(`${path} is a ${is}, not a ${wanted}`, `Name a ${wanted}.`, { path, is, wanted })
  }
}

/** What a path was seen to lead to is not there any more. */
export class ChangedError extends HoldfastError {
  override readonly name = 'ChangedError'
  readonly family = 'invalid'
  constructor (readonly path: string) {
    super(`${path} was moved or replaced meanwhile`, 'Look again, and repeat it if it is still wanted.', { path })
  }
}

/** A destination that is taken. */
export class ExistsError extends HoldfastError {
  override readonly name = 'ExistsError'
  readonly family = 'invalid'
  constructor (readonly path: string) {
    super(`${path} exists already`, 'Choose another name, or remove it first.', { path })
  }
}

/**
 * Runs one task at a time, in the order asked. The vault's state has one writer: every transaction, merge and
 * publication goes through here, so that none of them sees another half done.
 */
export interface Exclusive {
  run<T> (task: () => Promise<T>): Promise<T>
  /** Resolves when everything asked so far has ended. */
  settled (): Promise<void>
}

export function createExclusive (): Exclusive {
  let tail: Promise<unknown> = Promise.resolve()
  return {
    run (task) {
      const result = tail.then(task)
      // The chain goes on after a failure; the failure itself belongs to whoever asked.
      tail = result.then(() => undefined, () => undefined)
      return result
    },
    async settled () { await tail }
  }
}

/** Runs a bounded number of tasks at a time and takes their results in the order in which the tasks began. */
export interface OrderedQueue<T> {
  /** Waits until there is room, handing over results in order. Rejects with what a task or the taker threw. */
  add (task: Promise<T>): Promise<void>
  /** Hands over what is left. */
  finish (): Promise<void>
  /** After a failure elsewhere: waits until no task runs any more. */
  settle (): Promise<void>
}

export function createOrderedQueue<T> (limit: number, take: (result: T) => Promise<void>): OrderedQueue<T> {
  const running: Promise<T>[] = []
  const takeFirst = async (): Promise<void> => { await take(await running.shift()!) }
  return {
    async add (task) {
      observe(task)
      running.push(task)
      while (running.length >= limit) await takeFirst()
    },
    async finish () {
      while (running.length > 0) await takeFirst()
    },
    async settle () { await Promise.allSettled(running) }
  }
}

/** Says that a rejection of this promise is dealt with later, where it is awaited, and is not to end the process before. */
export function observe (promise: Promise<unknown>): void {
  promise.catch(() => undefined)
}

import { asHoldfastError, type Clock, type HoldfastError } from '@holdfast/protocol'

/** Work that nobody awaits. What goes wrong in it is told, never swallowed; `stop` waits for all of it. */
export interface Background {
  readonly signal: AbortSignal
  readonly running: boolean
  start (): void
  run (what: string, task: () => Promise<unknown>): void
  /** Runs it later, unless this stops before. */
  later (ms: number, what: string, task: () => Promise<unknown>): () => void
  /** Called at stop. */
  onStop (cleanup: () => void): void
  stop (): Promise<void>
}

export function createBackground (clock: Clock, onError: (error: HoldfastError) => void): Background {
  const abort = new AbortController()
  const tasks = new Set<Promise<unknown>>()
  const cleanups = new Set<() => void>()
  let running = false

  function run (what: string, task: () => Promise<unknown>): void {
    if (abort.signal.aborted) return
    const promise = task()
      .catch(error => { if (!abort.signal.aborted) onError(asHoldfastError(what, error)) })
      .finally(() => { tasks.delete(promise) })
    tasks.add(promise)
  }

  return {
    signal: abort.signal,
    get running () { return running },
    start () { running = true },
    run,
    later (ms, what, task) {
      const cancel = clock.schedule(ms, () => { cleanups.delete(cancel); run(what, task) })
      cleanups.add(cancel)
      return () => { cleanups.delete(cancel); cancel() }
    },
    onStop (cleanup) { cleanups.add(cleanup) },
    async stop () {
      running = false
      abort.abort()
      for (const cleanup of cleanups) cleanup()
      cleanups.clear()
      while (tasks.size > 0) await Promise.all(tasks)
    }
  }
}

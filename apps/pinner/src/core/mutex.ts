/** Runs one section at a time, in the order asked. A section that throws does not stop the next. */
export interface Mutex { run<T> (section: () => Promise<T>): Promise<T> }

export function createMutex (): Mutex {
  let tail: Promise<unknown> = Promise.resolve()
  return {
    run (section) {
      const result = tail.then(section, section)
      tail = result.then(() => undefined, () => undefined)
      return result
    }
  }
}

/** Runs tasks one after the other, in the order of the calls. A task that fails does not stop those behind it. */
export function createSerial (): <Result>(task: () => Promise<Result>) => Promise<Result> {
  let last: Promise<unknown> = Promise.resolve()
  return async task => {
    const turn = last.then(task, task)
    last = turn
    return turn
  }
}

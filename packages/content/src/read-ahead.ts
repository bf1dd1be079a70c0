import { observe } from './ordered-queue.js'

/** Maps items in order, with up to `limit` of them begun before they are asked for. */
export async function * readAhead<T, R> (items: AsyncIterable<T> | Iterable<T>, limit: number, map: (item: T) => Promise<R>): AsyncGenerator<R> {
  const begun: Promise<R>[] = []
  for await (const item of items) {
    const result = map(item)
    observe(result)
    begun.push(result)
    if (begun.length > limit) yield await begun.shift()!
  }
  while (begun.length > 0) yield await begun.shift()!
}

/** Groups items until `full` says that a group is large enough. Never holds more than one group. */
export async function * batches<T> (items: AsyncIterable<T> | Iterable<T>, limits: { count: number, weight?: number, weigh?: (item: T) => number }): AsyncGenerator<T[]> {
  let group: T[] = []
  let weight = 0
  for await (const item of items) {
    group.push(item)
    weight += limits.weigh?.(item) ?? 0
    if (group.length >= limits.count || weight >= (limits.weight ?? Infinity)) {
      yield group
      group = []
      weight = 0
    }
  }
  if (group.length > 0) yield group
}

/** Applies `work` to every item, `width` at a time, and keeps the order of the results. */
export async function mapParallel<T, R> (items: readonly T[], width: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++
      results[index] = await work(items[index]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane))
  return results
}

/** Runs `work` for every item, at most `width` at once. The first failure stops taking new items and is thrown. */
export async function inParallel<Item> (items: Iterable<Item>, width: number, work: (item: Item) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]()
  let failed = false
  const lane = async (): Promise<void> => {
    for (let next = iterator.next(); !failed && next.done !== true; next = iterator.next()) {
      try { await work(next.value) } catch (error) {
        failed = true
        throw error
      }
    }
  }
  // All lanes end before this does, so that nothing of it runs on afterwards.
  const ended = await Promise.allSettled(Array.from({ length: width }, async () => lane()))
  for (const lane of ended) if (lane.status === 'rejected') throw lane.reason
}

/** Runs `work` for each item, at most `limit` at once. The first failure stops further ones and is thrown once those that run have ended. */
export async function inParallel<T> (items: readonly T[], limit: number, work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0
  const failures: unknown[] = []
  const lane = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const index = next++
      try { await work(items[index]!, index) } catch (error) { failures.push(error) }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  if (failures.length > 0) throw failures[0]
}

/** Closes in order; one that fails does not keep the others open. Throws the first failure. */
export async function closeAll (closers: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = []
  for (const close of closers) try { await close() } catch (error) { failures.push(error) }
  if (failures.length > 0) throw failures[0]
}

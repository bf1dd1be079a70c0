import { open } from 'node:fs/promises'

/** Makes the names of new, renamed and removed files in a directory survive a power cut. Windows has no such call and needs none. */
export async function syncDirectory (directory: string): Promise<void> {
  if (process.platform === 'win32') return
  await syncFile(directory)
}

export async function syncFile (path: string): Promise<void> {
  const file = await open(path, 'r')
  try { await file.sync() } finally { await file.close() }
}

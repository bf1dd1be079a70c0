import type { FileEntry, Filesystem } from '@holdfast/filesystem'

/** What is at a path, or null when nothing is. */
export async function statOrNull (filesystem: Filesystem, path: string): Promise<FileEntry | null> {
  try { return await filesystem.stat(path) } catch (error) {
    if (error instanceof Error && error.name === 'NotFoundError') return null
    throw error
  }
}

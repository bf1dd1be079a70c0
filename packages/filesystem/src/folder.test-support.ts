import { createFilesystem, type FileEntry, type Filesystem } from './index.js'
import { bytesOf, type TestDevice, type TestWorld } from '../../engine/src/world.test-support.js'

/** What tests do with the files of a device, in a word each. */
export interface Folder extends Filesystem {
  save (path: string, text: string | Uint8Array, options?: { base?: string | null }): Promise<FileEntry>
  text (path: string): Promise<string>
  tree (): Promise<string[]>
  /** Lets the merging of texts end. */
  settle (): Promise<void>
}

const MODIFIED = 1_900_000_000_000

export function folderOf ({ clock }: Pick<TestWorld, 'clock'>, { engine }: Pick<TestDevice, 'engine'>): Folder {
  const filesystem = createFilesystem({ engine, clock })
  return {
    ...filesystem,
    async save (path, text, options = {}) {
      const bytes = typeof text === 'string' ? bytesOf(text) : text
      const content = await filesystem.prepare([bytes], { size: bytes.length, modified: MODIFIED, mode: 0o644, replaces: path, ...options })
      return (await filesystem.commit([{ type: 'write', path, content }]))[0]!
    },
    settle: async () => { await engine.sync() },
    text: async path => readText(filesystem.read(path)),
    async tree () {
      const lines: string[] = []
      for await (const { path, kind } of filesystem.walk()) if (path !== '/') lines.push(kind === 'directory' ? `${path}/` : path)
      return lines.sort()
    }
  }
}

export async function readText (parts: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of parts) text += decoder.decode(part, { stream: true })
  return text + decoder.decode()
}

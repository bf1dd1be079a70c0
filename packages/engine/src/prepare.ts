import type { Content, FileFacts } from '@holdfast/content'
import { MAX_ANNOUNCEMENT_INLINE_BYTES, type Block, type ProgressOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import type { PreparedFile } from './engine-types.js'
import type { VaultStore } from './vault-store.js'

/** Seals a file into the block store and notes which blocks are new there. */
export async function prepareFile (store: VaultStore, content: Content, source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, facts: FileFacts & { size?: number }, options?: ProgressOptions): Promise<PreparedFile> {
  const { blocks } = store.components
  const fresh: CID[] = []
  let inline: Block[] = []
  let inlineBytes = 0
  const sealed = await content.seal(source, facts, async made => {
    const known = await Promise.all(made.map(block => blocks.has(block.cid, options)))
    const added = made.filter((_, i) => !known[i])
    await blocks.put(added, options)
    for (const block of added) {
      fresh.push(block.cid)
      inlineBytes += block.bytes.length
      if (inlineBytes <= MAX_ANNOUNCEMENT_INLINE_BYTES) inline.push(block)
      else inline = []
    }
  }, options)
  const { previous, modified, mode, by, at } = facts
  return { sealed, facts: { previous, modified, mode, by, at }, fresh, inline }
}

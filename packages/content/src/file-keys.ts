import { deriveKey, type VaultKeys } from '@holdfast/crypto'
import type { FileKeys } from './types.js'

/**
 * CHK-2, KEY-2: the key of a chunk is HMAC-SHA256(vault content key, plaintext); file nodes and index blocks have theirs from keys of their
 * own, so that nobody can make a chunk that shares a key with one of those. The digests' keys seal nothing.
 */
export function fileKeys (keys: VaultKeys): FileKeys {
  const key = (purpose: string): Uint8Array => deriveKey(keys.content, `file/${purpose}`)
  return { chunk: keys.content, node: key('node'), index: key('index'), inlineDigest: key('digest/inline'), listDigest: key('digest/list') }
}

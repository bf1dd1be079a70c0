import { compareBytes, toHex } from '@holdfast/protocol'
import type { PackedRegisters } from '../packed-registers.js'
import type { FileContent, FileVersion } from '../registers.js'
import { compareStamps } from '../stamp.js'
import { winningContent } from './own-place.js'

/**
 * MAN-5: every version of a file that nothing replaced, of the entry itself (first) and of those united with it:
 * concurrent contents and the alternates they name, distinct by digest, the winner first, the others newest first.
 */
export function versionsOf (all: readonly PackedRegisters[]): FileVersion[] {
  const winner = winningContent(all[0]!)
  const contents = all.flatMap(registers => registers.contents).filter((content): content is FileContent => content.kind === 'file')
  if (contents.length === 0) return []
  const found = [...contents.map(toVersion), ...contents.flatMap(content => content.alternates)]
    .sort((a, b) => compareStamps(b.stamp, a.stamp) || compareBytes(a.digest, b.digest) || compareBytes(a.node.bytes, b.node.bytes) || compareBytes(a.key, b.key))
  const versions = new Map<string, FileVersion>()
  if (winner.kind === 'file') versions.set(toHex(winner.digest), toVersion(winner))
  for (const version of found) {
    const digest = toHex(version.digest)
    if (!versions.has(digest)) versions.set(digest, version)
  }
  return [...versions.values()]
}

const toVersion = ({ size, digest, node, key, modified, mode, stamp }: FileContent): FileVersion => ({ size, digest, node, key, modified, mode, stamp })

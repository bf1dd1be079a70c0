import type { Primitives, VaultKeys } from '@holdfast/crypto'
import { createCutter, gearTable } from './cutter.js'
import { fileKeys } from './file-keys.js'
import { openFile } from './open-file.js'
import { createSealer } from './sealed-block.js'
import { sealFile, type FileParts } from './seal-file.js'
import type { Content } from './types.js'

/** Files of one vault in one epoch. */
export function createContent (components: { primitives: Primitives, keys: VaultKeys }): Content {
  const { primitives } = components
  const keys = fileKeys(components.keys)
  const parts: FileParts = { primitives, keys, sealer: createSealer(primitives, keys.chunk), cut: createCutter(gearTable(components.keys.gear)) }
  return {
    seal: async (source, facts, sink, options) => sealFile(parts, source, facts, sink, options),
    open: async (ref, fetch, options) => openFile(parts, ref, fetch, options)
  }
}

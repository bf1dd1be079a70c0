import type { Disk } from './disk-port.js'
import { createNaming, type Naming } from './naming.js'
import { joinPath, TEMPORARY_DIRECTORY } from './paths.js'

/** Finds out how the disk tells names apart, by making one and asking for it in another spelling. */
export async function probeNaming (disk: Disk): Promise<Naming> {
  const composed = 'new-Probe-\u00E9'
  const probe = joinPath(TEMPORARY_DIRECTORY, composed)
  if (await disk.facts(probe) === undefined) await disk.writeFile(probe, nothing(), { mode: 0o600, modified: 0 })
  try {
    const foldsCase = await disk.facts(joinPath(TEMPORARY_DIRECTORY, composed.toLowerCase())) !== undefined
    const foldsUnicode = await disk.facts(joinPath(TEMPORARY_DIRECTORY, composed.normalize('NFD'))) !== undefined
    return createNaming({ foldsCase, foldsUnicode })
  } finally {
    await disk.removeFile(probe)
  }
}

async function * nothing (): AsyncIterable<Uint8Array> { /* an empty file */ }

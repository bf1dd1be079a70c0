import { toHex, type Random } from '@holdfast/protocol'
import type { AgreedStore } from './agreed-store.js'
import type { Disk } from './disk-port.js'
import { codeOf, ForeignMirrorError, MirrorMissingError } from './errors.js'
import { MARKER_FILE, PARKED_DIRECTORY, PRIVATE_DIRECTORY, TEMPORARY_DIRECTORY } from './paths.js'

/** Says whose mirror a directory is: JSON, for people who find it. */
interface Marker { readonly holdfast: 'mirror', readonly id: string, readonly readme: string }

const README = 'Holdfast mirrors this directory. Without this file it stops, so that an unmounted disk is never taken for deleted files.'

/**
 * Makes sure that this directory is the mirror that the home remembers, or a new one. Returns the mirror's id.
 * Throws MirrorMissingError where the home remembers a mirror and the marker is gone, ForeignMirrorError where the
 * marker is of another home.
 */
export async function claimDirectory (disk: Disk, directory: string, store: AgreedStore, random: Random): Promise<string> {
  const known = await store.mirrors()
  const marker = await readMarker(disk)
  if (marker !== undefined) {
    const mirror = known.find(({ id }) => id === marker)
    if (mirror === undefined) throw new ForeignMirrorError(directory, marker)
    // The directory may have been moved as a whole.
    if (mirror.directory !== directory) await store.saveMirror({ id: marker, directory })
    await makePrivateDirectories(disk)
    return marker
  }
  const before = known.find(mirror => mirror.directory === directory)
  if (before !== undefined && !await isEmpty(store, before.id)) throw new MirrorMissingError(directory)
  const id = before?.id ?? toHex(random.bytes(16))
  await makePrivateDirectories(disk)
  // First the home, then the directory: a marker that the home does not know would be foreign.
  await store.saveMirror({ id, directory })
  await writeMarker(disk, id)
  return id
}

/** Throws MirrorMissingError when the marker is gone. */
export async function checkMarker (disk: Disk, directory: string, id: string): Promise<void> {
  const marker = await readMarker(disk)
  if (marker === undefined) throw new MirrorMissingError(directory)
  if (marker !== id) throw new ForeignMirrorError(directory, marker)
}

export async function makePrivateDirectories (disk: Disk): Promise<void> {
  for (const path of [PRIVATE_DIRECTORY, TEMPORARY_DIRECTORY, PARKED_DIRECTORY]) {
    await disk.makeDirectory(path).catch((error: unknown) => { if (codeOf(error) !== 'EEXIST') throw error })
  }
}

async function isEmpty (store: AgreedStore, id: string): Promise<boolean> {
  for await (const entry of store.load(id)) return entry === undefined
  return true
}

async function readMarker (disk: Disk): Promise<string | undefined> {
  const facts = await disk.facts(MARKER_FILE)
  if (facts === undefined || facts === 'special' || facts.kind !== 'file') return undefined
  const marker: unknown = parse(await readText(disk, MARKER_FILE))
  return marker !== null && typeof marker === 'object' && 'id' in marker && typeof marker.id === 'string' ? marker.id : ''
}

async function writeMarker (disk: Disk, id: string): Promise<void> {
  const marker: Marker = { holdfast: 'mirror', id, readme: README }
  const temporary = `${TEMPORARY_DIRECTORY}/new-marker`
  if (await disk.facts(temporary) !== undefined) await disk.removeFile(temporary)
  await disk.writeFile(temporary, once(new TextEncoder().encode(`${JSON.stringify(marker, undefined, 2)}\n`)), { mode: 0o644, modified: 0 })
  await disk.rename(temporary, MARKER_FILE)
  await disk.syncDirectory(PRIVATE_DIRECTORY)
}

async function * once (bytes: Uint8Array): AsyncIterable<Uint8Array> { yield bytes }

function parse (text: string): unknown {
  try { return JSON.parse(text) } catch { return undefined }
}

export async function readText (disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path)
  try {
    const decoder = new TextDecoder()
    let text = ''
    for await (const piece of file.read()) text += decoder.decode(piece, { stream: true })
    return text + decoder.decode()
  } finally {
    await file.close()
  }
}

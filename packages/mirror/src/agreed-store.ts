import { checkVersion, CorruptBlockError, decode, encode, fieldReader, type FieldReader, type RecordChange, type RecordStore } from '@holdfast/protocol'
import type { AgreedTree } from './agreed-tree.js'
import type { Kind } from './filesystem-port.js'
import type { AgreedEntry, Id } from './model.js'

const VERSION = 1
const KINDS: readonly Kind[] = ['file', 'directory', 'link']

/** What a home remembers of one mirror. */
export interface MirrorRecord { readonly id: string, readonly directory: string }

const mirrorPrefix = 'mirror/of/'
const mirrorKey = (id: string): string => `${mirrorPrefix}${id}`
const entryPrefix = (mirror: string): string => `mirror/entries/${mirror}/`

/** Keeps the agreed tree and the list of mirrors in the home's records, under `mirror/`. */
export interface AgreedStore {
  mirrors (): Promise<MirrorRecord[]>
  saveMirror (mirror: MirrorRecord): Promise<void>
  load (mirror: string): AsyncIterable<AgreedEntry>
  /**
   * Writes what changed. Not forced to the platter: an agreed tree older than the truth costs a second look,
   * never a byte, so the disk must be safe before this is called, not after.
   */
  save (mirror: string, tree: AgreedTree): Promise<void>
}

export function createAgreedStore (records: RecordStore): AgreedStore {
  return {
    async mirrors () {
      const found: MirrorRecord[] = []
      for await (const [key, value] of records.range({ prefix: mirrorPrefix })) found.push(decodeMirror(key.slice(mirrorPrefix.length), value))
      return found
    },
    async saveMirror (mirror) {
      await records.write([{ key: mirrorKey(mirror.id), value: encode({ v: VERSION, directory: mirror.directory }) }], { durable: true })
    },
    async * load (mirror) {
      const prefix = entryPrefix(mirror)
      for await (const [key, value] of records.range({ prefix })) yield decodeAgreed(key.slice(prefix.length), value)
    },
    async save (mirror, tree) {
      const changes = tree.takeChanges()
      if (changes.size === 0) return
      const prefix = entryPrefix(mirror)
      await records.write([...changes].map(([id, entry]): RecordChange => entry === null ? { key: prefix + id, value: undefined } : { key: prefix + id, value: encodeAgreed(entry) }))
    }
  }
}

function decodeMirror (id: string, bytes: Uint8Array): MirrorRecord {
  const value = decode(bytes, 'mirror record')
  checkVersion('mirror record', value, VERSION)
  return { id, directory: fieldReader('mirror record', value).text('directory', 8192) }
}

export function encodeAgreed (entry: AgreedEntry): Uint8Array {
  const { facts } = entry
  return encode({
    v: VERSION, parent: entry.parent, name: entry.name, kind: KINDS.indexOf(entry.kind), modified: String(entry.modified), mode: entry.mode,
    ...(entry.diskName === entry.name ? {} : { diskName: entry.diskName }),
    ...(entry.digest === undefined ? {} : { digest: entry.digest }),
    ...(entry.target === undefined ? {} : { target: entry.target }),
    disk: [facts.size, facts.mtime, facts.ctime, facts.inode, facts.born, facts.mode, facts.racy === true ? 1 : 0]
  })
}

export function decodeAgreed (id: Id, bytes: Uint8Array): AgreedEntry {
  const value = decode(bytes, 'agreed entry')
  checkVersion('agreed entry', value, VERSION)
  const fields = fieldReader('agreed entry', value)
  const kind = KINDS[fields.integer('kind', 0, 2)]!
  const name = fields.text('name')
  const modified = Number(fields.text('modified'))
  if (!Number.isFinite(modified)) throw new CorruptBlockError('an agreed entry has no time')
  return {
    id, kind, name, modified, parent: fields.text('parent'), mode: fields.integer('mode'),
    diskName: fields.has('diskName') ? fields.text('diskName') : name,
    ...(fields.has('digest') ? { digest: fields.text('digest') } : {}),
    ...(fields.has('target') ? { target: fields.text('target', 65_536) } : {}),
    facts: decodeFacts(kind, fields)
  }
}

function decodeFacts (kind: Kind, fields: FieldReader): AgreedEntry['facts'] {
  const numbers = fields.array('disk', 7)
  const big = (at: number): bigint => {
    const found = numbers[at]
    if (typeof found === 'bigint') return found
    if (typeof found === 'number' && Number.isSafeInteger(found)) return BigInt(found)
    throw new CorruptBlockError('an agreed entry has wrong facts')
  }
  const facts = { kind, size: Number(big(0)), mtime: big(1), ctime: big(2), inode: big(3), born: big(4), mode: Number(big(5)) }
  return big(6) === 1n ? { ...facts, racy: true } : facts
}

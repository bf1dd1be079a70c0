import {
  DAG_CBOR, InvalidArgumentError, LimitExceededError, MAX_NAME_BYTES, MAX_VECTOR_DEVICES, RAW, ROOT_ENTRY, TRASH_ENTRY, UnknownVersionError,
  fromHex, type DeviceId, type EntryId, type VersionVector
} from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { ByteReader, ByteWriter, utf8 } from './byte-cursor.js'
import type { EntryContent, EntryKind, FileVersion, Location, Place, Stamp } from './registers.js'

/**
 * MAN-1: both registers as one compact scalar each. Fields have fixed widths or explicit lengths and one possible
 * encoding, so that equal registers have equal bytes on every device; big-endian throughout.
 *
 *   place    1 | flags | stamp | parent 16 | name | [before: parent 16, name] | [seen: count u16, (device 32, counter u32)…]
 *   content  1 | flags | kind | stamp | modified f64 | mode u16 | directory: – ; link: target (u16 length) ;
 *            file: version, count of alternates u8, (flags, stamp, modified, mode, version)…
 *   stamp    when u48 | seq u32 | [by 32]        name     length u8 | UTF-8
 *   version  size f64 | digest 32 | key 32 | codec of the node's CID u8 | its SHA-256 32
 *   flags    1: by is there; 2: before is there; 4: seen is there
 */
const VERSION = 1
const HAS_BY = 1
const HAS_BEFORE = 2
const HAS_SEEN = 4
const KINDS: readonly EntryKind[] = ['directory', 'link', 'file']
const SHA2_256 = 0x12
const MAX_U32 = 0xffff_ffff
const MAX_MODE = 0o7777
/** A link's target, UTF-8 bytes: the longest path that Linux follows. */
export const MAX_LINK_TARGET_BYTES = 4_096
/** Versions kept beside the one that a writer shows. */
export const MAX_ALTERNATES = 255

export function encodePlace (place: Place): Uint8Array {
  const trashed = place.parent === TRASH_ENTRY
  if (trashed !== (place.seen !== null)) throw new InvalidArgumentError('a place in the trash says what the deleter had seen, and no other place does')
  const out = new ByteWriter()
  out.u8(VERSION)
  out.u8((place.stamp.by === null ? 0 : HAS_BY) | (place.before === null ? 0 : HAS_BEFORE) | (place.seen === null ? 0 : HAS_SEEN))
  writeStamp(out, place.stamp)
  writeLocation(out, place)
  if (place.before !== null) writeLocation(out, place.before)
  if (place.seen !== null) writeVector(out, place.seen)
  return out.finish()
}

/** Throws CorruptBlockError, UnknownVersionError or LimitExceededError. */
export function decodePlace (bytes: Uint8Array): Place {
  const source = new ByteReader(bytes, 'a place register')
  const flags = readHeader(source, HAS_BY | HAS_BEFORE | HAS_SEEN)
  const stamp = readStamp(source, flags)
  const { parent, name } = readLocation(source)
  const before = (flags & HAS_BEFORE) !== 0 ? readLocation(source) : null
  const seen = (flags & HAS_SEEN) !== 0 ? readVector(source) : null
  if ((parent === TRASH_ENTRY) !== (seen !== null)) throw source.corrupt('what the deleter had seen belongs to places in the trash, and only to them')
  source.end()
  return { parent, name, stamp, before, seen }
}

export function encodeContent (content: EntryContent): Uint8Array {
  const out = new ByteWriter()
  out.u8(VERSION)
  out.u8(content.stamp.by === null ? 0 : HAS_BY)
  out.u8(KINDS.indexOf(content.kind))
  writeAttributes(out, content)
  if (content.kind === 'link') writeTarget(out, content.target)
  if (content.kind === 'file') {
    writeVersion(out, content)
    if (content.alternates.length > MAX_ALTERNATES) throw new LimitExceededError('alternates of a file', content.alternates.length, MAX_ALTERNATES)
    out.u8(content.alternates.length)
    for (const alternate of content.alternates) {
      out.u8(alternate.stamp.by === null ? 0 : HAS_BY)
      writeAttributes(out, alternate)
      writeVersion(out, alternate)
    }
  }
  return out.finish()
}

/** Throws CorruptBlockError, UnknownVersionError or LimitExceededError. */
export function decodeContent (bytes: Uint8Array): EntryContent {
  const source = new ByteReader(bytes, 'a content register')
  const flags = readHeader(source, HAS_BY)
  const kind = readKind(source)
  const attributes = readAttributes(source, flags)
  const content: EntryContent = kind === 'directory'
    ? { kind, ...attributes }
    : kind === 'link'
      ? { kind, ...attributes, target: readTarget(source) }
      : { kind, ...attributes, ...readVersion(source), alternates: readAlternates(source) }
  source.end()
  return content
}

/** What the index needs of most places, without the rest: reading it is half the cost. */
export interface PlaceHead { readonly parent: EntryId, readonly name: string, readonly when: number }

export function readPlaceHead (bytes: Uint8Array): PlaceHead {
  const source = new ByteReader(bytes, 'a place register')
  const flags = readHeader(source, HAS_BY | HAS_BEFORE | HAS_SEEN)
  const when = source.u48()
  source.skip((flags & HAS_BY) !== 0 ? 36 : 4)
  const { parent, name } = readLocation(source)
  return { parent, name, when }
}

/** Kind of a content register; of a file also its size and the number of its alternates. */
export interface ContentHead { readonly kind: EntryKind, readonly size: number, readonly alternates: number }

export function readContentHead (bytes: Uint8Array): ContentHead {
  const source = new ByteReader(bytes, 'a content register')
  const flags = readHeader(source, HAS_BY)
  const kind = readKind(source)
  if (kind !== 'file') return { kind, size: 0, alternates: 0 }
  source.skip(((flags & HAS_BY) !== 0 ? 42 : 10) + 10)
  const size = source.integer(0)
  source.skip(97)
  return { kind, size, alternates: source.u8() }
}

/** The stamp alone, of either register. */
export function readContentStamp (bytes: Uint8Array): { kind: EntryKind, stamp: Stamp } {
  const source = new ByteReader(bytes, 'a content register')
  const flags = readHeader(source, HAS_BY)
  const kind = readKind(source)
  return { kind, stamp: readStamp(source, flags) }
}

/** The stamp of a place, and whether it is one in the trash. */
export function readPlaceStamp (bytes: Uint8Array): { trashed: boolean, stamp: Stamp } {
  const source = new ByteReader(bytes, 'a place register')
  const flags = readHeader(source, HAS_BY | HAS_BEFORE | HAS_SEEN)
  return { trashed: (flags & HAS_SEEN) !== 0, stamp: readStamp(source, flags) }
}

/** What no file system can hold, or what would mean another path, is no name. Null when it is one. */
export function nameFault (name: string): string | null {
  if (name === '' || name === '.' || name === '..') return `"${name}" is no name`
  if (name.includes('/') || name.includes('\0')) return 'a name holds neither "/" nor a zero byte'
  return null
}

/** Throws InvalidArgumentError or LimitExceededError for what can be no entry's name. */
export function checkName (name: string): void { nameBytes(name) }

function nameBytes (name: string): Uint8Array {
  const fault = nameFault(name)
  if (fault !== null) throw new InvalidArgumentError(fault, 'Choose another name.', { name })
  const bytes = utf8(name)
  if (bytes === null) throw new InvalidArgumentError('a name is not valid Unicode', 'Choose another name.', { name })
  if (bytes.length > MAX_NAME_BYTES) throw new LimitExceededError('a name in bytes', bytes.length, MAX_NAME_BYTES)
  return bytes
}

function readHeader (source: ByteReader, allowed: number): number {
  const version = source.u8()
  if (version !== VERSION) throw new UnknownVersionError('a register', version, VERSION)
  const flags = source.u8()
  if ((flags & ~allowed) !== 0) throw source.corrupt('it has unknown flags')
  return flags
}

function readKind (source: ByteReader): EntryKind {
  const kind = KINDS[source.u8()]
  if (kind === undefined) throw source.corrupt('its kind is unknown')
  return kind
}

function writeInteger (what: string, value: number, min: number, max: number): number {
  if (!Number.isSafeInteger(value) || value < min || value > max) throw new InvalidArgumentError(`${what} is ${value}, not a whole number from ${min} to ${max}`, undefined, { what, value })
  return value + 0 // -0 becomes 0, which is written in one way only
}

function writeStamp (out: ByteWriter, stamp: Stamp): void {
  out.u48(writeInteger('a stamp\'s time', stamp.when, 0, 2 ** 48 - 1))
  out.u32(writeInteger('a stamp\'s counter', stamp.seq, 0, MAX_U32))
  if (stamp.by !== null) out.raw(idBytes(stamp.by, 32))
}

function readStamp (source: ByteReader, flags: number): Stamp {
  const when = source.u48()
  const seq = source.u32()
  return { when, by: (flags & HAS_BY) !== 0 ? source.hex(32) as DeviceId : null, seq }
}

function writeLocation (out: ByteWriter, location: Location): void {
  out.raw(idBytes(location.parent, 16))
  const name = nameBytes(location.name)
  out.u8(name.length)
  out.raw(name)
}

function readLocation (source: ByteReader): Location {
  const parent = source.hex(16) as EntryId
  const name = source.text(source.u8())
  const fault = nameFault(name)
  if (fault !== null) throw source.corrupt(fault)
  return { parent, name }
}

function writeVector (out: ByteWriter, vector: VersionVector): void {
  const devices = (Object.keys(vector) as DeviceId[]).sort()
  if (devices.length > MAX_VECTOR_DEVICES) throw new LimitExceededError('devices in a version vector', devices.length, MAX_VECTOR_DEVICES)
  out.u16(devices.length)
  for (const device of devices) {
    out.raw(idBytes(device, 32))
    out.u32(writeInteger('a counter', vector[device]!, 0, MAX_U32))
  }
}

function readVector (source: ByteReader): VersionVector {
  const count = source.u16()
  if (count > MAX_VECTOR_DEVICES) throw new LimitExceededError('devices in a version vector', count, MAX_VECTOR_DEVICES)
  const vector: Record<DeviceId, number> = {}
  let previous = ''
  for (let i = 0; i < count; i++) {
    const device = source.hex(32) as DeviceId
    if (device <= previous) throw source.corrupt('the devices of a version vector are not in order')
    vector[device] = source.u32()
    previous = device
  }
  return vector
}

function writeAttributes (out: ByteWriter, from: { stamp: Stamp, modified: number, mode: number }): void {
  writeStamp(out, from.stamp)
  if (!Number.isFinite(from.modified)) throw new InvalidArgumentError(`a modification time cannot be ${from.modified}`)
  out.f64(from.modified === 0 ? 0 : from.modified) // -0 has no place in a canonical encoding
  out.u16(writeInteger('permission bits', from.mode, 0, MAX_MODE))
}

function readAttributes (source: ByteReader, flags: number): { stamp: Stamp, modified: number, mode: number } {
  const stamp = readStamp(source, flags)
  const modified = source.number()
  const mode = source.u16()
  if (mode > MAX_MODE) throw source.corrupt('there are more than permission bits')
  return { stamp, modified, mode }
}

function writeVersion (out: ByteWriter, version: FileVersion): void {
  out.f64(writeInteger('a file size', version.size, 0, Number.MAX_SAFE_INTEGER))
  out.raw(sizedBytes('a digest', version.digest))
  out.raw(sizedBytes('a key', version.key))
  const { node } = version
  if (node.version !== 1 || node.multihash.code !== SHA2_256 || node.multihash.digest.length !== 32 || (node.code !== RAW && node.code !== DAG_CBOR)) {
    throw new InvalidArgumentError('a file node is named by another kind of CID than Holdfast makes', undefined, { node: node.toString() })
  }
  out.u8(node.code)
  out.raw(node.multihash.digest)
}

function readVersion (source: ByteReader): { size: number, digest: Uint8Array, key: Uint8Array, node: CID } {
  const size = source.integer(0)
  const digest = source.raw(32)
  const key = source.raw(32)
  const codec = source.u8()
  if (codec !== RAW && codec !== DAG_CBOR) throw source.corrupt('a file node is named by another kind of CID than Holdfast makes')
  return { size, digest, key, node: CID.createV1(codec, createDigest(SHA2_256, source.raw(32))) }
}

function readAlternates (source: ByteReader): FileVersion[] {
  const count = source.u8()
  const alternates: FileVersion[] = []
  for (let i = 0; i < count; i++) {
    const flags = source.u8()
    if ((flags & ~HAS_BY) !== 0) throw source.corrupt('it has unknown flags')
    alternates.push({ ...readAttributes(source, flags), ...readVersion(source) })
  }
  return alternates
}

function writeTarget (out: ByteWriter, target: string): void {
  const bytes = utf8(target)
  if (bytes === null || target === '' || target.includes('\0')) throw new InvalidArgumentError('a link\'s target is empty or not valid Unicode', undefined, { target })
  if (bytes.length > MAX_LINK_TARGET_BYTES) throw new LimitExceededError('a link\'s target in bytes', bytes.length, MAX_LINK_TARGET_BYTES)
  out.u16(bytes.length)
  out.raw(bytes)
}

function readTarget (source: ByteReader): string {
  const length = source.u16()
  if (length > MAX_LINK_TARGET_BYTES) throw new LimitExceededError('a link\'s target in bytes', length, MAX_LINK_TARGET_BYTES)
  const target = source.text(length)
  if (target === '' || target.includes('\0')) throw source.corrupt('a link has no target')
  return target
}

function sizedBytes (what: string, bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 32) throw new InvalidArgumentError(`${what} has ${bytes.length} bytes, not 32`)
  return bytes
}

function idBytes (id: string, length: number): Uint8Array {
  const bytes = fromHex(id)
  if (bytes.length !== length) throw new InvalidArgumentError(`an id has ${bytes.length} bytes, not ${length}`, undefined, { id })
  return bytes
}

/** Ids that stand for the root directory and the trash are no entries of their own. */
export const isReserved = (id: EntryId): boolean => id === ROOT_ENTRY || id === TRASH_ENTRY

import { DAG_CBOR, ROOT_ENTRY, TRASH_ENTRY, entryId, deviceId, type DeviceId, type EntryId, type VersionVector } from '@holdfast/protocol'
import * as fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { EntryContent, FileVersion, Place, Registers, Stamp } from '../src/registers.js'

/** HOLDFAST_SEED repeats a failure, HOLDFAST_RUNS multiplies how many cases are tried. */
export function runs (count: number): { numRuns: number, seed: number } {
  return { numRuns: count * Number(process.env['HOLDFAST_RUNS'] ?? 1), seed: Number(process.env['HOLDFAST_SEED'] ?? Date.now() & 0x7fffffff) }
}

export const filled = (length: number, ...head: number[]): Uint8Array => { const bytes = new Uint8Array(length); bytes.set(head); return bytes }
export const idOf = (number: number): EntryId => entryId(filled(16, 0xe0, number >> 8, number & 0xff))
export const deviceOf = (number: number): DeviceId => deviceId(filled(32, 0xd0, number))
export const nodeOf = (number: number): CID => CID.createV1(DAG_CBOR, createDigest(0x12, filled(32, 0xf0, number >> 8, number & 0xff)))

export const version = (stamp: Stamp, content: number): FileVersion => ({
  stamp, modified: 1_700_000_000_000 + content, mode: 0o644, size: content, digest: filled(32, 0xaa, content), key: filled(32, 0xbb, content), node: nodeOf(content)
})
export const file = (stamp: Stamp, content: number, alternates: FileVersion[] = []): EntryContent => ({ kind: 'file', ...version(stamp, content), alternates })
export const directory = (stamp: Stamp): EntryContent => ({ kind: 'directory', stamp, modified: 1_700_000_000_000, mode: 0o755 })
export const link = (stamp: Stamp, target: string): EntryContent => ({ kind: 'link', stamp, modified: 1_700_000_000_000, mode: 0o777, target })

export interface Operation {
  readonly device: number
  readonly action: 'file' | 'directory' | 'link' | 'move' | 'rename' | 'trash' | 'restore' | 'edit' | 'keep' | 'attributes' | 'become' | 'learn'
  /** Which entry (or device, to learn from), of those that there are. */
  readonly on: number
  /** Which directory, of those that there are; sometimes one that this device does not know yet. */
  readonly into: number
  readonly name: number
  readonly when: number
  readonly content: number
  /** What no program of ours would do, now and then: 0 signs as nobody, 1 and 2 put entries into files or anywhere. */
  readonly odd: number
}

/** Few, so that they meet; some are what a suffix would make of others. */
export const NAMES = ['a', 'b', 'a (2)', 'c.txt', 'c (2).txt', '.d', 'é\u{1f600}']

export const operation = (devices: number): fc.Arbitrary<Operation> => fc.record({
  device: fc.nat(devices - 1),
  action: fc.oneof(
    { weight: 3, arbitrary: fc.constant('file' as const) }, { weight: 4, arbitrary: fc.constant('directory' as const) },
    { weight: 1, arbitrary: fc.constantFrom('link' as const, 'attributes' as const, 'keep' as const, 'become' as const) },
    { weight: 6, arbitrary: fc.constantFrom('move' as const, 'trash' as const) },
    { weight: 3, arbitrary: fc.constantFrom('rename' as const, 'restore' as const, 'edit' as const) },
    { weight: 4, arbitrary: fc.constant('learn' as const) }),
  on: fc.nat(30), into: fc.nat(12), name: fc.nat(NAMES.length - 1), when: fc.nat(6), content: fc.nat(3), odd: fc.nat(40)
})

/** One write of one register: it replaces the values that its writer knew. */
export interface Write { readonly entry: EntryId, readonly by: number, readonly place?: Place, readonly content?: EntryContent, readonly replaces: ReadonlySet<Write> }

/** A device that knows some of all writes, and what its own program would do with an operation. */
export class ModelDevice {
  readonly known = new Set<Write>()
  private vector: Record<DeviceId, number> = {}
  private counter = 0

  constructor (readonly number: number, private readonly created: EntryId[]) {}

  registers (): Map<EntryId, Registers> { return registersOf(this.known) }

  learn (from: ModelDevice): void {
    for (const write of from.known) this.known.add(write)
    for (const [device, counter] of Object.entries(from.vector) as [DeviceId, number][]) this.vector[device] = Math.max(this.vector[device] ?? 0, counter)
  }

  /** Performs one operation; answers with the writes it makes. */
  perform (operation: Operation, others: readonly ModelDevice[]): Write[] {
    if (operation.action === 'learn') { this.learn(others[operation.on % others.length]!); return [] }
    this.counter++
    const stamp: Stamp = { when: operation.when, by: operation.odd === 0 ? null : deviceOf(this.number), seq: this.counter }
    const { place, content, entry } = this.decide(operation, stamp)
    this.vector = { ...this.vector, [deviceOf(this.number)]: this.counter }
    const writes: Write[] = []
    if (place !== undefined) writes.push({ entry, by: this.number, place, replaces: this.replaced(entry, 'place') })
    if (content !== undefined) writes.push({ entry, by: this.number, content, replaces: this.replaced(entry, 'content') })
    for (const write of writes) this.known.add(write)
    return writes
  }

  private replaced (entry: EntryId, register: 'place' | 'content'): Set<Write> {
    return new Set([...this.known].filter(write => write.entry === entry && write[register] !== undefined))
  }

  private decide (operation: Operation, stamp: Stamp): { entry: EntryId, place?: Place, content?: EntryContent } {
    const registers = this.registers()
    const name = NAMES[operation.name]!
    const directories = [...registers].filter(([, { contents }]) => contents.some(content => content.kind === 'directory')).map(([id]) => id)
    const anything = [...registers.keys(), idOf(this.created.length), idOf(999)]
    const into = operation.odd === 1 || operation.odd === 2
      ? anything[operation.into % anything.length]!
      : [ROOT_ENTRY, ...directories][operation.into % (directories.length + 1)]!
    const at = (parent: EntryId, as: string, before: Place['before'] = null, seen: VersionVector | null = null): Place => ({ parent, name: as, stamp, before, seen })
    const made = { file: file(stamp, operation.content), directory: directory(stamp), link: link(stamp, NAMES[operation.content]!) }
    const kind = operation.action === 'file' || operation.action === 'directory' || operation.action === 'link' ? operation.action : null
    if (kind !== null || registers.size === 0) {
      const entry = idOf(this.created.length)
      this.created.push(entry)
      return { entry, place: at(into, name), content: made[kind ?? 'directory'] }
    }
    const entry = [...registers.keys()][operation.on % registers.size]!
    const { places, contents } = registers.get(entry)!
    const current = places[0] ?? at(ROOT_ENTRY, name)
    const content = contents[operation.on % Math.max(contents.length, 1)] ?? made.file
    switch (operation.action) {
      case 'move': return { entry, place: at(into, name, { parent: current.parent, name: current.name }) }
      case 'rename': return { entry, place: at(current.parent === TRASH_ENTRY ? into : current.parent, name, { parent: current.parent, name: current.name }) }
      case 'trash': return { entry, place: at(TRASH_ENTRY, current.name, operation.content === 3 ? null : { parent: current.parent, name: current.name }, { ...this.vector, [deviceOf(this.number)]: this.counter }) }
      case 'restore': return { entry, place: at(current.before?.parent === TRASH_ENTRY ? ROOT_ENTRY : current.before?.parent ?? into, current.name, { parent: current.parent, name: current.name }) }
      case 'edit': return { entry, content: content.kind === 'directory' ? directory(stamp) : content.kind === 'link' ? link(stamp, name) : made.file }
      case 'keep': return { entry, content: content.kind === 'file' ? file(stamp, operation.content, [version(content.stamp, content.size)]) : directory(stamp) }
      case 'become': return { entry, content: made[(['file', 'directory', 'link'] as const)[operation.content % 3]!] }
      default: return { entry, content: content.kind === 'directory' ? directory(stamp) : { ...content, stamp } }
    }
  }
}

/** What a set of writes leaves in the registers. */
export function registersOf (writes: Iterable<Write>): Map<EntryId, Registers> {
  const known = [...writes]
  const replaced = new Set(known.flatMap(write => [...write.replaces]))
  const all = new Map<EntryId, { places: Place[], contents: EntryContent[] }>()
  for (const write of known) {
    const registers = all.get(write.entry) ?? { places: [], contents: [] }
    all.set(write.entry, registers)
    if (replaced.has(write)) continue
    if (write.place !== undefined) registers.places.push(write.place)
    if (write.content !== undefined) registers.contents.push(write.content)
  }
  return all
}

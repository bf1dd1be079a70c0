import { isHoldfastError } from '@holdfast/protocol'
import type { FileEntry, Filesystem } from '@holdfast/filesystem'
import { CrashedError } from './crash-stores.js'
import type { Seeded } from './seeded.js'
import { CALM, type Weather } from './sim-network.js'
import { createWorld, pair, recoverable, treeOf, type SimDevice, type World } from './world.js'

export interface ScheduleOptions { seed: number, devices: number, nodes: number, steps: number }

/** What a schedule came to; `problems` is empty when everything that must hold does. */
export interface Outcome { seed: number, problems: string[], trace: string[], entries: number, acknowledged: number, conflicts: number }

const MINUTE = 60_000
const STORM: Weather = { delay: [1, 2_000], drop: 0.2, repeat: 0.1, fail: 0.1 }
const WEATHERS: readonly Weather[] = [CALM, { delay: [1, 200], drop: 0.05, repeat: 0.05, fail: 0.02 }, STORM]

/**
 * Runs one random schedule: people work on every device while the network misbehaves and machines crash; then the
 * weather clears, and everything must come together: replicas identical, every acknowledged byte recoverable, every
 * node with a receipt.
 */
export async function runSchedule (options: ScheduleOptions): Promise<Outcome> {
  const world = await createWorld(options.seed, options)
  const trace: string[] = []
  const random = world.random.fork('schedule')
  for (const device of world.devices) {
    await device.boot()
    for (const node of world.nodes) await pair(world, device, node)
  }
  for (let step = 0; step < options.steps; step++) trace.push(await takeStep(world, random, step))
  const problems = await comeTogether(world)
  const first = world.devices[0]!.running!
  return {
    seed: options.seed, problems: [...problems, ...world.faults], trace,
    entries: first.engine.vault.index.size, conflicts: [...first.engine.vault.index.conflicts()].length,
    acknowledged: world.devices.reduce((sum, device) => sum + device.acknowledged.size, 0)
  }
}

async function takeStep (world: World, random: Seeded, step: number): Promise<string> {
  const device = random.pick(world.devices)
  const dice = random.next()
  let told: string
  if (dice < 0.70) told = await work(world, device, random, step)
  else if (dice < 0.80) told = changeNetwork(world, random)
  else if (dice < 0.86) told = crashDevice(device, random)
  else if (dice < 0.90) told = await crashNode(world, random)
  else told = await wait(world, random)
  await world.clock.runUntil(() => false, random.integer(400))
  await bootWhatIsOff(world, random, 0.3)
  return `${step} ${told}`
}

async function wait (world: World, random: Seeded): Promise<string> {
  const ms = random.integer(20_000)
  await world.clock.runUntil(() => false, ms)
  return `wait ${ms}`
}

function changeNetwork (world: World, random: Seeded): string {
  if (random.chance(0.5)) {
    world.network.weather = random.pick(WEATHERS)
    return `weather ${JSON.stringify(world.network.weather)}`
  }
  const names = [...world.devices, ...world.nodes].map(party => party.name)
  const left = names.filter(() => random.chance(0.5))
  world.network.partition(random.chance(0.4) ? [] : [left, names.filter(name => !left.includes(name))])
  return `partition ${left.join(' ')}`
}

function crashDevice (device: SimDevice, random: Seeded): string {
  if (random.chance(0.5)) {
    device.crash()
    return `crash ${device.name}`
  }
  const writes = 1 + random.integer(30)
  device.disk.crashAfter(writes, () => device.crash())
  return `crash ${device.name} after ${writes} writes`
}

async function crashNode (world: World, random: Seeded): Promise<string> {
  if (world.nodes.length === 0) return 'no node to crash'
  const node = random.pick(world.nodes)
  node.crash()
  if (random.chance(0.5)) await node.boot()
  return `crash ${node.name}`
}

async function bootWhatIsOff (world: World, random: Seeded, chance: number): Promise<void> {
  for (const device of world.devices) if (device.running === null && random.chance(chance)) await device.boot()
  for (const node of world.nodes) if (node.pinner === null && random.chance(chance)) await node.boot()
}

// --- what people do --------------------------------------------------------------------------------------------

/** One thing that a person does on a device; what is acknowledged is noted, what a crash cuts off is not. */
async function work (world: World, device: SimDevice, random: Seeded, step: number): Promise<string> {
  if (device.running === null) return `${device.name} is off`
  const { filesystem } = device.running
  let done: { told: string } | null = null
  act(filesystem, device, random, step).then(told => { done = { told } }, error => {
    if (!(error instanceof CrashedError) && !isHoldfastError(error)) throw error
    if (isHoldfastError(error) && error.family === 'corrupt') world.faults.push(`${device.name} read wrong bytes: ${error.message}`)
    done = { told: `refused: ${error.message}` }
  })
  // A crash may leave the work without an end, as a killed process does.
  await world.clock.runUntil(() => done !== null || device.running === null, MINUTE)
  return `${device.name} ${(done as { told: string } | null)?.told ?? 'cut off'}`
}

const NAMES = ['a', 'b', 'B', 'notes.txt', 'photo.jpg', 'c']

async function act (filesystem: Filesystem, device: SimDevice, random: Seeded, step: number): Promise<string> {
  const entries: FileEntry[] = []
  for await (const entry of filesystem.walk()) entries.push(entry)
  const files = entries.filter(entry => entry.kind === 'file')
  const directories = entries.filter(entry => entry.kind === 'directory')
  const others = entries.filter(entry => entry.path !== '/')
  const inside = (directory: FileEntry): string => `${directory.path === '/' ? '' : directory.path}/${random.pick(NAMES)}`
  const dice = random.next()
  if (dice < 0.25) return save(filesystem, device, inside(random.pick(directories)), newContent(random, step))
  if (dice < 0.55 && files.length > 0) return edit(filesystem, device, random.pick(files), random, step)
  if (dice < 0.65) return commit(filesystem, { type: 'mkdir', path: inside(random.pick(directories)) })
  if (dice < 0.70) return commit(filesystem, { type: 'link', path: `${inside(random.pick(directories))}-link`, target: `target-${step}` })
  if (dice < 0.85 && others.length > 0) return commit(filesystem, { type: 'move', from: random.pick(others).path, to: inside(random.pick(directories)) })
  if (dice < 0.95 && others.length > 0) return commit(filesystem, { type: 'remove', path: random.pick(others).path })
  const trash = await filesystem.trash()
  if (trash.length === 0) return 'nothing in the trash'
  const { path } = await filesystem.restoreTrash(random.pick(trash).id)
  return `restore ${path}`
}

async function commit (filesystem: Filesystem, operation: Parameters<Filesystem['commit']>[0][number]): Promise<string> {
  await filesystem.commit([operation])
  return JSON.stringify(operation)
}

const text = (lines: readonly string[]): Uint8Array => new TextEncoder().encode(lines.join('\n') + '\n')

function newContent (random: Seeded, step: number): Uint8Array {
  if (random.chance(0.6)) return text(Array.from({ length: 1 + random.integer(6) }, (_, i) => `line ${i} of step ${step}`))
  const size = random.pick([0, 100, 40_000, 1_000_000])
  const bytes = new Uint8Array(size)
  bytes.set(random.bytes(Math.min(size, 64)))
  return bytes
}

async function edit (filesystem: Filesystem, device: SimDevice, file: FileEntry, random: Seeded, step: number): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of filesystem.read(file.path)) parts.push(part)
  const lines = new TextDecoder().decode(Buffer.concat(parts)).split('\n')
  if (file.size > 10_000 || lines.length > 200) return save(filesystem, device, file.path, newContent(random, step), file)
  const at = random.integer(lines.length + 1)
  if (random.chance(0.7)) lines.splice(at, 0, `inserted in step ${step}`)
  else lines.splice(at, 1, `replaced in step ${step}`)
  return save(filesystem, device, file.path, text(lines), file)
}

async function save (filesystem: Filesystem, device: SimDevice, path: string, bytes: Uint8Array, edited?: FileEntry): Promise<string> {
  const base = edited?.digest
  const content = await filesystem.prepare([bytes], { size: bytes.length, modified: 1_900_000_000_000 + bytes.length, mode: 0o644, replaces: path, ...(base === undefined ? {} : { base }) })
  await filesystem.commit([{ type: 'write', path, content }])
  device.acknowledged.set(content.digest, path)
  return `save ${path} ${bytes.length} bytes ${content.digest.slice(0, 8)}`
}

// --- what must hold --------------------------------------------------------------------------------------------

const isQuiet = (world: World): boolean => {
  const states = world.devices.map(device => device.running!.engine.status())
  return states.every(state => state.vaults[0]!.body === states[0]!.vaults[0]!.body && state.vaults[0]!.pendingBlocks === 0 &&
    state.nodes.every(node => node.reachable && node.receipt !== null && node.receipt.root === state.vaults[0]!.root))
}

async function comeTogether (world: World): Promise<string[]> {
  world.network.weather = CALM
  world.network.partition([])
  for (const device of world.devices) {
    device.disk.crashAfter(Infinity, () => undefined)
    if (device.running === null) await device.boot()
  }
  for (const node of world.nodes) if (node.pinner === null) await node.boot()
  const quiet = await world.clock.runUntil(() => isQuiet(world), 30 * MINUTE)
  // A while of nothing: what would still change things by itself must not.
  await world.clock.runUntil(() => false, 2 * MINUTE)
  const problems = quiet && isQuiet(world) ? [] : [`not quiet: ${JSON.stringify(world.devices.map(device => device.running!.engine.status()))}`]
  return [...problems, ...await compareReplicas(world), ...await findLosses(world)]
}

async function compareReplicas (world: World): Promise<string[]> {
  const trees = await Promise.all(world.devices.map(async device => (await treeOf(device.running!.filesystem)).join('\n')))
  return trees.flatMap((tree, i) => tree === trees[0] ? [] : [`device-0 and device-${i} show different trees:\n${trees[0]}\n---\n${tree}`])
}

async function findLosses (world: World): Promise<string[]> {
  const problems: string[] = []
  for (const device of world.devices) {
    let digests: Set<string> | null = null
    recoverable(device.running!.engine).then(found => { digests = found }, error => { problems.push(`${device.name} cannot read its history: ${error}`); digests = new Set() })
    await world.clock.runUntil(() => digests !== null, 10 * MINUTE)
    for (const writer of world.devices) {
      for (const [digest, path] of writer.acknowledged) if (!digests!.has(digest)) problems.push(`${writer.name} was told that ${path} (${digest.slice(0, 8)}) is saved; ${device.name} cannot recover it`)
    }
  }
  return problems
}


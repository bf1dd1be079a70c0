#!/usr/bin/env node
// Measures the main job on real processes: a node and two mirrored homes on loopback.
//   npm run bench -- FOLDER [--edits 20]
// initial   seconds from "both mirrors start, A's directory is full and B's is empty" until B has every file
// edit      milliseconds from a small save in A until B's file has the new bytes
// Put the figures beside a peer's in the same run on the same machine.
import { spawn, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const cli = join(import.meta.dirname, '..', '..', 'apps', 'cli', 'dist', 'main.js')
const [source, ...rest] = process.argv.slice(2)
if (source === undefined || source.startsWith('--')) {
  console.error('usage: npm run bench -- FOLDER [--edits N]\nFOLDER is copied to a scratch directory and never written to.')
  process.exit(2)
}
const edits = rest[0] === '--edits' ? Number(rest[1]) : 20
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
const children = []
const at = name => join(scratch, name)

function start (args) {
  const child = spawn(process.execPath, [cli, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return new Promise((resolve, reject) => {
    child.once('exit', code => reject(new Error(`holdfast ${args[0]} ended with ${code}`)))
    createInterface({ input: child.stdout }).on('line', line => { const event = JSON.parse(line); if (event.event === 'ready') resolve({ ...event, pid: child.pid }) })
  })
}
const run = (args, input) => JSON.parse(execFileSync(process.execPath, [cli, ...args, '--json'], { input, encoding: 'utf8' }))

/** Files and bytes below a folder; links are not followed. */
function census (folder) {
  let files = 0
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === '.holdfast') continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) { const below = census(path); files += below.files; bytes += below.bytes }
    const found = entry.isFile() ? statSync(path, { throwIfNoEntry: false }) : undefined
    if (found !== undefined) { bytes += found.size; files++ }
  }
  return { files, bytes }
}

/** Looks every few milliseconds, with a bound. */
async function until (what, boundMs, everyMs, condition) {
  const begun = performance.now()
  while (!condition()) {
    if (performance.now() - begun > boundMs) throw new Error(`${what}: not within ${boundMs} ms`)
    await new Promise(resolve => { setTimeout(resolve, everyMs) })
  }
  return performance.now() - begun
}

const peakMb = pid => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

try {
  const node = await start(['node', '--data', at('node'), '--listen', '127.0.0.1:0'])
  const { phrase } = run(['--home', at('a'), 'account', 'create'])
  run(['--home', at('a'), 'pair', node.url, '--token', node.pairing])
  run(['--home', at('b'), 'account', 'restore', '--node', node.url], phrase)
  for (const name of ['da', 'db']) mkdirSync(at(name))
  cpSync(source, at('da'), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  const want = census(at('da'))
  const begun = performance.now()
  const [a, b] = await Promise.all([start(['--home', at('a'), 'mirror', at('da')]), start(['--home', at('b'), 'mirror', at('db')])])
  await until('the initial sync', 1_800_000, 500, () => { const have = census(at('db')); return have.files === want.files && have.bytes === want.bytes })
  const initial = (performance.now() - begun) / 1000
  const latencies = []
  for (let i = 0; i < edits; i++) {
    const text = `edit ${i} ${Math.random()}`
    writeFileSync(join(at('da'), 'bench-note.txt'), text)
    latencies.push(await until('an edit', 60_000, 1, () => { try { return readFileSync(join(at('db'), 'bench-note.txt'), 'utf8') === text } catch { return false } }))
    await new Promise(resolve => { setTimeout(resolve, 300) })
  }
  latencies.sort((x, y) => x - y)
  const figures = {
    files: want.files, megabytes: want.bytes / 1e6, initialSeconds: initial, initialMbPerS: want.bytes / 1e6 / initial,
    editMsMedian: latencies[latencies.length >> 1], editMsP95: latencies[Math.floor(latencies.length * 0.95)], editMsMax: latencies.at(-1),
    peakMbDeviceA: peakMb(a.pid), peakMbDeviceB: peakMb(b.pid), peakMbNode: peakMb(node.pid)
  }
  for (const [name, value] of Object.entries(figures)) console.log(name.padEnd(16), Math.round(value * 100) / 100)
} finally {
  for (const child of children) { child.removeAllListeners('exit'); child.kill('SIGTERM') }
  await Promise.all(children.filter(child => child.exitCode === null).map(child => new Promise(resolve => { child.once('exit', resolve) })))
  rmSync(scratch, { recursive: true, force: true })
}

// The one entry of every `npm run …` here. It runs on any Node from 20 with nothing installed: it fetches the
// Node and the package manager that the project needs, installs, builds, and then starts what was asked for.
// A second run finds everything in place and starts at once.
import { spawnSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR = 24 // Helia needs node:sqlite; Node 24 is the first long-term release that has it without a flag
const NODE_VERSION = '24.21.0'
const PNPM_VERSION = '10.34.8'
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tools = join(root, '.setup', 'tools')
const stateFile = join(root, '.setup', 'state.json')
const [task = 'setup', ...args] = process.argv.slice(2)
const quiet = task === 'holdfast'
const say = line => { if (!quiet || process.env.HOLDFAST_SETUP_VERBOSE) console.error(`holdfast: ${line}`) }
const fail = (what, todo) => { console.error(`holdfast: ${what}\n  ${todo}`); process.exit(1) }

/** npm that belongs to the Node this script runs on; on Windows it is a .cmd file. */
function npmInstall (spec) {
  mkdirSync(tools, { recursive: true })
  if (!existsSync(join(tools, 'package.json'))) writeFileSync(join(tools, 'package.json'), '{"private":true}\n')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const result = spawnSync(npm, ['install', '--prefix', tools, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', spec],
    { stdio: ['ignore', 'inherit', 'inherit'], shell: process.platform === 'win32' })
  if (result.error || result.status !== 0) fail(`could not install ${spec} with npm`, 'Check that npm works and that the npm registry can be reached, then run this again.')
}

function findNode () {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 20) fail(`Node ${process.versions.node} is too old to set up Holdfast`, 'Install Node 20 or newer and run this again.')
  if (major >= NODE_MAJOR) return process.execPath
  // npm's `node` package only points at one package a platform; taking that one needs no install script.
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${platform}-${process.arch}`
  const binary = join(tools, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (!existsSync(binary)) {
    say(`the system's Node is ${process.versions.node}; taking Node ${NODE_VERSION} from the npm package ${name} (about 100 MB, once)`)
    npmInstall(`${name}@${NODE_VERSION}`)
    if (!existsSync(binary)) fail(`the npm package ${name} brought no Node`, `Install Node ${NODE_MAJOR} or newer by hand and run this again.`)
  }
  return binary
}

function findPnpm () {
  const file = join(tools, 'node_modules', 'pnpm', 'bin', 'pnpm.cjs')
  if (!existsSync(file) || JSON.parse(readFileSync(join(tools, 'node_modules', 'pnpm', 'package.json'), 'utf8')).version !== PNPM_VERSION) {
    say(`taking pnpm ${PNPM_VERSION} from npm`)
    npmInstall(`pnpm@${PNPM_VERSION}`)
  }
  return file
}

const workspaces = () => ['packages', 'apps'].flatMap(group => readdirSync(join(root, group), { withFileTypes: true })
  .filter(entry => entry.isDirectory()).map(entry => join(root, group, entry.name)))

/** What the installed tree depends on: the lock file and every package.json. */
function installKey () {
  const hash = createHash('sha256')
  for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'test/package.json']) {
    const path = join(root, file)
    if (existsSync(path)) hash.update(readFileSync(path))
  }
  for (const directory of workspaces()) if (existsSync(join(directory, 'package.json'))) hash.update(readFileSync(join(directory, 'package.json')))
  return hash.digest('hex')
}

/** What the build depends on: name, size and time of every source file (reading 300 of them would cost more). */
function buildKey () {
  const hash = createHash('sha256')
  const walk = directory => {
    for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1)) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) walk(path)
      else { const s = statSync(path); hash.update(`${path}\0${s.size}\0${s.mtimeMs}\n`) }
    }
  }
  for (const directory of workspaces()) {
    if (existsSync(join(directory, 'src'))) walk(join(directory, 'src'))
    if (existsSync(join(directory, 'tsconfig.json'))) hash.update(readFileSync(join(directory, 'tsconfig.json')))
  }
  return hash.digest('hex')
}

/** Our Node and pnpm come first on the path: turbo starts both by name. */
function toolEnvironment (node) {
  const path = [dirname(node), join(tools, 'node_modules', '.bin'), process.env.PATH].join(process.platform === 'win32' ? ';' : ':')
  return { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1' }
}

function run (node, commandLine, what) {
  const result = spawnSync(node, commandLine, { cwd: root, stdio: ['ignore', quiet ? 2 : 'inherit', 'inherit'], env: toolEnvironment(node) })
  if (result.error || result.status !== 0) fail(`${what} failed`, 'The lines above say why.')
}

function setup () {
  const node = findNode()
  const state = existsSync(stateFile) ? JSON.parse(readFileSync(stateFile, 'utf8')) : {}
  const installed = installKey()
  if (state.installed !== installed || !existsSync(join(root, 'node_modules'))) {
    const pnpm = findPnpm()
    say('installing dependencies')
    run(node, [pnpm, 'install', '--frozen-lockfile', '--reporter=append-only', '--loglevel=warn'], 'installing dependencies')
    state.installed = installed
    delete state.built
  }
  findPnpm()
  const built = buildKey()
  if (state.built !== built || !workspaces().every(directory => existsSync(join(directory, 'dist')))) {
    say('building')
    run(node, [join(root, 'node_modules', 'turbo', 'bin', 'turbo'), 'run', 'build', '--output-logs=errors-only'], 'building')
    state.built = buildKey()
  }
  writeFileSync(stateFile, JSON.stringify(state))
  return node
}

/** Hands over to another program: its output, its exit code, and the signals meant for it. */
function become (node, commandLine) {
  const child = spawn(node, commandLine, { cwd: process.cwd(), stdio: 'inherit', env: toolEnvironment(node) })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
}

const node = setup()
const cli = join(root, 'apps', 'cli', 'dist', 'main.js')
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
// npm runs scripts in the package's directory; the person's own directory is the one paths are relative to.
if (process.env.INIT_CWD && task === 'holdfast') process.chdir(process.env.INIT_CWD)
switch (task) {
  case 'setup': say('ready. Next: npm start, or npm run -s holdfast -- --help'); break
  case 'start': become(node, [cli, 'node', ...args]); break
  case 'holdfast': become(node, [cli, ...args]); break
  case 'test':
    process.chdir(root)
    if (args.length === 0) {
      say('checking types and rules of style')
      run(node, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'test/tsconfig.json'], 'the type check')
      run(node, [join(root, 'node_modules', 'oxlint', 'bin', 'oxlint'), '--type-aware', '--deny-warnings'], 'the linter')
    }
    say('running the tests')
    become(node, [vitest, 'run', '--config', 'test/vitest.config.ts', ...args])
    break
  case 'bench': process.chdir(root); become(node, [join(root, 'test', 'bench', 'run.mjs'), ...args]); break
  default: fail(`there is no task "${task}"`, 'Tasks: setup, start, test, holdfast, bench.')
}

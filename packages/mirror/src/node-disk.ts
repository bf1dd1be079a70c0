import { constants, lstat as lstatCallback, type BigIntStats } from 'node:fs'
import { chmod, link, lstat, lutimes, mkdir, open, readdir, readlink, rename, rmdir, symlink, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Disk, Listed, OpenedFile } from './disk-port.js'
import { codeOf } from './errors.js'
import type { DiskFacts } from './model.js'
import { joinPath } from './paths.js'
import { inParallel } from './in-parallel.js'

const PIECE = 1 << 20
/** lstat is answered from the kernel's cache: more at once than there are threads keeps them all busy. */
const STATS_AT_ONCE = 32

/** The real disk, below a directory. */
export function createNodeDisk (directory: string): Disk {
  const at = (path: string): string => join(directory, path)
  return {
    facts: async path => {
      try { return factsOf(await lstat(at(path), { bigint: true })) } catch (error) { return absent(error) }
    },
    list: async path => listDirectory(at(path), path),
    open: async path => openFile(at(path)),
    readLink: async path => readlink(at(path)),
    writeFile: async (path, source, attributes) => writeFile(at(path), source, attributes),
    async makeLink (path, target, modified) {
      await symlink(target, at(path))
      await lutimes(at(path), modified / 1000, modified / 1000)
    },
    makeDirectory: async path => { await mkdir(at(path), { mode: 0o700 }) },
    rename: async (from, to) => { await rename(at(from), at(to)) },
    hardLink: async (from, to) => { await link(at(from), at(to)) },
    removeFile: async path => { await unlink(at(path)) },
    removeDirectory: async path => { await rmdir(at(path)) },
    setMode: async (path, mode) => { await chmod(at(path), mode) },
    setModified: async (path, modified) => { await lutimes(at(path), modified / 1000, modified / 1000) },
    syncDirectory: async path => syncDirectory(at(path))
  }
}

function factsOf (stats: BigIntStats): DiskFacts | 'special' {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'link' : 'special'
  if (kind === 'special') return kind
  return { kind, size: Number(stats.size), mtime: stats.mtimeNs, ctime: stats.ctimeNs, inode: stats.ino, born: stats.birthtimeNs, mode: Number(stats.mode) & 0o777 }
}

function absent (error: unknown): undefined {
  const code = codeOf(error)
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
  throw error
}

async function listDirectory (real: string, path: string): Promise<Listed[]> {
  const names = (await readdir(real)).toSorted()
  const listed: Listed[] = []
  // A replacement character is either in the name itself or stands for bytes that are no UTF-8; only bytes tell.
  const odd = names.some(name => name.includes('\uFFFD')) ? await namesThatAreNoText(real) : undefined
  await inParallel(names.filter(name => odd?.has(name) !== true), STATS_AT_ONCE, async name => {
    const found = await look(join(real, name)).catch((cause: unknown) => ({ cause }))
    if (found === undefined) return
    if (found === 'special') listed.push({ name, skipped: 'special' })
    else if ('cause' in found) listed.push({ name, skipped: 'unreadable', cause: found.cause })
    else listed.push({ name, facts: found })
  })
  for (const name of odd ?? []) listed.push({ name, skipped: 'name', cause: new Error(`bytes of ${joinPath(path, name)} are no UTF-8`) })
  return listed.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
}

/** The callback form costs half of the promise form, and a scan is little else. */
const look = async (real: string): Promise<DiskFacts | 'special' | undefined> => new Promise((resolve, reject) => {
  lstatCallback(real, { bigint: true }, (error, stats) => {
    if (error === null) resolve(factsOf(stats))
    else if (error.code === 'ENOENT' || error.code === 'ENOTDIR') resolve(undefined)
    else reject(error)
  })
})

async function namesThatAreNoText (real: string): Promise<Set<string>> {
  const odd = new Set<string>()
  for (const bytes of await readdir(real, { encoding: 'buffer' })) {
    const name = bytes.toString('utf8')
    if (!Buffer.from(name, 'utf8').equals(bytes)) odd.add(name)
  }
  return odd
}

async function openFile (real: string): Promise<OpenedFile> {
  // O_NONBLOCK: should a pipe have taken the file's place, opening it must not hang.
  const handle = await open(real, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  return {
    async facts () {
      const found = factsOf(await handle.stat({ bigint: true }))
      if (found === 'special') throw Object.assign(new Error('not a regular file'), { code: 'EINVAL' })
      return found
    },
    read: () => readPieces(handle),
    close: async () => handle.close()
  }
}

async function * readPieces (handle: FileHandle): AsyncIterable<Uint8Array> {
  const { size } = await handle.stat()
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(Math.min(PIECE, size + 1)), 0, undefined, null)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

async function writeFile (real: string, source: AsyncIterable<Uint8Array>, { mode, modified }: { mode: number, modified: number }): Promise<void> {
  const handle = await open(real, 'wx', 0o600)
  try {
    for await (const piece of source) await writeAll(handle, piece)
    await handle.chmod(mode)
    await handle.utimes(modified / 1000, modified / 1000)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function writeAll (handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done)).bytesWritten
}

async function syncDirectory (real: string): Promise<void> {
  // Windows cannot open a directory, and needs no such thing: its journal orders names.
  if (process.platform === 'win32') return
  const handle = await open(real, constants.O_RDONLY | constants.O_DIRECTORY)
  try { await handle.sync() } finally { await handle.close() }
}

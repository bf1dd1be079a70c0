import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { RefusedError } from '../errors.js'

/**
 * Where the process that holds a home listens. A Unix socket's path may have about 100 bytes (`sun_path` is 104 on
 * macOS and 108 on Linux), and homes may lie deeper than that: then the socket goes to a directory of ours under the
 * system's temporary one, and `run/control.path` says where.
 */
const MAX_SOCKET_PATH_BYTES = 100
const RECORD = 'control.path'
const SOCKET = 'control.sock'

const isWindows = process.platform === 'win32'
const homeHash = (home: string): string => createHash('sha256').update(home).digest('hex').slice(0, 24)

/** The socket path for a holder to listen on; makes the directories, 0700, and writes the record. */
export async function claimSocketPath (home: string): Promise<string> {
  const run = join(home, 'run')
  await mkdir(run, { recursive: true, mode: 0o700 })
  // The directory keeps others away from the socket even for the moment before the socket's own mode is set.
  await chmod(run, 0o700)
  const record = join(run, RECORD)
  const direct = join(run, SOCKET)
  if (!isWindows && Buffer.byteLength(direct) <= MAX_SOCKET_PATH_BYTES) {
    await rm(record, { force: true })
    return direct
  }
  const path = isWindows ? `\\\\.\\pipe\\holdfast-${homeHash(home)}` : join(await privateDirectory(home), SOCKET)
  const temporary = `${record}.${process.pid}`
  await writeFile(temporary, path, { mode: 0o600 })
  await rename(temporary, record)
  return path
}

/** Where to ask for the process that holds this home, if there is one. */
export async function findSocketPath (home: string): Promise<string> {
  try { return await readFile(join(home, 'run', RECORD), 'utf8') } catch { return join(home, 'run', SOCKET) }
}

/** Others may write to the temporary directory: one that was put there for us to fall into is refused. */
async function privateDirectory (home: string): Promise<string> {
  const directory = join(tmpdir(), `holdfast-${userInfo().uid}-${homeHash(home)}`)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const facts = await lstat(directory)
  if (!facts.isDirectory() || facts.uid !== userInfo().uid) {
    throw new RefusedError(`${directory} belongs to somebody else`, 'Remove it, or set TMPDIR to a directory of your own.', { directory })
  }
  await chmod(directory, 0o700)
  return directory
}

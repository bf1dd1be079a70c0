import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, readFile, readdir, readlink, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { eventually } from './eventually.js'

/** Path → what is there: `dir`, `link <target>`, or `file <mode> <SHA-256 of its content>`. */
export type Tree = Readonly<Record<string, string>>

/** What to write: text or bytes, null for a directory, `{ link }` for a symbolic link. */
export type TreeSource = Readonly<Record<string, string | Uint8Array | null | { link: string }>>

export async function writeTree (directory: string, source: TreeSource): Promise<void> {
  for (const [path, content] of Object.entries(source)) {
    const full = join(directory, path)
    if (content === null) { await mkdir(full, { recursive: true }); continue }
    await mkdir(dirname(full), { recursive: true })
    if (typeof content === 'object' && 'link' in content) await symlink(content.link, full)
    else { await writeFile(full, content); await chmod(full, 0o644) }
  }
}

/** Everything below a directory but Holdfast's own marks (`.holdfast…`). */
export async function readTree (directory: string): Promise<Tree> {
  const tree: Record<string, string> = {}
  const visit = async (path: string): Promise<void> => {
    for (const name of (await readdir(join(directory, path))).sort()) {
      if (path === '' && name.startsWith('.holdfast') && name !== '.holdfastignore') continue
      const inner = path === '' ? name : `${path}/${name}`
      const full = join(directory, inner)
      const facts = await lstat(full)
      if (facts.isDirectory()) { tree[inner] = 'dir'; await visit(inner) }
      else if (facts.isSymbolicLink()) tree[inner] = `link ${await readlink(full)}`
      else tree[inner] = `file ${(facts.mode & 0o777).toString(8)} ${createHash('sha256').update(await readFile(full)).digest('hex')}`
    }
  }
  await visit('')
  return tree
}

/** Waits until two directories hold the same; tells what differs when they do not. */
export async function eventuallySame (a: string, b: string, options: { within?: number } = {}): Promise<Tree> {
  return eventually(async () => {
    const [left, right] = [await readTree(a), await readTree(b)]
    const differing = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter(path => left[path] !== right[path])
    if (differing.length > 0) throw new Error(differing.slice(0, 10).map(path => `${path}: ${left[path] ?? 'missing'} / ${right[path] ?? 'missing'}`).join('; '))
    return left
  }, { what: `${a} and ${b} hold the same`, ...options })
}

/** Files whose times of change differ by a millisecond or more. */
export async function differingTimes (a: string, b: string, tree: Tree): Promise<string[]> {
  const files = Object.keys(tree).filter(path => tree[path]?.startsWith('file'))
  const told = await Promise.all(files.map(async path => {
    const [left, right] = [await lstat(join(a, path)), await lstat(join(b, path))]
    return Math.abs(left.mtimeMs - right.mtimeMs) < 1 ? [] : [`${path}: ${left.mtimeMs} / ${right.mtimeMs}`]
  }))
  return told.flat()
}

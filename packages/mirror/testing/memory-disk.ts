import type { Disk, Listed, OpenedFile } from '../src/disk-port.js'
import type { DiskFacts } from '../src/model.js'
import type { Naming } from '../src/naming.js'
import { exactNaming } from '../src/naming.js'
import { baseName, joinPath, parentPath } from '../src/paths.js'

interface Inode { kind: 'file' | 'directory' | 'link' | 'special', inode: bigint, mtime: bigint, ctime: bigint, born: bigint, mode: number, bytes: Uint8Array, target: string, children: Map<string, { name: string, node: Inode }>, links: number }

const failure = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code })

/** A disk in memory with inodes, hard links and a clock in ticks; operations can be failed and interleaved. */
export class MemoryDisk implements Disk {
  #next = 100n
  readonly root: Inode = this.#make('directory')
  /** Called before each operation of the mirror; may edit the disk, or throw. */
  before: ((operation: string, path: string) => void) | undefined
  /** Told of every file whose last name is taken away by an operation of the mirror. */
  onLost: ((bytes: Uint8Array, path: string) => void) | undefined

  /** Told of every change of what is in a directory, as inotify would be: by the directory's inode. */
  onChange: ((directory: bigint, name: string) => void) | undefined

  /** `now` in nanoseconds. */
  constructor (readonly now: () => bigint, readonly naming: Naming = exactNaming) {}

  #make (kind: Inode['kind']): Inode {
    const at = this.now?.() ?? 0n
    return { kind, inode: this.#next++, mtime: at, ctime: at, born: at, mode: kind === 'directory' ? 0o755 : 0o644, bytes: new Uint8Array(), target: '', children: new Map(), links: 0 }
  }

  #find (path: string): Inode | undefined {
    let node: Inode | undefined = this.root
    for (const name of path.split('/').slice(1).filter(name => name !== '')) {
      if (node?.kind !== 'directory') return undefined
      node = node.children.get(this.naming.fold(name))?.node
    }
    return node
  }

  #directory (path: string): Inode {
    const node = this.#find(path)
    if (node === undefined) throw failure('ENOENT', path)
    if (node.kind !== 'directory') throw failure('ENOTDIR', path)
    return node
  }

  #need (path: string): Inode {
    const node = this.#find(path)
    if (node === undefined) throw failure('ENOENT', path)
    return node
  }

  #attach (path: string, node: Inode): void {
    const parent = this.#directory(parentPath(path))
    parent.children.set(this.naming.fold(baseName(path)), { name: this.naming.diskName(baseName(path)), node })
    parent.mtime = this.now()
    this.onChange?.(parent.inode, this.naming.diskName(baseName(path)))
    node.links++
    node.ctime = this.now()
  }

  #detach (path: string, byMirror: boolean): Inode {
    const parent = this.#directory(parentPath(path))
    const found = parent.children.get(this.naming.fold(baseName(path)))
    if (found === undefined) throw failure('ENOENT', path)
    parent.children.delete(this.naming.fold(baseName(path)))
    parent.mtime = this.now()
    this.onChange?.(parent.inode, found.name)
    found.node.links--
    found.node.ctime = this.now()
    if (byMirror && found.node.kind === 'file' && found.node.links === 0) this.onLost?.(found.node.bytes, path)
    return found.node
  }

  #facts (node: Inode): DiskFacts | 'special' {
    if (node.kind === 'special') return 'special'
    return { kind: node.kind, size: node.kind === 'link' ? node.target.length : node.bytes.length, mtime: node.mtime, ctime: node.ctime, inode: node.inode, born: node.born, mode: node.mode }
  }

  // What a person does.
  write (path: string, text: string): void {
    let node = this.#find(path)
    if (node === undefined) {
      node = this.#make('file')
      this.#attach(path, node)
    }
    node.bytes = new TextEncoder().encode(text)
    node.mtime = node.ctime = this.now()
    this.#changed(path)
  }

  #changed (path: string): void { this.onChange?.(this.#directory(parentPath(path)).inode, baseName(path)) }
  inodeAt (path: string): bigint | undefined { return this.#find(path)?.inode }

  save (path: string, text: string): void {
    const temporary = `${path}~`
    this.write(temporary, text)
    this.move(temporary, path)
  }

  mkdir (path: string): void { if (this.#find(path) !== undefined) throw failure('EEXIST', path); this.#attach(path, this.#make('directory')) }
  symlink (path: string, target: string): void { if (this.#find(path) !== undefined) throw failure('EEXIST', path); const node = this.#make('link'); node.target = target; this.#attach(path, node) }
  special (path: string): void { this.#attach(path, this.#make('special')) }
  chmod (path: string, mode: number): void { const node = this.#need(path); node.mode = mode; node.ctime = this.now(); this.#changed(path) }
  touch (path: string, mtime: bigint): void { const node = this.#need(path); node.mtime = mtime; node.ctime = this.now(); this.#changed(path) }
  move (from: string, to: string, byMirror = false): void {
    const node = this.#need(from)
    const there = this.#find(to)
    this.#directory(parentPath(to))
    if (node.kind === 'directory' && (to === from || to.startsWith(`${from}/`))) throw failure('EINVAL', to)
    if (there !== undefined && there !== node) {
      if (node.kind === 'directory' && there.kind !== 'directory') throw failure('ENOTDIR', to)
      if (there.kind === 'directory' && node.kind !== 'directory') throw failure('EISDIR', to)
      if (there.children.size > 0) throw failure('ENOTEMPTY', to)
      this.#detach(to, byMirror)
    }
    this.#detach(from, false)
    this.#attach(to, node)
  }

  rm (path: string): void { this.#detach(path, false) }
  exists (path: string): boolean { return this.#find(path) !== undefined }
  text (path: string): string { return new TextDecoder().decode(this.#need(path).bytes) }
  kind (path: string): string | undefined { return this.#find(path)?.kind }

  /** Everything but the mirror's own, parents first. */
  * tree (path = '/', withPrivate = false): Iterable<{ path: string, kind: Inode['kind'], text: string, target: string, mode: number, mtime: bigint }> {
    const node = this.#find(path)
    if (node?.kind !== 'directory') return
    for (const { name, node: child } of [...node.children.values()].sort((a, b) => a.name < b.name ? -1 : 1)) {
      const at = joinPath(path, name)
      if (at === '/.holdfast' && !withPrivate) continue
      yield { path: at, kind: child.kind, text: new TextDecoder().decode(child.bytes), target: child.target, mode: child.mode, mtime: child.mtime }
      yield * this.tree(at, withPrivate)
    }
  }

  // What the mirror does.
  async #do<Result> (operation: string, path: string, act: () => Result): Promise<Result> {
    await Promise.resolve()
    this.before?.(operation, path)
    return act()
  }

  async facts (path: string): Promise<DiskFacts | 'special' | undefined> {
    return this.#do('facts', path, () => { const node = this.#find(path); return node === undefined ? undefined : this.#facts(node) })
  }

  async list (path: string): Promise<Listed[]> {
    return this.#do('list', path, () => [...this.#directory(path).children.values()].map(({ name, node }): Listed => {
      const facts = this.#facts(node)
      return facts === 'special' ? { name, skipped: 'special' } : { name, facts }
    }).sort((a, b) => a.name < b.name ? -1 : 1))
  }

  async open (path: string): Promise<OpenedFile> {
    const node = await this.#do('open', path, () => this.#need(path))
    if (node.kind !== 'file') throw failure('ELOOP', path)
    const read = async (): Promise<Uint8Array> => this.#do('read', path, () => node.bytes.slice())
    return {
      facts: async () => this.#facts(node) as DiskFacts,
      async * read () { yield await read() },
      close: async () => undefined
    }
  }

  async readLink (path: string): Promise<string> { return this.#do('readLink', path, () => this.#need(path).target) }

  async writeFile (path: string, source: AsyncIterable<Uint8Array>, { mode, modified }: { mode: number, modified: number }): Promise<void> {
    await this.#do('create', path, () => { if (this.#find(path) !== undefined) throw failure('EEXIST', path); this.#attach(path, this.#make('file')) })
    const pieces: Uint8Array[] = []
    for await (const piece of source) pieces.push(piece)
    await this.#do('write', path, () => {
      const node = this.#need(path)
      node.bytes = new Uint8Array(Buffer.concat(pieces))
      node.mode = mode
      node.mtime = fromMs(modified)
      node.ctime = this.now()
    })
  }

  async makeLink (path: string, target: string, modified: number): Promise<void> {
    await this.#do('makeLink', path, () => { this.symlink(path, target); this.#need(path).mtime = fromMs(modified) })
  }

  async makeDirectory (path: string): Promise<void> { await this.#do('makeDirectory', path, () => { this.mkdir(path) }) }
  async rename (from: string, to: string): Promise<void> { await this.#do('rename', from, () => { this.move(from, to, true) }) }
  async hardLink (from: string, to: string): Promise<void> {
    await this.#do('hardLink', to, () => {
      if (this.#find(to) !== undefined) throw failure('EEXIST', to)
      this.#attach(to, this.#need(from))
    })
  }

  async removeFile (path: string): Promise<void> { await this.#do('removeFile', path, () => { this.#detach(path, true) }) }
  async removeDirectory (path: string): Promise<void> {
    await this.#do('removeDirectory', path, () => {
      if (this.#directory(path).children.size > 0) throw failure('ENOTEMPTY', path)
      this.#detach(path, true)
    })
  }

  async setMode (path: string, mode: number): Promise<void> { await this.#do('setMode', path, () => { this.chmod(path, mode) }) }
  async setModified (path: string, modified: number): Promise<void> { await this.#do('setModified', path, () => { this.touch(path, fromMs(modified)) }) }
  async syncDirectory (path: string): Promise<void> { await this.#do('syncDirectory', path, () => undefined) }
}

const fromMs = (ms: number): bigint => BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.round((ms - Math.floor(ms)) * 1e6))

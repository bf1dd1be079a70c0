import type { EngineEvent, EngineStatus } from '@holdfast/engine'
import type { MirrorEvent } from '@holdfast/mirror'
import { reportOf } from './errors.js'

/** What `mirror` prints, one JSON object a line. */
export type PrintedEvent =
  | { event: 'ready' }
  | { event: 'synced', root: string, entries: number, bytes: number }
  | { event: 'conflict', path: string, versions: number }
  | { event: 'error', path?: string, name: string, family: string, message: string, remedy: string }
  | { event: 'evidence', kind: string, device: string, roots: readonly string[] }

export interface EventGate {
  readonly onMirror: (event: MirrorEvent) => void
  readonly onEngine: (event: EngineEvent) => void
}

/**
 * Joins what the engine and the mirror tell into one story. `synced` is a promise to a person: every node has a
 * receipt for what the vault holds, and the directory holds the same. So it is kept back while the mirror works.
 */
export function createEventGate (status: () => EngineStatus, print: (event: PrintedEvent) => void): EventGate {
  let ready = false
  let busy = true
  let told: string | null = null
  const tellSynced = (): void => {
    if (!ready || busy) return
    const synced = syncedNow(status())
    if (synced === null || synced.root === told) return
    told = synced.root
    print(synced)
  }
  const tellError = (error: unknown, path?: string): void => { print({ event: 'error', ...(path === undefined ? {} : { path }), ...reportOf(error) }) }
  return {
    onMirror: event => {
      switch (event.type) {
        case 'ready': ready = true; busy = false; print({ event: 'ready' }); tellSynced(); break
        case 'idle': busy = false; tellSynced(); break
        case 'conflict': print({ event: 'conflict', path: event.path, versions: event.versions }); break
        case 'error': tellError(event.error, event.path); break
        case 'guarded': tellError(event.error); break
      }
    },
    onEngine: event => {
      switch (event.type) {
        case 'changed': busy = true; break
        case 'synced': tellSynced(); break
        case 'error': tellError(event.error); break
        case 'evidence': print({ event: 'evidence', kind: event.kind, device: event.device, roots: event.roots }); break
        case 'status': case 'conflict': break
      }
    }
  }
}

/** What is synced at this moment; null when a node lacks a receipt for it, or there is none. */
export function syncedNow ({ vaults: [vault], nodes }: EngineStatus): Extract<PrintedEvent, { event: 'synced' }> | null {
  if (vault === undefined || vault.root === null || nodes.length === 0 || nodes.some(node => node.receipt?.root !== vault.root)) return null
  return { event: 'synced', root: vault.root, entries: vault.entries, bytes: vault.bytes }
}

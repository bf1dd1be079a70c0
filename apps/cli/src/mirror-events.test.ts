import type { EngineStatus } from '@holdfast/engine'
import { InvalidArgumentError } from '@holdfast/protocol'
import { describe, expect, test } from 'vitest'
import { contains } from './commands/mirror.js'
import { createEventGate, type EventGate, type PrintedEvent } from './mirror-events.js'

interface Story { gate: EventGate, printed: PrintedEvent[], set: (root: string, ...receipts: (string | null)[]) => void }

function story (): Story {
  let status = { vaults: [], nodes: [] } as unknown as EngineStatus
  const printed: PrintedEvent[] = []
  return {
    printed, gate: createEventGate(() => status, event => { printed.push(event) }),
    set: (root, ...receipts) => {
      status = { vaults: [{ root, entries: 2, bytes: 3 }], nodes: receipts.map(receipt => ({ receipt: receipt === null ? null : { root: receipt, at: 1 } })) } as unknown as EngineStatus
    }
  }
}
const synced = (root: string): PrintedEvent => ({ event: 'synced', root, entries: 2, bytes: 3 })
const engineSynced = { type: 'synced', root: '', entries: 0, bytes: 0 } as const

describe('what mirror tells', () => {
  test('NODE-4 synced is told only when the directory, the vault and every node agree', () => {
    const { gate, printed, set } = story()
    set('r1', 'r1')
    gate.onEngine(engineSynced)
    expect(printed).toEqual([])
    gate.onMirror({ type: 'ready' })
    expect(printed).toEqual([{ event: 'ready' }, synced('r1')])
    gate.onEngine({ type: 'changed', changes: [] })
    set('r2', 'r2', null)
    gate.onEngine(engineSynced)
    gate.onMirror({ type: 'idle' })
    expect(printed).toHaveLength(2)
    set('r2', 'r2', 'r2')
    gate.onEngine(engineSynced)
    gate.onEngine(engineSynced)
    expect(printed.slice(2)).toEqual([synced('r2')])
  })

  test('CLI what came in is synced once it is on the disk', () => {
    const { gate, printed, set } = story()
    set('r1', null)
    gate.onMirror({ type: 'ready' })
    gate.onEngine({ type: 'changed', changes: [] })
    set('r2', 'r2')
    gate.onEngine(engineSynced)
    expect(printed).toEqual([{ event: 'ready' }])
    gate.onMirror({ type: 'idle' })
    expect(printed[1]).toEqual(synced('r2'))
  })

  test('CLI without a node nothing is ever called synced', () => {
    const { gate, printed, set } = story()
    set('r1')
    gate.onMirror({ type: 'ready' })
    gate.onEngine(engineSynced)
    expect(printed).toEqual([{ event: 'ready' }])
  })

  test('CLI conflicts and errors are told as they come', () => {
    const { gate, printed } = story()
    gate.onMirror({ type: 'conflict', path: '/a', versions: 2 })
    gate.onMirror({ type: 'error', path: '/b', error: new InvalidArgumentError('no', 'Do so.') })
    expect(printed).toEqual([{ event: 'conflict', path: '/a', versions: 2 }, { event: 'error', path: '/b', name: 'InvalidArgumentError', family: 'invalid', message: 'no', remedy: 'Do so.' }])
  })
})

test('CLI a directory is inside another by whole names', () => {
  expect([contains('/a', '/a'), contains('/a', '/a/b'), contains('/', '/a')]).toEqual([true, true, true])
  expect([contains('/a', '/ab'), contains('/a/b', '/a'), contains('/a', '/..a'), contains('/a', '/a/..b')]).toEqual([false, false, false, true])
})

import type { DeviceStatus, SyncOptions } from '@holdfast/engine'
import { describe, expect, test } from 'vitest'
import type { CommandContext } from '../context.js'
import { memoryOutput } from '../output.js'
import { createTalk } from '../talk.js'
import { pairingGroup } from './pairing.js'
import { refresh } from './syncing.js'

const device = (id: string, current: boolean): DeviceStatus => ({ id, peerId: `peer-${id}`, current, revokedAt: null } as DeviceStatus)

/** A device that hears of another one only when it asks its node. */
function deviceWithNews ({ live = false } = {}) {
  const asked: SyncOptions[] = []
  const revoked: string[] = []
  const engine = {
    nodes: () => [{ url: 'http://n', peerId: 'p', reachable: true, receipt: null }],
    devices: () => asked.length === 0 ? [device('aa', true)] : [device('aa', true), device('bb', false)],
    sync: async (options: SyncOptions) => { asked.push(options); return { settled: true, nodes: 1, reachableNodes: 1, failures: [] } },
    revoke: async (id: string) => { revoked.push(id) }
  }
  const out = memoryOutput()
  const io = { out, err: memoryOutput(), signal: new AbortController().signal, now: () => 0, stdin: async function * () { /* none */ } }
  const talk = createTalk({ command: '', args: [], options: {}, cwd: '/', json: true, quiet: false, columns: null }, io)
  const context = { ...talk, client: { engine }, holder: { home: '/', live, mirrors: new Map() } } as unknown as CommandContext
  return { context, asked, revoked, out }
}

describe('news before reading', () => {
  test('CLI a command that reads asks for the tree alone, and not at all where news arrive by themselves', async () => {
    const cold = deviceWithNews()
    await refresh(cold.context)
    expect(cold.asked).toMatchObject([{ contents: false }])
    const live = deviceWithNews({ live: true })
    await refresh(live.context)
    expect(live.asked).toEqual([])
  })

  test('CLI devices lists, and revoke finds, a device that only the nodes know of', async () => {
    const listing = deviceWithNews()
    expect(await pairingGroup.handlers['devices']!(listing.context, [], {})).toBe(0)
    expect((JSON.parse(listing.out.text()) as DeviceStatus[]).map(one => one.id)).toEqual(['aa', 'bb'])
    const revoking = deviceWithNews()
    expect(await pairingGroup.handlers['devices revoke']!(revoking.context, ['bb'], {})).toBe(0)
    expect(revoking.revoked).toEqual(['bb'])
  })
})

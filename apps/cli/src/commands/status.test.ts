import type { EngineStatus, NodeStatus } from '@holdfast/engine'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../errors.js'
import { parseListen } from './node.js'
import { nodeUrl } from './pairing.js'
import { statusLines } from './status.js'

const node = (receipt: NodeStatus['receipt'], extra: Partial<NodeStatus> = {}): NodeStatus => ({ url: 'http://n', peerId: 'p', reachable: true, receipt, ...extra })
const facts = (nodes: NodeStatus[]): EngineStatus => ({
  account: 'aa', device: 'dd', nodes,
  vaults: [{ id: 'vv', name: 'Home', root: 'new', body: 'b', entries: 2, bytes: 1_000, pendingBlocks: 3, conflicts: 1 }]
} as unknown as EngineStatus)
const text = (nodes: NodeStatus[]): string => statusLines(facts(nodes), 200_000).join('\n')

describe('status in words', () => {
  test('NODE-4 only a receipt for exactly what is here counts as safe', () => {
    expect(text([node({ root: 'new', at: 20_000 }), node({ root: 'new', at: 140_000 })])).toContain('safe on 2 nodes, verified 1 minute ago')
    expect(text([node({ root: 'old', at: 199_000 })])).toContain('the newest changes are on no node yet')
    expect(text([node(null)])).toContain('the newest changes are on no node yet')
    expect(text([])).toContain('on this device only')
  })

  test('CLI what waits, what conflicts and what failed is said', () => {
    const said = text([node(null, { reachable: false, error: 'it does not answer. Look.' })])
    expect(said).toContain('3 blocks still to be uploaded')
    expect(said).toContain('1 file has several versions')
    expect(said).toContain('not reachable')
    expect(said).toContain('it does not answer. Look.')
  })
})

describe('addresses', () => {
  test('CLI a node\'s address has one form', () => {
    expect(['127.0.0.1:4747', 'http://h:1/', 'HTTPS://Example.org/x//'].map(nodeUrl)).toEqual(['http://127.0.0.1:4747', 'http://h:1', 'https://example.org/x'])
    for (const wrong of ['ftp://h', 'http://', 'a b']) expect(() => nodeUrl(wrong)).toThrow(UsageError)
  })

  test('CLI --listen takes HOST:PORT', () => {
    for (const right of ['127.0.0.1:0', 'localhost:4747', '[::1]:80']) expect(parseListen(right)).toBe(right)
    for (const wrong of ['4747', 'h:', 'h:99999', 'http://h:1', '::1:1', '']) expect(() => parseListen(wrong)).toThrow(UsageError)
  })
})

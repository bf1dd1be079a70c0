import { blockId, createBlock, encodeBlock, RAW, type Block } from '@holdfast/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMemoryBlockStore, createMemoryRecordStore, createTestClock, createTestRandom } from '../../../../test/compliance/node-world.js'
import { openLedger } from './ledger.js'
import { walkIncomplete } from './walk.js'

// A failing property prints its seed; HOLDFAST_TEST_SEED=<seed> runs it again.
const seed = process.env['HOLDFAST_TEST_SEED']
const runs = { numRuns: 300, ...(seed === undefined ? {} : { seed: Number(seed) }) }

interface Node { block: Block, children: Node[] }

/** Each block links to some of those before it; the last is the root. */
async function build (shape: readonly (readonly number[])[]): Promise<Node[]> {
  const random = createTestRandom(1)
  const nodes: Node[] = []
  for (const links of shape) {
    const children = nodes.length === 0 ? [] : links.map(link => nodes[link % nodes.length]!)
    const block = links.length === 0 ? await createBlock(RAW, random.bytes(8)) : await encodeBlock({ v: 1, salt: random.bytes(4), links: children.map(child => child.block.cid) })
    nodes.push({ block, children })
  }
  return nodes
}

function reach (node: Node, found = new Set<Node>()): Set<Node> {
  if (!found.has(node)) {
    found.add(node)
    for (const child of node.children) reach(child, found)
  }
  return found
}

describe('walk', () => {
  test('NODE-4 calls complete exactly what is here with all it reaches, and names what is missing', async () => {
    await fc.assert(fc.asyncProperty(
      fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { minLength: 1, maxLength: 24 }), fc.array(fc.nat(24), { maxLength: 6 }), fc.array(fc.nat(24), { maxLength: 3 }), fc.constantFrom(1, 2, 1000),
      async (shape, absent, known, maxMissing) => {
        const nodes = await build(shape)
        const gone = new Set(absent.map(i => nodes[i % nodes.length]!))
        const whole = (node: Node): boolean => [...reach(node)].every(one => !gone.has(one))
        const [blocks, records, clock] = [createMemoryBlockStore(), createMemoryRecordStore(), createTestClock()]
        const ledger = await openLedger({ records, blocks, clock, quotas: { where: 'here', total: null, vault: null } })
        await ledger.add(nodes.filter(node => !gone.has(node)).map(node => node.block), 'operator')
        const marked = new Set(known.map(i => nodes[i % nodes.length]!).filter(whole).flatMap(node => [...reach(node)]))
        for (const node of marked) {
          const before = await ledger.facts(node.block.cid)
          const change = ledger.change(new Map([[node.block.cid, { before, after: { ...before!, complete: true } }]]))
          await records.write(change.records)
          change.apply()
        }
        const root = nodes.at(-1)!
        const walk = await walkIncomplete(root.block.cid, { blocks, ledger, maxMissing })
        const reached = [...reach(root)]
        const missing = new Set(walk.missing.map(blockId))
        const completed = new Set([...walk.completed.keys()].map(blockId))
        const ids = (some: Node[]): Set<string> => new Set(some.map(node => blockId(node.block.cid)))
        expect([...missing].filter(id => !ids(reached.filter(node => gone.has(node))).has(id))).toEqual([])
        expect([...completed].filter(id => !ids(reached.filter(node => whole(node) && !marked.has(node))).has(id))).toEqual([])
        expect(missing.size).toBeLessThanOrEqual(maxMissing)
        expect(missing.size === 0).toBe(whole(root))
        if (whole(root)) expect(completed).toEqual(ids(reached.filter(node => !marked.has(node) && pathWithout(root, node, marked))))
      }), runs)
  })
})

/** Whether a walk that stops at marked nodes gets there. */
function pathWithout (from: Node, to: Node, marked: ReadonlySet<Node>): boolean {
  if (marked.has(from)) return false
  return from === to || from.children.some(child => pathWithout(child, to, marked))
}

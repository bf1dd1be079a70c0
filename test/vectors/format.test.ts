import { createContent } from '@holdfast/content'
import { deriveVaultKeys, webPrimitives } from '@holdfast/crypto'
import { parseCid, vaultId } from '@holdfast/protocol'
import { describe, expect, test } from 'vitest'
import { contentsOf, makeContentVectors, makeCryptoVectors } from './format-vectors.js'
import { cidOf, cutAll, derive, hmac, listDigest, openList, paddedLength, sealChunk } from './independent.js'
import { bytesOf, hexOf, loadVectors } from './load.js'

interface CryptoVectors {
  deriveKey: { secret: string, label: string, length: number, key: string }[]
  padding: { kind: string, lengths: [number, number][], example: { bytes: string, padded: string } }[]
}
interface FileVector {
  name: string, contents: Parameters<typeof contentsOf>[0], node: string, key: string, digest: string, nodeBytes?: string, opened?: string, blocks: [string, number][]
  facts: { modified: number, mode: number, previous: { node: string, key: string }[], by: string | null, at: number }
}
interface ContentVectors {
  vault: { secret: string, vault: string, epoch: number, content: string, gear: string, log: string }
  keys: { chunk: string, node: string, index: string, inlineDigest: string, listDigest: string }
  gearTable: string
  files: FileVector[]
}
const crypto = loadVectors<CryptoVectors>('format/crypto.json')
const content = loadVectors<ContentVectors>('format/content.json')

test('KEY-2 the program still makes the keys, sealed bytes and padding that are on record', async () => {
  expect(await makeCryptoVectors()).toEqual(crypto)
})

test('CHK-2 the program still makes the chunks, index blocks and file nodes that are on record', async () => {
  expect(JSON.parse(JSON.stringify(await makeContentVectors()))).toEqual(content)
})

test('KEY-2 a second implementation derives the same keys and pads alike', () => {
  for (const { secret, label, length, key } of crypto.deriveKey) expect(hexOf(derive(bytesOf(secret), label, length))).toBe(key)
  const { vault, keys } = content
  for (const purpose of ['content', 'gear', 'log'] as const) expect(hexOf(derive(bytesOf(vault.secret), `vault/${purpose}/${vault.vault}/${vault.epoch}`))).toBe(vault[purpose])
  const labels = { node: 'file/node', index: 'file/index', inlineDigest: 'file/digest/inline', listDigest: 'file/digest/list' } as const
  for (const [name, label] of Object.entries(labels)) expect(hexOf(derive(bytesOf(vault.content), label))).toBe(keys[name as keyof typeof labels])
  expect(hexOf(derive(bytesOf(vault.gear), 'gear table', 1024))).toBe(content.gearTable)
  for (const { kind, lengths, example } of crypto.padding) {
    for (const [length, padded] of lengths) expect(paddedLength(length, kind === 'file' ? 0 : 2)).toBe(padded)
    expect(example.padded).toBe(`${example.bytes}80`.padEnd(paddedLength(example.bytes.length / 2, kind === 'file' ? 0 : 2) * 2, '0'))
  }
})

describe.each(content.files)('the file "$name"', file => {
  const keys = Object.fromEntries(Object.entries(content.keys).map(([name, key]) => [name, bytesOf(key)])) as Record<keyof ContentVectors['keys'], Uint8Array>
  const bytes = contentsOf(file.contents)
  const chunks = bytes.length <= 32_768 ? [] : bytes.length <= 921_600 ? [bytes] : cutAll(new Uint32Array(Uint8Array.from(bytesOf(content.gearTable)).buffer), bytes)
  const made = chunks.map(chunk => sealChunk(keys.chunk, chunk, chunks.length === 1))

  test('CHK-1 a second implementation cuts it and seals its chunks alike', () => {
    const stored = new Map(file.blocks)
    for (const { cid, length } of made) expect(stored.get(cid)).toBe(length)
    const others = file.blocks.filter(([cid]) => !made.some(chunk => chunk.cid === cid))
    expect(others.at(-1)![0]).toBe(file.node)
    if (chunks.length <= 64) expect(others).toHaveLength(1)
    else expect(others.length).toBeGreaterThan(2)
  })

  test.runIf(file.nodeBytes !== undefined)('CHK-4 a second implementation reads its file node', () => {
    expect(cidOf(0x71, bytesOf(file.nodeBytes!))).toBe(file.node)
    const { links, value } = openList(keys.node, bytesOf(file.key), bytesOf(file.nodeBytes!))
    const { modified, mode, at, by } = file.facts
    expect(value).toMatchObject({ size: bytes.length, modified, mode, at, by: by === null ? null : bytesOf(by) })
    expect((value['previous'] as unknown[][]).map(([node, key]) => ({ node: String(node), key: hexOf(key as Uint8Array) }))).toEqual(file.facts.previous)
    if (value['depth'] === 0) {
      expect(hexOf(value['data'] as Uint8Array)).toBe(hexOf(bytes))
      expect(hexOf(hmac(keys.inlineDigest, bytes))).toBe(file.digest)
      return
    }
    expect(hexOf(listDigest(keys.listDigest, bytes.length, value['depth'] as number, value['keys'] as Uint8Array))).toBe(file.digest)
    if (value['depth'] !== 1) return
    expect(links).toEqual(made.map(({ cid }) => cid))
    expect(value['lengths']).toEqual(chunks.map(chunk => chunk.length))
    expect(hexOf(value['keys'] as Uint8Array)).toBe(made.map(({ key }) => hexOf(key)).join(''))
  })

  test.runIf(file.nodeBytes !== undefined && chunks.length <= 1)('CHK-4 the program reads what is on record', async () => {
    const { secret, vault, epoch } = content.vault
    const reader = createContent({ primitives: webPrimitives, keys: deriveVaultKeys(bytesOf(secret), vaultId(bytesOf(vault)), epoch) })
    const opened = await reader.open({ node: parseCid(file.node), key: bytesOf(file.key) }, async () => bytesOf(file.nodeBytes!))
    expect(opened.size).toBe(bytes.length)
    expect(hexOf(opened.description.digest)).toBe(file.digest)
    expect(opened.description.modified).toBe(file.facts.modified)
  })
})

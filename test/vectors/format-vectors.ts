import { createContent, type FileFacts } from '@holdfast/content'
import { createSealedRecordStore, deriveKey, deriveVaultKeys, padme, paddedLength, passphraseKey, sealSmall, webPrimitives, type PaddingKind, type SealContext } from '@holdfast/crypto'
import { blockId, decode, deviceId, vaultId, type Block, type Random, type RecordStore } from '@holdfast/protocol'
import { noise } from './load.ts'

/**
 * Makes the vectors in `format/` from fixed input. They were written once by `write-format-vectors.ts` and pin the format:
 * when the program makes others, the program is wrong, or the format has a new version.
 */
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const counting = (length: number, from = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (from + i) & 0xff)
const fixed = (bytes: Uint8Array): Random => ({ bytes: length => bytes.slice(0, length) })

const SECRET = counting(32, 1)
const VAULT = vaultId(counting(16, 0xa0))
const EPOCH = 3
const vaultKeys = deriveVaultKeys(SECRET, VAULT, EPOCH)
const vault = { secret: hex(SECRET), vault: VAULT, epoch: EPOCH, content: hex(vaultKeys.content), gear: hex(vaultKeys.gear), log: hex(vaultKeys.log) }

export async function makeCryptoVectors (): Promise<unknown> {
  return {
    about: 'Bytes in hexadecimal. Keys (KEY-2), small payloads (KEY-4), records at rest, padding (CHK-3), passphrases.',
    deriveKey: [['vault/membership', 32], ['head/x', 32], ['\u00e9', 7], ['gear table', 64]].map(([label, length]) =>
      ({ secret: hex(SECRET), label, length, key: hex(deriveKey(SECRET, label as string, length as number)) })),
    vaultKeys: vault,
    sealSmall: ([
      [{ vault: VAULT, epoch: EPOCH, purpose: 'change', position: 'device/7' }, counting(40)],
      [{ vault: null, epoch: 0, purpose: 'envelope', position: '' }, new Uint8Array(0)]
    ] as [SealContext, Uint8Array][]).map(([context, plaintext]) =>
      ({ key: hex(SECRET), nonce: hex(counting(24, 64)), context, plaintext: hex(plaintext), sealed: hex(sealSmall(SECRET, plaintext, context, fixed(counting(24, 64)))) })),
    sealedRecord: await sealedRecord('page/1', counting(20)),
    padding: (['file', 'chunk'] as PaddingKind[]).map(kind => ({
      kind,
      lengths: [0, 1, 8, 9, 100, 1000, 32_768, 65_536, 100_000, 262_144, 921_600, 1_044_479].map(length => [length, paddedLength(length, kind)]),
      example: { bytes: hex(counting(97)), padded: hex(padme(counting(97), kind)) }
    })),
    passphrase: { passphrase: 'caf\u00e9 au lait', salt: hex(counting(16)), N: 1024, r: 8, p: 1, key: hex(await passphraseKey('cafe\u0301 au lait', counting(16), { N: 1024, r: 8, p: 1 })) }
  }
}

async function sealedRecord (key: string, value: Uint8Array): Promise<unknown> {
  let stored: Uint8Array | undefined
  const inner = { async write (changes: { value?: Uint8Array }[]) { stored = changes[0]?.value } } as unknown as RecordStore
  await createSealedRecordStore(inner, SECRET, webPrimitives, fixed(counting(12, 64))).write([{ key, value }])
  return { key: hex(SECRET), nonce: hex(counting(12, 64)), record: key, value: hex(value), stored: hex(stored!) }
}

interface FileCase { name: string, contents: { hex: string } | { seed: string, length: number } | { zeros: number }, facts: FileFacts }

const plain: FileFacts = { modified: 1_763_000_000_123, mode: 0o644, previous: [], by: null, at: 1_763_000_000_456 }
const device = deviceId(counting(32, 0x40))

export const contentsOf = (contents: FileCase['contents']): Uint8Array =>
  'hex' in contents ? Uint8Array.from(Buffer.from(contents.hex, 'hex')) : 'zeros' in contents ? new Uint8Array(contents.zeros) : noise(contents.seed, contents.length)

export async function makeContentVectors (): Promise<unknown> {
  const empty = await fileVector({ name: 'empty', contents: { hex: '' }, facts: plain })
  const previous = [{ node: empty.sealed.ref.node, key: empty.sealed.ref.key }]
  const cases: FileCase[] = [
    { name: 'inline', contents: { hex: hex(new TextEncoder().encode('Holdfast\n')) }, facts: { ...plain, modified: -1, mode: 0o4755, by: device, previous } },
    { name: 'longest inline', contents: { seed: 'inline', length: 32_768 }, facts: plain },
    { name: 'shortest single chunk', contents: { seed: 'single', length: 32_769 }, facts: plain },
    { name: 'longest single chunk', contents: { seed: 'single', length: 921_600 }, facts: plain },
    { name: 'shortest list of chunks', contents: { seed: 'chunks', length: 921_601 }, facts: plain },
    { name: 'index blocks', contents: { seed: 'index', length: 12_000_000 }, facts: { ...plain, by: device } },
    { name: 'zeros', contents: { zeros: 3_000_000 }, facts: plain }
  ]
  const files = [empty.vector]
  for (const file of cases) files.push((await fileVector(file)).vector)
  const key = (label: string): string => hex(deriveKey(vaultKeys.content, label))
  return {
    about: 'Bytes in hexadecimal; a seed stands for the keystream of AES-256-CTR from a zero counter under SHA-256 of the seed. Chunks, index blocks and file nodes (CHK-1 to CHK-4, MAN-6). A file\'s blocks are those that are stored, in order; "opened" is its file node\'s sealed part after AES-GCM, with padding.',
    vault,
    keys: { chunk: hex(vaultKeys.content), node: key('file/node'), index: key('file/index'), inlineDigest: key('file/digest/inline'), listDigest: key('file/digest/list') },
    gearTable: hex(deriveKey(vaultKeys.gear, 'gear table', 1024)),
    files
  }
}

async function fileVector ({ name, contents, facts }: FileCase) {
  const content = createContent({ primitives: webPrimitives, keys: vaultKeys })
  const blocks: Block[] = []
  const bytes = contentsOf(contents)
  const sealed = await content.seal([bytes], facts, async batch => { blocks.push(...batch) })
  const node = blocks.at(-1)!.bytes
  const opened = await webPrimitives.openAesGcm(sealed.ref.key, new Uint8Array(12), (decode(node) as { sealed: Uint8Array }).sealed)
  const long = node.length > 20_000
  const vector = {
    name,
    contents,
    facts: { ...facts, previous: facts.previous.map(ref => ({ node: blockId(ref.node), key: hex(ref.key) })) },
    node: blockId(sealed.ref.node),
    key: hex(sealed.ref.key),
    digest: hex(sealed.digest),
    ...(long ? {} : { nodeBytes: hex(node), opened: hex(opened) }),
    blocks: blocks.map(block => [blockId(block.cid), block.bytes.length])
  }
  return { sealed, vector }
}

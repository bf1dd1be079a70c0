import { decode, encode } from '@holdfast/protocol'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'

/**
 * A second implementation of the file format, from its description and Node's own primitives, sharing nothing with
 * packages/crypto and packages/content: short and slow. What both agree on is the format, not the habit of one program.
 */
export const derive = (secret: Uint8Array, label: string, length = 32): Uint8Array => new Uint8Array(hkdfSync('sha256', secret, '', `holdfast/1/${label}`, length))
export const hmac = (key: Uint8Array, data: Uint8Array): Uint8Array => new Uint8Array(createHmac('sha256', key).update(data).digest())
export const cidOf = (code: 0x55 | 0x71, bytes: Uint8Array): string => CID.createV1(code, Digest.create(0x12, createHash('sha256').update(bytes).digest())).toString()

export function paddedLength (contents: number, extraBits: number): number {
  const length = contents + 1
  if (length < 2) return length
  const exponent = Math.floor(Math.log2(length))
  const step = 2 ** Math.max(0, exponent - Math.floor(Math.log2(exponent)) - 1 - extraBits)
  return Math.ceil(length / step) * step
}

const nonce = (last: number): Uint8Array => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last)

export function sealChunk (contentKey: Uint8Array, plaintext: Uint8Array, alone: boolean): { key: Uint8Array, cid: string, length: number } {
  const padded = Buffer.alloc(paddedLength(plaintext.length, alone ? 0 : 2))
  padded.set(plaintext)
  padded[plaintext.length] = 0x80
  const key = hmac(contentKey, plaintext)
  const cipher = createCipheriv('aes-256-gcm', key, nonce(alone ? 0 : 1))
  const sealed = Buffer.concat([cipher.update(padded), cipher.final(), cipher.getAuthTag()])
  return { key, cid: cidOf(0x55, sealed), length: sealed.length }
}

/** Opens a file node or index block: its links, and the sealed part, of which it checks that its key is made from it. */
export function openList (kindKey: Uint8Array, key: Uint8Array, bytes: Uint8Array): { links: string[], value: Record<string, unknown> } {
  const node = decode(bytes) as { v: number, links: CID[], sealed: Uint8Array }
  if (node.v !== 1) throw new Error('another version')
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(0))
  decipher.setAuthTag(node.sealed.subarray(-16))
  const padded = Buffer.concat([decipher.update(node.sealed.subarray(0, -16)), decipher.final()])
  const plaintext = padded.subarray(0, padded.lastIndexOf(0x80))
  if (Buffer.compare(hmac(kindKey, plaintext), key) !== 0) throw new Error('the key is of something else')
  return { links: node.links.map(String), value: decode(plaintext) as Record<string, unknown> }
}

/** FastCDC by its definition. */
export function cutAll (gear: Uint32Array, bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let start = 0; start < bytes.length;) {
    const average = start < 2 ** 27 ? 2 ** 16 : start < 2 ** 28 ? 2 ** 17 : 2 ** 18
    const bits = Math.log2(average)
    const limit = Math.min(bytes.length - start, 4 * average, 1_044_479)
    let length = Math.min(limit, average / 4)
    for (let hash = 0; length < limit;) {
      hash = (hash * 2 + gear[bytes[start + length++]!]!) % 2 ** 32
      if (hash % 2 ** 31 < 2 ** (31 - (length <= average ? bits + 2 : bits - 2))) break
    }
    chunks.push(bytes.subarray(start, start + length))
    start += length
  }
  return chunks
}

export const listDigest = (key: Uint8Array, size: number, depth: number, keys: Uint8Array): Uint8Array => hmac(key, encode([size, depth, keys]))

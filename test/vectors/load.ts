import { createCipheriv, createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** Reads a vector file that lies next to this one. Its shape is what the test expects; a wrong one fails there. */
export const loadVectors = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as T
export const loadCases = <Name extends string>(name: string): Record<Name, string>[] => loadVectors<{ cases: Record<Name, string>[] }>(name).cases
export const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Bytes without a pattern, the same for the same seed: the keystream of AES-256-CTR from a zero counter, under SHA-256 of the seed in UTF-8. */
export function noise (seed: string, length: number): Uint8Array {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), new Uint8Array(16))
  return new Uint8Array(cipher.update(new Uint8Array(length)))
}

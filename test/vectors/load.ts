import { readFileSync } from 'node:fs'

/** Reads a vector file that lies next to this one. Its shape is what the test expects; a wrong one fails there. */
export const loadVectors = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as T
export const loadCases = <Name extends string>(name: string): Record<Name, string>[] => loadVectors<{ cases: Record<Name, string>[] }>(name).cases
export const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'

/**
 * Makes this process a deterministic one: what the platform does on threads (Ed25519 in WebCrypto, inflating) is done
 * at once instead, by the same algorithms, so that the order of events depends on the seed alone. After this, all
 * work that an event starts is done when the microtask queue is empty.
 */
export function makeDeterministic (): void {
  const subtle = {
    importKey: async (_format: string, key: Uint8Array): Promise<Uint8Array> => {
      if (key.length !== 32) throw new DOMException('not a key', 'DataError')
      return key
    },
    verify: async (_algorithm: string, key: Uint8Array, signature: Uint8Array, message: Uint8Array): Promise<boolean> => verifyEd25519(key, signature, message),
    digest: async (algorithm: string | { name: string }, data: Uint8Array): Promise<ArrayBuffer> => {
      const name = (typeof algorithm === 'string' ? algorithm : algorithm.name).replace('-', '').toLowerCase()
      const digest = createHash(name).update(data).digest()
      return digest.buffer.slice(digest.byteOffset, digest.byteOffset + digest.length) as ArrayBuffer
    }
  }
  Object.defineProperty(globalThis.crypto, 'subtle', { value: subtle, configurable: true })
  Object.defineProperty(globalThis, 'Blob', { value: InstantBlob, configurable: true, writable: true })
  Object.defineProperty(globalThis, 'DecompressionStream', { value: InstantInflate, configurable: true, writable: true })
}

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const publicKeys = new Map<string, ReturnType<typeof createPublicKey>>()

function verifyEd25519 (key: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
  const id = Buffer.from(key).toString('hex')
  let known = publicKeys.get(id)
  if (known === undefined) {
    known = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, key]), format: 'der', type: 'spki' })
    publicKeys.set(id, known)
  }
  return verify(null, message, known, signature)
}

/** An Ed25519 signer that is as fast as OpenSSL and answers at once. */
export function instantSigner (seed: Uint8Array, publicKey: Uint8Array): { publicKey: Uint8Array, sign: (message: Uint8Array) => Promise<Uint8Array> } {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  return { publicKey, sign: async message => new Uint8Array(sign(null, message, key)) }
}

class InstantBlob {
  constructor (private readonly parts: readonly Uint8Array[]) {}
  stream (): ReadableStream<Uint8Array> {
    const { parts } = this
    return new ReadableStream({
      start (controller) {
        for (const part of parts) controller.enqueue(part)
        controller.close()
      }
    })
  }
}

class InstantInflate {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
  constructor () {
    const pieces: Uint8Array[] = []
    const transform = new TransformStream<Uint8Array, Uint8Array>({
      transform (piece) { pieces.push(piece) },
      flush (controller) { controller.enqueue(new Uint8Array(inflateRawSync(Buffer.concat(pieces)))) }
    })
    this.readable = transform.readable
    this.writable = transform.writable
  }
}

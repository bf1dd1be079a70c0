import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { InvalidArgumentError, isHoldfastError } from '@holdfast/protocol'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { isDisconnect } from './errors.js'

/**
 * The first file of a `multipart/form-data` body as it arrives (Kubo's RPC sends one), or the body itself when it is
 * not multipart. Nothing is held back: the sender waits for the reader.
 */
export async function * uploadedFile (request: IncomingMessage): AsyncGenerator<Uint8Array> {
  if (!/^multipart\/form-data/i.test(request.headers['content-type'] ?? '')) {
    yield * request
    return
  }
  const file = await firstFile(request)
  try { for await (const part of file) yield part as Uint8Array } catch (error) {
    throw error instanceof Error && !isHoldfastError(error) && !isDisconnect(error) ? new InvalidArgumentError(`the file upload is damaged: ${error.message}`, 'Send it again.') : error
  } finally {
    request.unpipe()
    request.resume()
  }
}

async function firstFile (request: IncomingMessage): Promise<Readable> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => { reject(new InvalidArgumentError(`not a file upload: ${why}`, 'Send one file as multipart/form-data, as Kubo\'s RPC wants it.')) }
    let parser: BusboyInstance
    try {
      parser = new Busboy({ headers: request.headers as { 'content-type': string }, limits: { files: 1, fields: 16, fieldSize: 1024, headerPairs: 32, headerSize: 4096 }, isPartAFile: () => true })
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error))
      return
    }
    let found: Readable | undefined
    parser.on('file', (_field: string, stream: Readable) => {
      found = stream
      resolve(stream)
    })
    parser.on('finish', () => { if (found === undefined) fail('it holds no file') })
    parser.on('error', (error: unknown) => {
      if (found === undefined) fail(error instanceof Error ? error.message : String(error))
      else found.destroy(new InvalidArgumentError('the file upload is damaged'))
    })
    request.on('error', error => { reject(error); found?.destroy(error) })
    request.on('aborted', () => { found?.destroy(Object.assign(new Error('the sender went away'), { code: 'ECONNRESET' })) })
    request.pipe(parser)
  })
}

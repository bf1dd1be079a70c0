import { CorruptBlockError, encode, isHoldfastError, LimitExceededError, MAX_BLOCK_BYTES, type Block } from '@holdfast/protocol'
import { asyncIterableReader, createDecoder } from '@ipld/car/decoder'
import { varint } from 'multiformats'

const MAX_SECTION_BYTES = MAX_BLOCK_BYTES + 128

/** CARv1 header without roots, with its length before it. */
export const carHeader = (): Uint8Array => withLength(encode({ version: 1, roots: [] }))

/** One block as the section of a CAR, in two pieces: what goes before, and the bytes themselves, not copied. */
export const carSection = ({ cid, bytes }: Block): [Uint8Array, Uint8Array] => [concat(lengthOf(cid.bytes.length + bytes.length), cid.bytes), bytes]

/** The blocks of a CAR as it arrives, unchecked, each in memory of its own. Throws CorruptBlockError, LimitExceededError. */
export async function * readCar (source: AsyncGenerator<Uint8Array>): AsyncGenerator<Block> {
  const inner = asyncIterableReader(source)
  // The decoder trusts the lengths that a CAR states; nothing may make us buffer more than a block.
  const decoder = createDecoder({
    upTo: async length => inner.upTo(length),
    async exactly (length, seek) {
      if (!(length >= 0 && length <= MAX_SECTION_BYTES)) throw new LimitExceededError('section of a CAR', length, MAX_SECTION_BYTES)
      return inner.exactly(length, seek)
    },
    seek: length => { inner.seek(length) },
    get pos () { return inner.pos }
  })
  try {
    await decoder.header()
    for await (const { cid, bytes } of decoder.blocks()) yield { cid, bytes: bytes.slice() }
  } catch (cause) {
    if (isHoldfastError(cause) || (cause instanceof Error && cause.name !== 'Error')) throw cause
    throw new CorruptBlockError('the answer is not a CAR', {}, { cause })
  } finally {
    // The decoder leaves its source open when nobody reads to the end.
    await source.return(undefined)
  }
}

const lengthOf = (value: number): Uint8Array => varint.encodeTo(value, new Uint8Array(varint.encodingLength(value)))
const withLength = (bytes: Uint8Array): Uint8Array => concat(lengthOf(bytes.length), bytes)

function concat (...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) { joined.set(part, offset); offset += part.length }
  return joined
}

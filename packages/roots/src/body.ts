import { CorruptBlockError, checkCidKind, checkVersion, decode, encode, encodeBlock, equalBytes, fieldReader, type Block } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'

const VERSION = 1

/** ROOT-1: three tries. Devices in the same state have the same body CID. */
export interface Body {
  /** Change and fragment blocks. */
  readonly log: CID
  /** File nodes of live and retained versions. */
  readonly files: CID
  /** Membership blocks. */
  readonly members: CID
}

const bodyFields = ({ log, files, members }: Body) => ({ v: VERSION, log, files, members })

export const encodeBody = async (body: Body): Promise<Block> => encodeBlock(bodyFields(body))

/** Throws CorruptBlockError, UnknownVersionError. */
export function decodeBody (bytes: Uint8Array): Body {
  const value = decode(bytes, 'body')
  checkVersion('body', value, VERSION)
  const f = fieldReader('body', value)
  const body = { log: linkTo(f.cid('log')), files: linkTo(f.cid('files')), members: linkTo(f.cid('members')) }
  if (!equalBytes(encode(bodyFields(body)), bytes)) throw new CorruptBlockError('a body is not in the one encoding of its content')
  return body
}

function linkTo (cid: CID): CID {
  try { checkCidKind(cid) } catch (cause) { throw new CorruptBlockError('a body links to a kind of block that Holdfast never makes', {}, { cause }) }
  return cid
}

import { checkBlock, CorruptBlockError, encode, MAX_BLOCKS_PER_REQUEST, blockId, type Block, type CallOptions } from '@holdfast/protocol'
import type { CID } from 'multiformats/cid'
import { readCar } from './car.js'
import type { Session } from './session.js'

/** Few enough that several requests share a long list, so that one slow answer does not hold up all. */
const BLOCKS_PER_REQUEST = Math.min(512, MAX_BLOCKS_PER_REQUEST)
const REQUESTS_IN_FLIGHT = 3

/** ANN-2: what the node has of these, in any order, each checked against its CID. */
export async function * download (session: Session, cids: readonly CID[], options: CallOptions): AsyncGenerator<Block> {
  const distinct = [...new Map(cids.map(cid => [blockId(cid), cid])).values()]
  const groups: CID[][] = []
  for (let i = 0; i < distinct.length; i += BLOCKS_PER_REQUEST) groups.push(distinct.slice(i, i + BLOCKS_PER_REQUEST))
  const left = new AbortController()
  const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal])
  yield * merge(groups.map(group => () => fetchGroup(session, group, { signal })), REQUESTS_IN_FLIGHT, () => { left.abort(new Error('no longer wanted')) })
}

async function * fetchGroup (session: Session, cids: readonly CID[], options: CallOptions): AsyncGenerator<Block> {
  const wanted = new Map(cids.map(cid => [blockId(cid), cid]))
  const answer = await session.ask({ ...options, method: 'POST', path: '/api/v1/blocks', body: encode(cids), type: 'application/vnd.ipld.dag-cbor', accept: 'application/vnd.ipld.car' })
  for await (const { cid, bytes } of readCar(answer.pieces())) {
    if (!wanted.delete(blockId(cid))) throw new CorruptBlockError('the node sent a block that was not asked for', { cid: cid.toString() })
    yield await checkBlock(cid, bytes)
  }
}

/**
 * Runs up to `width` sources at a time and yields what comes first. Each is held back until its item is taken. When one
 * fails, or whoever reads leaves early, `stop` has to end the others, which may be waiting for the node.
 */
async function * merge<T> (sources: readonly (() => AsyncGenerator<T>)[], width: number, stop: () => void): AsyncGenerator<T> {
  const waiting = [...sources]
  const running = new Map<AsyncGenerator<T>, Promise<{ from: AsyncGenerator<T>, result: IteratorResult<T> }>>()
  const pull = (from: AsyncGenerator<T>): void => {
    const next = from.next().then(result => ({ from, result }))
    // Seen by the race below; when another source failed first, nobody is left to tell.
    next.catch(() => undefined)
    running.set(from, next)
  }
  try {
    for (;;) {
      while (running.size < width && waiting.length > 0) pull(waiting.shift()!())
      if (running.size === 0) return
      const { from, result } = await Promise.race(running.values())
      if (result.done === true) running.delete(from)
      else {
        yield result.value
        pull(from)
      }
    }
  } finally {
    stop()
    await Promise.allSettled([...running.keys()].map(async from => from.return(undefined)))
  }
}

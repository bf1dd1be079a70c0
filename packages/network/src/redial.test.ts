import { expect, test } from 'vitest'
import { createManualClock } from '../test-support.js'
import { createRedialler, peerOfAddress, REDIAL, redialDelay, type Dialler } from './redial.js'

const PEER = '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5'
const TCP = `/ip4/127.0.0.1/tcp/4001/p2p/${PEER}`
const WS = `/ip4/127.0.0.1/tcp/4002/ws/p2p/${PEER}`
const settle = async (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

function setUp () {
  const clock = createManualClock()
  const dialled: string[][] = []
  const state = { up: false, connected: false, hungUp: 0, aborted: 0 }
  const dialler: Dialler = {
    async dial (addresses, signal) {
      signal.addEventListener('abort', () => { state.aborted++ })
      dialled.push([...addresses])
      if (!state.up) throw new Error('nobody there')
      state.connected = true
      redialler.connected(PEER)
    },
    isConnected: () => state.connected,
    async hangUp () { state.hungUp++ }
  }
  const redialler = createRedialler(dialler, clock)
  const drop = (): void => {
    state.connected = false
    redialler.disconnected(PEER)
  }
  return { clock, dialled, state, redialler, drop }
}

test('ANN-2 an unreachable peer is dialled again after waits that double up to a cap', async () => {
  const { clock, dialled, redialler } = setUp()
  redialler.keep([TCP])
  const waits: number[] = []
  for (let i = 0; i < 10; i++) {
    await settle()
    expect(dialled).toHaveLength(i + 1)
    const [wait] = clock.waiting()
    waits.push(wait!)
    clock.advance(wait! - 1)
    expect(dialled).toHaveLength(i + 1)
    clock.advance(1)
  }
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000])
  expect(redialDelay(10_000)).toBe(REDIAL.most)
  await redialler.close()
})

test('ANN-2 all addresses of a peer are tried in one attempt, and a new address at once', async () => {
  const { clock, dialled, redialler } = setUp()
  redialler.keep([TCP, WS])
  await settle()
  expect(dialled).toEqual([[TCP, WS]])
  redialler.keep([TCP.replace('4001', '4003')])
  await settle()
  expect(dialled[1]).toHaveLength(3)
  expect(clock.waiting()).toHaveLength(1)
  await redialler.close()
})

test('ANN-2 a lost connection is dialled again; one that never lasts is dialled ever less often', async () => {
  const { clock, dialled, state, redialler, drop } = setUp()
  state.up = true
  redialler.keep([TCP])
  await settle()
  clock.advance(REDIAL.most)
  drop()
  expect(clock.waiting()).toEqual([500])
  for (const wait of [500, 500, 1000, 2000]) {
    expect(clock.waiting()).toEqual([wait])
    clock.advance(wait)
    await settle()
    expect(state.connected).toBe(true)
    drop()
  }
  expect(dialled).toHaveLength(5)
  await redialler.close()
})

test('ANN-2 a peer that connected by itself is not dialled', async () => {
  const { clock, dialled, state, redialler } = setUp()
  redialler.keep([TCP])
  await settle()
  state.connected = true
  redialler.connected(PEER)
  expect(clock.waiting()).toEqual([])
  clock.advance(REDIAL.most)
  expect(dialled).toHaveLength(1)
  await redialler.close()
})

test('ANN-2 a forgotten peer is hung up on and not dialled again, once its last address is forgotten', async () => {
  const { clock, dialled, state, redialler } = setUp()
  redialler.keep([TCP, WS])
  await settle()
  redialler.forget([TCP])
  expect([redialler.keeps(PEER), state.hungUp, clock.waiting().length]).toEqual([true, 0, 1])
  redialler.forget([WS])
  expect([redialler.keeps(PEER), state.hungUp, clock.waiting().length, state.aborted]).toEqual([false, 1, 0, 1])
  redialler.disconnected(PEER)
  clock.advance(REDIAL.most)
  expect(dialled).toHaveLength(1)
  await redialler.close()
})

test('ANN-2 closing ends waits and attempts', async () => {
  const { clock, dialled, state, redialler } = setUp()
  redialler.keep([TCP])
  await settle()
  await redialler.close()
  expect([clock.waiting().length, state.aborted]).toEqual([0, 1])
  redialler.keep([WS])
  await settle()
  expect(dialled).toHaveLength(1)
})

test('NODE-2 an address that does not name its peer is refused: anyone could answer there', () => {
  expect(() => peerOfAddress('/ip4/127.0.0.1/tcp/4001')).toThrow(expect.objectContaining({ name: 'InvalidArgumentError' }))
  expect(() => peerOfAddress('nonsense')).toThrow(expect.objectContaining({ name: 'InvalidArgumentError' }))
  expect(peerOfAddress(`${TCP}/p2p-circuit/p2p/12D3KooWBuKMknH8YYXuvUA1MYYn4zeL1PnziSXfShFteYcjExS6`)).toBe('12D3KooWBuKMknH8YYXuvUA1MYYn4zeL1PnziSXfShFteYcjExS6')
})

import { MAX_ANNOUNCEMENT_BYTES, type Clock, type Network } from '@holdfast/protocol'
import { decodeAnnouncement, encodeAnnouncement } from '@holdfast/roots'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { damaged, names, save, type TestClock, type TestDevice } from '../../packages/engine/src/world.test-support.js'
import { createHostileWorld, forgeHead, shownRoot, type HostileWorld } from './hostile-world.js'

/** Gossip among a few devices, and a way to say anything to any of them. */
interface Gossip {
  port (name: string): Network
  /** As if a peer had said it. */
  say (name: string, message: Uint8Array): void
  /** Everything that was said while nothing was carried on. */
  readonly kept: { from: string, message: Uint8Array }[]
  carries: boolean
}

function createGossip (): Gossip {
  const listeners = new Map<string, Set<(message: Uint8Array, from: string) => void>>()
  const gossip: Gossip = {
    kept: [],
    carries: true,
    say: (name, message) => { for (const listener of listeners.get(name) ?? []) listener(message, 'somebody') },
    port: name => ({
      peerId: name,
      keep: () => undefined,
      forget: () => undefined,
      connectedPeers: () => [],
      subscribe (_topic, onMessage) {
        listeners.set(name, (listeners.get(name) ?? new Set()).add(onMessage))
        return () => { listeners.get(name)?.delete(onMessage) }
      },
      async publish (_topic, message) {
        if (!gossip.carries) { gossip.kept.push({ from: name, message }); return }
        for (const other of listeners.keys()) if (other !== name) gossip.say(other, message)
      },
      onPeer: () => () => undefined,
      fetchBlock: async () => { throw new Error('nobody is connected') },
      close: async () => undefined
    })
  }
  return gossip
}

/** Lets time pass, a little at a time, until it is so. */
async function until (clock: TestClock & Clock, condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > 4_000) throw new Error('it never came to be')
    clock.advance(5)
    await new Promise(resolve => { setImmediate(resolve) })
  }
}

let world: HostileWorld
let gossip: Gossip
let victim: TestDevice
let friend: TestDevice
let started: TestDevice[]

beforeEach(async () => {
  world = await createHostileWorld()
  gossip = createGossip()
  victim = await world.device({ components: { network: gossip.port('victim') } })
  friend = await world.device({ components: { network: gossip.port('friend') } })
  started = [victim, friend]
  for (const { engine } of started) engine.start()
  await save(friend, world.clock, 'shared', 'before')
  await until(world.clock, () => names(victim).includes('shared'))
})

afterEach(async () => { for (const { engine } of started) await engine.stop() })

/** What the friend announces of this work. Nobody hears it. */
async function announced (work: () => Promise<unknown>): Promise<Uint8Array> {
  gossip.carries = false
  await work()
  const said = (): Uint8Array[] => gossip.kept.filter(({ from }) => from === 'friend').map(({ message }) => message)
  await until(world.clock, () => said().length > 0)
  gossip.carries = true
  return said()[0]!
}

const look = (): unknown => ({ body: victim.body(), names: names(victim), entries: victim.engine.vault.index.size })

/** The error that the victim tells of next. */
async function told (message: Uint8Array): Promise<{ name: string, family: string }> {
  const before = victim.events.length
  const errors = (): { name: string, family: string, remedy: string }[] => victim.events.slice(before).flatMap(event => event.type === 'error' ? [event.error] : [])
  gossip.say('victim', message)
  await until(world.clock, () => errors().length > 0)
  const { name, family, remedy } = errors()[0]!
  expect(remedy).toMatch(/[.]$/)
  return { name, family }
}

describe('announcements', () => {
  it('ANN-1 one that is too large is refused unread', async () => {
    const before = look()
    expect(await told(new Uint8Array(MAX_ANNOUNCEMENT_BYTES + 1))).toEqual({ name: 'LimitExceededError', family: 'invalid' })
    expect(look()).toEqual(before)
  })

  it('ANN-1 one that is no announcement, one of a version to come, and one with a broken block are refused', async () => {
    const honest = await announced(async () => { await save(friend, world.clock, 'news', 'news') })
    const { head, record, blocks } = await decodeAnnouncement(honest)
    const before = look()
    expect(await told(Uint8Array.of(1, 2, 3))).toEqual({ name: 'CorruptBlockError', family: 'corrupt' })
    expect(await told(encodeAnnouncement({ head, record, blocks: blocks.map(({ cid, bytes }, i) => ({ cid, bytes: i === 0 ? damaged(bytes) : bytes })) }))).toEqual({ name: 'CorruptBlockError', family: 'corrupt' })
    expect(await told(encodeAnnouncement({ head, record: damaged(record), blocks }))).toMatchObject({ family: expect.stringMatching(/corrupt|unauthorised/) as string })
    expect(look()).toEqual(before)
    gossip.say('victim', honest)
    await until(world.clock, () => names(victim).includes('news'))
  })

  it('HEAD-2 one by a stranger is refused', async () => {
    const stranger = await (await createHostileWorld(2)).join()
    const { root, body } = await shownRoot(friend)
    const before = look()
    const { head, record, blocks } = await forgeHead(world, { by: stranger, body: { ...body, log: body.members }, counter: root.counter + 1 })
    expect(await told(encodeAnnouncement({ head, record, blocks }))).toEqual({ name: 'UnauthorisedError', family: 'unauthorised' })
    expect(look()).toEqual(before)
  })

  it('ANN-1 a flood of rubbish changes nothing and holds nobody up: saving goes on in it, and honest news arrive after it', async () => {
    const honest = await announced(async () => { await save(friend, world.clock, 'news', 'news') })
    const { head, record, blocks } = await decodeAnnouncement(honest)
    const before = look()
    for (let i = 0; i < 2_000; i++) {
      const at = i % honest.length
      gossip.say('victim', [
        () => world.random.bytes(i % 500),
        () => honest.subarray(0, at),
        () => honest.map((byte, k) => k === at ? byte ^ 0x55 : byte),
        () => encodeAnnouncement({ head, record: record.subarray(0, at % record.length), blocks: [] }),
        () => encodeAnnouncement({ head, record, blocks: blocks.slice(0, i % blocks.length) })
      ][i % 5]!())
      // Some of it in a burst, most of it a few at a time.
      if (i > 500 && i % 20 === 0) await new Promise(resolve => { setImmediate(resolve) })
    }
    // In the middle of it: local work is not held up.
    await save(victim, world.clock, 'mine', 'mine')
    expect(names(victim)).toContain('mine')
    expect(names(victim).filter(name => name !== 'news')).toEqual(['mine', 'shared'])
    await until(world.clock, () => { gossip.say('victim', honest); return names(victim).includes('news') })
    expect(names(victim)).toEqual(['mine', 'news', 'shared'])
    expect(victim.errors()).not.toContain('InternalError')
    expect(before).toMatchObject({ names: ['shared'] })
    const again = await victim.restart()
    started.push(again)
    expect(names(again)).toEqual(['mine', 'news', 'shared'])
  })
})

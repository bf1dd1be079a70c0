import { createBlock, encode, MAX_ANNOUNCEMENT_BYTES, RAW, type Block, type BlockStore, type Network } from '@holdfast/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

/** One peer of a network under test. */
export interface CompliancePeer {
  readonly network: Network
  /** What this peer serves. */
  readonly blocks: BlockStore
  /** What others pass to `keep` to reach it; empty for a peer that only dials. */
  addresses (): readonly string[]
}

/** A fresh network: real sockets on loopback, or a simulation. */
export interface ComplianceWorld {
  /** `node`: can be dialled, and stands between the others. `stranger`: no other peer allows it. Each call makes another peer. */
  start (options?: { node?: boolean, stranger?: boolean }): Promise<CompliancePeer>
  /** Closes a peer and starts it again: same key, same addresses, same blocks. */
  restart (peer: CompliancePeer): Promise<CompliancePeer>
  /** Lets time pass until the condition holds, calling `meanwhile` at intervals; rejects when it does not come to hold. */
  until (condition: () => boolean, meanwhile?: () => Promise<void> | void): Promise<void>
  /** Closes every peer. */
  close (): Promise<void>
}

const TOPIC = 'holdfast/compliance'

const named = (name: string) => expect.objectContaining({ name })
const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])
const block = async (text: string): Promise<Block> => createBlock(RAW, encode(text))

interface Heard { message: Uint8Array, from: string }

function listen (peer: CompliancePeer, topic = TOPIC): Heard[] {
  const heard: Heard[] = []
  peer.network.subscribe(topic, (message, from) => heard.push({ message, from }))
  return heard
}

/** What every Network has to do, whatever carries it. */
export function networkCompliance (name: string, createWorld: () => Promise<ComplianceWorld>): void {
  describe(name, () => {
    let world: ComplianceWorld
    beforeEach(async () => { world = await createWorld() })
    afterEach(async () => world.close())

    const connect = async (from: CompliancePeer, to: CompliancePeer): Promise<void> => {
      from.network.keep(to.addresses())
      await world.until(() => from.network.connectedPeers().includes(to.network.peerId) && to.network.connectedPeers().includes(from.network.peerId))
    }
    /** A star: two devices that know a node, which follows the topic. */
    const star = async () => {
      const [node, left, right] = [await world.start({ node: true }), await world.start(), await world.start()]
      listen(node)
      await connect(left, node)
      await connect(right, node)
      return { node, left, right }
    }
    /** Publishes until it is heard, since gossip may be lost. */
    const deliver = async (from: CompliancePeer, message: Uint8Array, heard: Heard[], topic = TOPIC): Promise<void> =>
      world.until(() => heard.some(each => equal(each.message, message)), async () => from.network.publish(topic, message))

    test('ANN-1 an announcement travels device, node, device, both ways, with its author', async () => {
      const { left, right } = await star()
      const [atLeft, atRight] = [listen(left), listen(right)]
      await deliver(left, encode('from left'), atRight)
      await deliver(right, encode('from right'), atLeft)
      expect(new Set(atRight.map(({ from }) => from))).toEqual(new Set([left.network.peerId]))
      expect(new Set(atLeft.map(({ from }) => from))).toEqual(new Set([right.network.peerId]))
    })

    test('ANN-1 the author does not hear itself, nor do others hear what they do not follow', async () => {
      const { left, right } = await star()
      const [own, other] = [listen(left), listen(right, 'another topic')]
      const heard = listen(right)
      await deliver(left, encode('once'), heard)
      expect(own).toEqual([])
      expect(other).toEqual([])
    })

    test('ANN-1 each listener hears until it stops', async () => {
      const { left, right } = await star()
      const [first, second]: [Uint8Array[], Uint8Array[]] = [[], []]
      const stop = right.network.subscribe(TOPIC, message => first.push(message))
      const heard = listen(right)
      right.network.subscribe(TOPIC, message => second.push(message))
      await deliver(left, encode('to both'), heard)
      expect(first.length).toBe(second.length)
      stop()
      stop()
      const before = first.length
      await deliver(left, encode('to one'), heard)
      expect(first.length).toBe(before)
      expect(second.length).toBeGreaterThan(before)
    })

    test('ANN-1 publishing to nobody is no error; more than the limit is', async () => {
      const { network } = await world.start()
      await network.publish(TOPIC, encode('alone'))
      await expect(network.publish(TOPIC, new Uint8Array(MAX_ANNOUNCEMENT_BYTES + 1))).rejects.toThrow(named('LimitExceededError'))
      await expect(network.publish(TOPIC, encode('late'), { signal: AbortSignal.abort(new Error('never mind')) })).rejects.toThrow('never mind')
    })

    test('ANN-1 the largest announcement comes through unchanged', async () => {
      const { left, right } = await star()
      const message = Uint8Array.from({ length: MAX_ANNOUNCEMENT_BYTES }, (_, i) => i * 31 & 0xff)
      await deliver(left, message, listen(right))
    })

    test('ANN-2 a block comes from whichever peer has it, and is not stored on the way', async () => {
      const [device, one, two] = [await world.start(), await world.start({ node: true }), await world.start({ node: true })]
      await connect(device, one)
      await connect(device, two)
      const [first, second] = [await block('at one'), await block('at two')]
      await one.blocks.put([first])
      await two.blocks.put([second])
      expect(await device.network.fetchBlock(first.cid)).toEqual(first.bytes)
      expect(await device.network.fetchBlock(second.cid)).toEqual(second.bytes)
      expect(await device.blocks.has(first.cid)).toBe(false)
    })

    test('ANN-2 many blocks at once', async () => {
      const [device, node] = [await world.start(), await world.start({ node: true })]
      await connect(device, node)
      const blocks = await Promise.all(Array.from({ length: 200 }, async (_, i) => block(`number ${i}`)))
      await node.blocks.put(blocks)
      expect(await Promise.all(blocks.map(async ({ cid }) => device.network.fetchBlock(cid)))).toEqual(blocks.map(({ bytes }) => bytes))
    })

    test('ANN-2 a block that nobody has is BlockNotFoundError, with peers and without', async () => {
      const { cid } = await block('nowhere')
      const [device, node] = [await world.start(), await world.start({ node: true })]
      await expect(device.network.fetchBlock(cid)).rejects.toThrow(named('BlockNotFoundError'))
      await connect(device, node)
      await expect(device.network.fetchBlock(cid)).rejects.toThrow(named('BlockNotFoundError'))
    })

    test('ANN-2 a fetch can be given up', async () => {
      const [device, node] = [await world.start(), await world.start({ node: true })]
      await connect(device, node)
      const { cid } = await block('too late')
      await expect(device.network.fetchBlock(cid, { signal: AbortSignal.abort(new Error('given up')) })).rejects.toThrow('given up')
      const giveUp = new AbortController()
      const fetched = device.network.fetchBlock(cid, { signal: giveUp.signal })
      giveUp.abort(new Error('given up'))
      await expect(fetched).rejects.toThrow('given up')
    })

    test('NODE-2 a stranger is not connected, hears nothing and is served nothing', async () => {
      const { node, left, right } = await star()
      const stranger = await world.start({ stranger: true })
      const secret = await block('members only')
      await node.blocks.put([secret])
      const heard = listen(stranger)
      const events: string[] = []
      node.network.onPeer(({ peer }) => events.push(peer))
      stranger.network.keep(node.addresses())
      await deliver(left, encode('for members'), listen(right))
      await expect(stranger.network.fetchBlock(secret.cid)).rejects.toThrow(named('BlockNotFoundError'))
      expect(stranger.network.connectedPeers()).toEqual([])
      expect(node.network.connectedPeers()).not.toContain(stranger.network.peerId)
      expect(events).toEqual([])
      expect(heard).toEqual([])
    })

    test('ANN-1 peers that come and go are told of, until nobody listens', async () => {
      const [node, device] = [await world.start({ node: true }), await world.start()]
      const events: unknown[] = []
      const ignored: unknown[] = []
      node.network.onPeer(event => events.push(event))
      node.network.onPeer(event => ignored.push(event))()
      await connect(device, node)
      await world.until(() => events.length === 1)
      await device.network.close()
      await world.until(() => events.length === 2)
      expect(events).toEqual([{ peer: device.network.peerId, connected: true }, { peer: device.network.peerId, connected: false }])
      expect(node.network.connectedPeers()).toEqual([])
      expect(ignored).toEqual([])
    })

    test('ANN-2 a kept peer that restarts is connected again, and gossip and blocks flow as before', async () => {
      const { node, left, right } = await star()
      const heard = listen(right)
      await deliver(left, encode('before'), heard)
      const again = await world.restart(node)
      listen(again)
      await world.until(() => [left, right].every(({ network }) => network.connectedPeers().includes(again.network.peerId)))
      await deliver(left, encode('after'), heard)
      const late = await block('late')
      await again.blocks.put([late])
      expect(await right.network.fetchBlock(late.cid)).toEqual(late.bytes)
    })

    test('ANN-2 a forgotten peer is let go', async () => {
      const [node, device] = [await world.start({ node: true }), await world.start()]
      await connect(device, node)
      device.network.forget(node.addresses())
      await world.until(() => device.network.connectedPeers().length === 0 && node.network.connectedPeers().length === 0)
    })

    test('NET-1 close is final and can be repeated', async () => {
      const { left, right } = await star()
      const heard = listen(left)
      await Promise.all([left.network.close(), left.network.close()])
      await left.network.close()
      expect(left.network.connectedPeers()).toEqual([])
      await expect(left.network.publish(TOPIC, encode('too late'))).rejects.toThrow()
      await expect(left.network.fetchBlock((await block('too late')).cid)).rejects.toThrow()
      await right.network.publish(TOPIC, encode('to whom it may concern'))
      expect(heard).toEqual([])
    })
  })
}

import { expect, test } from 'vitest'
import { UsageError } from '../errors.js'
import { parsePeerListen } from './node.js'

test('CLI --peer-listen takes multiaddrs of TCP and WebSocket', () => {
  expect(parsePeerListen(undefined)).toBeUndefined()
  expect(parsePeerListen('/ip4/0.0.0.0/tcp/4001, /ip6/::/tcp/4002/ws')).toEqual(['/ip4/0.0.0.0/tcp/4001', '/ip6/::/tcp/4002/ws'])
  for (const wrong of ['', ',', '4001', '0.0.0.0:4001', '/ip4/0.0.0.0/udp/4001', '/ip4/0.0.0.0/tcp/4001,x']) expect(() => parsePeerListen(wrong)).toThrow(UsageError)
})

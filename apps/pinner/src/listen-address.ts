import { InvalidArgumentError } from '@holdfast/protocol'
import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

export interface ListenAddress { /** without brackets */ readonly host: string, readonly port: number }

/** `HOST:PORT` or `[IPv6]:PORT`; port 0 takes a free one. */
export function parseListen (text: string): ListenAddress {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:\s/[\]]+)):(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) throw new InvalidArgumentError(`"${text}" is not an address to listen on`, 'Give it as HOST:PORT, such as 127.0.0.1:4747; port 0 takes a free one.')
  return { host: match[1] ?? match[2]!, port }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Reached from this machine only. A name other than `localhost` may mean anything, so it is not. */
export function isLoopback (host: string): boolean {
  const version = isIP(host)
  if (version === 0) return host.toLowerCase() === 'localhost'
  return loopback.check(host, version === 6 ? 'ipv6' : 'ipv4')
}

export const urlHost = (host: string): string => isIP(host) === 6 ? `[${host}]` : host

/** The names that clients may know this node by: loopback, what it listens on, this machine's addresses, and what its owner adds. */
export function ourHosts (listen: ListenAddress, added: readonly string[]): (hostname: string) => boolean {
  const fixed = new Set(['localhost', '127.0.0.1', '[::1]', ...[listen.host, ...added].map(host => new URL(`http://${urlHost(host)}`).hostname)])
  return hostname => fixed.has(hostname) || (!isLoopback(listen.host) && Object.values(networkInterfaces()).flat().some(found => found !== undefined && urlHost(found.address) === hostname))
}

/** Multiaddrs for libp2p beside an HTTP address: the same interface, these ports. */
export function peerListenOn ({ host }: ListenAddress, { tcp, ws }: { readonly tcp: number, readonly ws: number }): string[] {
  const version = isIP(host)
  const base = version === 6 ? `/ip6/${host}` : version === 4 ? `/ip4/${host}` : host.toLowerCase() === 'localhost' ? '/ip4/127.0.0.1' : `/dns/${host}`
  return [`${base}/tcp/${tcp}`, `${base}/tcp/${ws}/ws`]
}

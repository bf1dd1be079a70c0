import type { Libp2pNetwork } from '@holdfast/network'
import { isHoldfastError, toHex, type Random } from '@holdfast/protocol'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { peerListenOn, type ListenAddress } from './listen-address.js'

/** Ports of libp2p's two transports. */
export interface PeerPorts { readonly tcp: number, readonly ws: number }

/** A port that was free a moment ago may be taken by now; then others are tried. */
const ATTEMPTS = 5

/**
 * Listens for peers on the ports of the last start, which devices remember from pairing, or on free ones when there are none
 * or another program has them; and remembers those in `file`. `listenOn` throws ListenError when it cannot.
 */
export async function listenForPeers (file: string, listen: ListenAddress, random: Random, listenOn: (addresses: readonly string[]) => Promise<Libp2pNetwork>): Promise<Libp2pNetwork> {
  const remembered = await readPorts(file)
  for (let attempt = 0; ; attempt++) {
    const ports = attempt === 0 && remembered !== null ? remembered : await freePorts(listen.host)
    try {
      const network = await listenOn(peerListenOn(listen, ports))
      if (ports !== remembered) {
        try { await writePorts(file, ports, random) } catch (error) {
          await network.close()
          throw error
        }
      }
      return network
    } catch (error) {
      if (!isHoldfastError(error) || error.name !== 'ListenError' || attempt === ATTEMPTS) throw error
    }
  }
}

/** A file that says something else counts as none: it is worth no more than a fresh choice. */
async function readPorts (file: string): Promise<PeerPorts | null> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  })
  const [tcp, ws] = (/^tcp (\d{1,5})\nws (\d{1,5})\n$/.exec(text) ?? []).slice(1).map(Number)
  return tcp !== undefined && ws !== undefined && [tcp, ws].every(port => port > 0 && port <= 65_535) ? { tcp, ws } : null
}

/** Whole or not at all. */
async function writePorts (file: string, { tcp, ws }: PeerPorts, random: Random): Promise<void> {
  const temporary = `${file}.${toHex(random.bytes(6))}`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(`tcp ${tcp}\nws ${ws}\n`)
      await handle.sync()
    } finally { await handle.close() }
    await rename(temporary, file)
  } finally { await rm(temporary, { force: true }) }
}

/** Two at once, so that they differ. */
async function freePorts (host: string): Promise<PeerPorts> {
  const servers = [createServer(), createServer()]
  try {
    const [tcp, ws] = await Promise.all(servers.map(async server => new Promise<number>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port: 0 }, () => { resolve((server.address() as AddressInfo).port) })
    })))
    return { tcp: tcp!, ws: ws! }
  } finally {
    await Promise.all(servers.map(async server => new Promise<void>(done => { server.close(() => { done() }) })))
  }
}

import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { TestNode } from './node.js'

/** Passes connections on to a node and keeps every byte, as somebody on the wire would see it. */
export interface RecordingProxy {
  /** The node, as reached through the proxy. */
  readonly node: TestNode
  /** What went over the wire: one part for each connection and direction. */
  recorded (): { connection: number, sent: Uint8Array, received: Uint8Array }[]
  close (): Promise<void>
}

export async function startRecordingProxy (node: TestNode): Promise<RecordingProxy> {
  const { hostname, port } = new URL(node.url)
  const records: { sent: Buffer[], received: Buffer[] }[] = []
  const sockets = new Set<Socket>()
  const server = createServer(near => {
    const far = connect(Number(port), hostname)
    const record = { sent: [] as Buffer[], received: [] as Buffer[] }
    records.push(record)
    near.on('data', (chunk: Buffer) => { record.sent.push(chunk) })
    far.on('data', (chunk: Buffer) => { record.received.push(chunk) })
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      sockets.add(socket)
      // A side that breaks off breaks the other: whoever speaks through the proxy sees what it would see without.
      socket.on('error', () => other.destroy())
      socket.on('close', () => { sockets.delete(socket); other.destroy() })
    }
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((done, fail) => { server.once('error', fail).listen(0, '127.0.0.1', done) })
  return {
    node: { ...node, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    recorded: () => records.map(({ sent, received }, connection) => ({ connection, sent: Buffer.concat(sent), received: Buffer.concat(received) })),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(done => { server.close(() => { done() }) })
    }
  }
}

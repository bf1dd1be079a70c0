import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { StandaloneHandler, Talk } from '../context.js'
import { DONE, RefusedError, UsageError } from '../errors.js'
import { parseBytes } from '../format.js'
import { textOption, type Options } from '../invocation.js'
import type { CommandGroup } from './group.js'

const DEFAULT_LISTEN = '127.0.0.1:4747'

const node: StandaloneHandler = async (talk, _args, options) => {
  const listen = parseListen(textOption(options, 'listen') ?? DEFAULT_LISTEN)
  const peerListen = parsePeerListen(textOption(options, 'peerListen'))
  const quota = parseQuota(textOption(options, 'quota'))
  const dataDirectory = resolve(talk.cwd, textOption(options, 'data') ?? join(homedir(), '.holdfast-node'))
  const protection = await protectionOf(talk, options)
  const { startNode } = await import('@holdfast/pinner')
  const running = await startNode({ dataDirectory, listen, ...protection, ...(peerListen === undefined ? {} : { peerListen }), ...(quota === undefined ? {} : { quotaBytes: quota }) }).catch((error: unknown) => { throw explainListen(error, listen) })
  try {
    const { url, peerId, pairing } = running
    if (talk.json) await talk.event({ event: 'ready', url, peerId, pairing })
    else {
      await talk.out.write(`A Holdfast node listens on ${url}\n`)
      await talk.say(`It keeps its data in ${dataDirectory} and can read none of it.`)
      await talk.say(`\nTo use it from a device, run there:\n  holdfast pair ${url} --token ${pairing}`)
      await talk.say('\nNo account on the device yet? First run `holdfast account create`. Then `holdfast mirror DIR` keeps a directory safe here.\nThis runs until you press Ctrl-C.')
    }
    await stopped(talk.signal)
  } finally { await running.stop() }
  return DONE
}

interface Protection { tls?: { key: Uint8Array, cert: Uint8Array }, apiKey?: string, hosts?: string[] }

/** NODE-1: what a node that other machines can reach needs. The API key comes from the environment, where other users do not see it. */
async function protectionOf (talk: Talk, options: Options): Promise<Protection> {
  const cert = textOption(options, 'tlsCert')
  const key = textOption(options, 'tlsKey')
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('TLS needs both a certificate and a key', 'Give --tls-cert FILE and --tls-key FILE')
  const apiKey = process.env['HOLDFAST_API_KEY']
  const names = textOption(options, 'names')
  return {
    ...(cert === undefined || key === undefined ? {} : { tls: { cert: await readFile(resolve(talk.cwd, cert)), key: await readFile(resolve(talk.cwd, key)) } }),
    ...(apiKey === undefined || apiKey === '' ? {} : { apiKey }),
    ...(names === undefined ? {} : { hosts: names.split(',').map(name => name.trim()).filter(name => name !== '') })
  }
}

const stopped = async (signal: AbortSignal): Promise<void> => new Promise(done => {
  if (signal.aborted) done()
  else signal.addEventListener('abort', () => { done() }, { once: true })
})

/** `HOST:PORT`, `[::1]:PORT`; port 0 takes a free one. */
export function parseListen (text: string): string {
  const port = /^(?:\[[0-9a-f:.]+\]|[^:\s/]+):(\d{1,5})$/i.exec(text)?.[1]
  if (port === undefined || Number(port) > 65_535) throw new UsageError(`"${text}" is not an address to listen on`, 'Give it as HOST:PORT, such as 127.0.0.1:4747; port 0 takes a free one')
  return text
}

/** Multiaddrs, separated by commas. */
export function parsePeerListen (text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  const addresses = text.split(',').map(address => address.trim()).filter(address => address !== '')
  const wrong = addresses.length === 0 ? text : addresses.find(address => !/^\/(?:ip4|ip6|dns[46]?)\/[^/\s]+\/tcp\/\d{1,5}(?:\/ws)?$/.test(address))
  if (wrong !== undefined) throw new UsageError(`"${wrong}" is not an address to listen on for peers`, 'Give multiaddrs separated by commas, such as /ip4/0.0.0.0/tcp/4001,/ip4/0.0.0.0/tcp/4002/ws')
  return addresses
}

function parseQuota (text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const bytes = parseBytes(text)
  if (bytes === undefined || bytes === 0) throw new UsageError(`"${text}" is not a size`, 'Give bytes, or a number with a unit such as 500GB')
  return bytes
}

function explainListen (error: unknown, listen: string): unknown {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') ?? (error.cause instanceof Error ? Reflect.get(error.cause, 'code') : undefined) : undefined
  return code === 'EADDRINUSE'
    ? new RefusedError(`${listen} is taken by another program, perhaps another node`, 'Stop that one, or choose another address with --listen HOST:PORT; port 0 takes a free one', { listen })
    : error
}

export const nodeGroup: CommandGroup = {
  words: ['node'],
  define (program, bind) {
    program.command('node').description('run a node: it keeps everything pinned and reachable, and can read none of it')
      .option('--data <dir>', 'where it keeps its data (default: ~/.holdfast-node)')
      .option('--listen <host:port>', `where it listens (default: ${DEFAULT_LISTEN}); port 0 takes a free one`)
      .option('--peer-listen <multiaddrs>', 'where peers reach it (TCP, WebSocket), separated by commas (default: ports of its own choice beside --listen, the same at each start)')
      .option('--tls-cert <file>', 'a certificate (PEM), to be reached from other machines').option('--tls-key <file>', 'its key (PEM)')
      .option('--names <hosts>', 'names under which devices reach it through a proxy, separated by commas')
      .option('--quota <bytes>', 'the most it stores, such as 500GB').action(bind('node'))
  },
  handlers: {},
  standalone: { node }
}

import { isHoldfastError, UnauthorisedError } from '@holdfast/protocol'
import { createServerChallenge, PEER_ID_AUTH_SCHEME, serverResponds } from '@libp2p/http-peer-id-auth'
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Pinner, Principal } from '../core/index.js'

/** NODE-1: who a request is from. `headers` go with the response, whatever it is. */
export interface Authentication { readonly principal: Principal, readonly headers: Readonly<Record<string, string>> }

/** A request without valid credentials; `challenge` tells the client how to get some. */
export class NotAuthenticatedError extends UnauthorisedError {
  constructor (message: string, readonly challenge: string) {
    super(message, 'Ask with a paired device\'s key, or with the API key that lies in the node\'s data directory.', { authenticated: false })
  }
}

/** The node's libp2p private key. */
export type NodeKey = Parameters<typeof createServerChallenge>[1]

export interface Authenticator { authenticate (request: IncomingMessage): Promise<Authentication> }

const REMEMBERED_TOKENS = 1_000
const REMEMBER_MS = 5 * 60_000

/**
 * An API key, or libp2p HTTP peer id authentication (libp2p specs, http/peer-id-auth) begun by the client.
 *
 * The handshake begun by the server is refused: `@libp2p/http-peer-id-auth` 2.0.3 gives a token for it without
 * checking the client's signature. The host that a client means is signed, and only hosts that are ours count,
 * or whoever stands between could pass our answers off as their own and keep the token.
 */
export function createAuthenticator ({ pinner, nodeKey, apiKey, isOurHost, now }: { pinner: Pinner, nodeKey: NodeKey, apiKey: string, isOurHost: (hostname: string) => boolean, now: () => number }): Authenticator {
  const apiKeyHash = sha256(apiKey)
  const remembered = new Map<string, { peerId: string, until: number }>()
  const challenge = async (hostname: string | null): Promise<string> => hostname === null ? PEER_ID_AUTH_SCHEME : createServerChallenge(hostname, nodeKey)

  const byPeerId = async (header: string, hostname: string): Promise<Authentication> => {
    const key = `${hostname} ${header}`
    const known = remembered.get(key)
    if (known !== undefined && now() < known.until) return { principal: pinner.principalOf(known.peerId), headers: {} }
    const { peerId, info, authenticate } = await serverResponds(header, hostname, nodeKey)
    // The client's challenge is answered, but it has not proved itself yet.
    if (authenticate !== undefined) throw new NotAuthenticatedError('the handshake goes on', authenticate)
    const id = peerId.toString()
    if (info !== undefined) return { principal: pinner.principalOf(id), headers: { 'authentication-info': info } }
    remembered.delete(key)
    if (remembered.size >= REMEMBERED_TOKENS) remembered.delete(remembered.keys().next().value!)
    remembered.set(key, { peerId: id, until: now() + REMEMBER_MS })
    return { principal: pinner.principalOf(id), headers: {} }
  }
  return {
    async authenticate (request) {
      const header = request.headers.authorization ?? ''
      const hostname = hostnameOf(request)
      if (/^bearer /i.test(header)) {
        if (timingSafeEqual(sha256(header.slice('bearer '.length).trim()), apiKeyHash)) return { principal: { kind: 'operator' }, headers: {} }
        throw new NotAuthenticatedError('this is not the API key of this node', PEER_ID_AUTH_SCHEME)
      }
      if (!header.startsWith(`${PEER_ID_AUTH_SCHEME} `)) throw new NotAuthenticatedError('this needs authorisation', await challenge(hostname !== null && isOurHost(hostname) ? hostname : null))
      if (hostname === null || !isOurHost(hostname)) throw new NotAuthenticatedError(`this node does not go by the name "${hostname ?? ''}"; its owner can add it to the node's host names`, PEER_ID_AUTH_SCHEME)
      if (isServerInitiated(header)) throw new NotAuthenticatedError('only the handshake that the client begins is accepted', await challenge(hostname))
      try { return await byPeerId(header, hostname) } catch (error) {
        if (isHoldfastError(error)) throw error
        // Malformed, expired or wrongly signed: which of them is for the client to find out by a new handshake.
        throw new NotAuthenticatedError('these credentials are not valid, or not any more', await challenge(hostname))
      }
    }
  }
}

/** The library's unchecked message is the one that has both of these parameters. */
const isServerInitiated = (header: string): boolean => header.includes('challenge-server') && header.includes('opaque=')

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** The name in the Host header without its port, as `URL.hostname` writes it. Null when there is none that a URL could have. */
export function hostnameOf (request: IncomingMessage): string | null {
  const host = request.headers.host
  if (host === undefined || /[/@?#\\]/.test(host)) return null
  try { return new URL(`http://${host}`).hostname } catch { return null /* not a host */ }
}

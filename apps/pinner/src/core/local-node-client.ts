import { MAX_BLOCKS_PER_REQUEST, type NodeClient } from '@holdfast/protocol'
import { batches } from './batches.js'
import type { Pinner } from './pinner.js'
import { requireKnown } from './principal.js'

/**
 * The NodeClient port straight onto a pinner in the same process, for simulations and tests: every check of the
 * node, none of HTTP. `publicKey` is the 32-byte Ed25519 key that the caller has; it is taken as proved.
 */
export function createLocalNodeClient ({ pinner, publicKey, url = `local:${pinner.peerId}` }: { pinner: Pinner, publicKey: Uint8Array, url?: string }): NodeClient {
  const who = (): ReturnType<Pinner['principalOf']> => pinner.principalOf(publicKey)
  return {
    url,
    async describe () {
      requireKnown(who())
      return pinner.describe()
    },
    pair: async request => pinner.pair(publicKey, request),
    revoke: async revocation => pinner.revoke(who(), revocation),
    registerVault: async registration => pinner.registerVault(who(), registration),
    registerEnvelope: async name => pinner.registerEnvelope(who(), name),
    heads: async vault => pinner.heads(who(), vault),
    putBlocks: async (blocks, options) => pinner.putBlocks(who(), blocks, options),
    async * getBlocks (cids, options) {
      for await (const group of batches(cids, { count: MAX_BLOCKS_PER_REQUEST })) yield * pinner.getBlocks(who(), group, options)
    },
    putRecord: async (name, record, options) => pinner.putRecord(who(), name, record, options),
    getRecord: async name => pinner.getRecord(who(), name),
    receipt: async (vault, root, options) => pinner.receipt(who(), vault, root, options),
    usage: async () => pinner.usage(who()),
    async close () { /* Holds nothing: the pinner belongs to whoever made it. */ }
  }
}

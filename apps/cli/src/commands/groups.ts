import { accountGroup } from './account.js'
import type { CommandGroup } from './group.js'
import { directoryGroup } from './directories.js'
import { exportGroup } from './export.js'
import { historyGroup } from './history.js'
import { listingGroup } from './listing.js'
import { mirrorGroup } from './mirror.js'
import { nodeGroup } from './node.js'
import { pairingGroup } from './pairing.js'
import { statusGroup } from './status.js'
import { transferGroup } from './transfer.js'
import { trashGroup } from './trash.js'
import { verifyGroup } from './verify.js'

/** The whole surface, in the order in which help shows it. */
export const groups: readonly CommandGroup[] = [
  nodeGroup, accountGroup, pairingGroup, mirrorGroup, statusGroup, listingGroup, transferGroup, directoryGroup,
  historyGroup, trashGroup, verifyGroup, exportGroup
]

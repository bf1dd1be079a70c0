import { join } from 'node:path'

/** Where things lie in a device's home directory. Light, so that a program may look before it loads an engine. */
export interface HomeLayout {
  /** The device's keys, sealed; 0600. */
  readonly keyring: string
  /** Blocks and sealed records (storage-level). One process at a time. */
  readonly store: string
  /** What belongs to the running process: the control socket. */
  readonly run: string
}

export const homeLayout = (home: string): HomeLayout => ({ keyring: join(home, 'keyring'), store: join(home, 'store'), run: join(home, 'run') })

import { openClient, type Client } from '@holdfast/client'
import type { Talk } from './context.js'
import { PassphraseNeededError } from './errors.js'
import { environmentPassphrase, readSecretLine } from './prompt.js'
import { createSession, type Session } from './session.js'

export interface OpenSessionOptions {
  /** Announcements come in and go out by themselves, over libp2p. */
  live: boolean
  talk: Talk
}

/** Opens the home in this process; `locked` when another has it. Throws NoAccountError, WrongPassphraseError. */
export async function openSession (home: string, { live, talk }: OpenSessionOptions): Promise<Session | 'locked'> {
  const open = async (passphrase: string | null): Promise<Client> => openClient({ home, passphrase, peers: live })
  try {
    const client = await withPassphrase(open, talk)
    try {
      if (live) client.engine.start()
      return await createSession(home, client, live)
    } catch (error) {
      await client.close()
      throw error
    }
  } catch (error) {
    if (error instanceof Error && error.name === 'HomeLockedError') return 'locked'
    throw error
  }
}

/** Asks for the passphrase only when the keyring has one and the environment does not. */
async function withPassphrase (open: (passphrase: string | null) => Promise<Client>, talk: Talk): Promise<Client> {
  try { return await open(environmentPassphrase()) } catch (error) {
    if (!(error instanceof Error && error.name === 'PassphraseNeededError')) throw error
    if (!process.stdin.isTTY) throw new PassphraseNeededError()
    return open(await readSecretLine(talk, 'Passphrase of this device: '))
  }
}

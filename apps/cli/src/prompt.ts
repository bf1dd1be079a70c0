import { createInterface } from 'node:readline'
import type { ReadStream } from 'node:tty'
import type { Talk } from './context.js'
import { InterruptedError, UsageError } from './errors.js'

/**
 * Secrets come from the environment, from a pipe or from a person typing; never from an argument. Only the process
 * that the person started asks: what another process runs for it never needs to.
 */

const MAX_SECRET_BYTES = 4_096

/** The passphrase in `$HOLDFAST_PASSPHRASE`; null when there is none. */
export function environmentPassphrase (): string | null {
  const value = process.env['HOLDFAST_PASSPHRASE']
  return value === undefined || value === '' ? null : value
}

/** For a new keyring: from the environment, or asked twice on a terminal, where it may be left empty. */
export async function choosePassphrase (talk: Talk): Promise<string | null> {
  const given = environmentPassphrase()
  if (given !== null || !process.stdin.isTTY) return given
  const first = await readSecretLine(talk, 'Passphrase for this device (empty for none): ')
  if (first === '') return null
  if (await readSecretLine(talk, 'The same again: ') !== first) throw new UsageError('the two passphrases differ', 'Run the command again')
  return first
}

/**
 * One line, not shown while it is typed. From a pipe: up to its end or until it is `enough`, so that a writer which
 * leaves the pipe open is not waited for; 4 KiB at most.
 */
export async function readSecretLine (talk: Talk, prompt: string, enough: (text: string) => boolean = text => text.includes('\n')): Promise<string> {
  if (process.stdin.isTTY) return typeHidden(talk, prompt, process.stdin)
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of talk.stdin()) {
    size += part.length
    if (size > MAX_SECRET_BYTES) throw new UsageError('standard input holds more than a secret', 'Give only the phrase on standard input')
    parts.push(part)
    if (enough(Buffer.concat(parts).toString('utf8'))) break
  }
  return Buffer.concat(parts).toString('utf8').trim()
}

async function typeHidden (talk: Talk, prompt: string, terminal: ReadStream): Promise<string> {
  await talk.err.write(prompt)
  terminal.setRawMode(true)
  // Without an output readline echoes nothing, and still understands backspace and the rest.
  const lines = createInterface({ input: terminal, terminal: true })
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('SIGINT', () => { reject(new InterruptedError()) })
      lines.once('close', () => { reject(new InterruptedError()) })
    })
  } finally {
    lines.close()
    terminal.setRawMode(false)
    await talk.err.write('\n')
  }
}

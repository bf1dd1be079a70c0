import { describe, expect, test } from 'vitest'
import type { Talk } from './context.js'
import { UsageError } from './errors.js'
import { readSecretLine } from './prompt.js'

/** A pipe that gives these pieces and then stays open, unless `ends`. */
function talkWith (pieces: readonly string[], ends: boolean): Talk {
  const stdin = async function * (): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) yield Buffer.from(piece)
    if (!ends) await new Promise(() => { /* the writer keeps it open */ })
  }
  return { stdin } as unknown as Talk
}

describe('secrets from a pipe', () => {
  test('CLI a line is enough: a pipe that stays open is not waited for', async () => {
    expect(await readSecretLine(talkWith(['se', 'cret\n'], false), '')).toBe('secret')
  })

  test('CLI a last line without its end counts', async () => {
    expect(await readSecretLine(talkWith(['secret'], true), '')).toBe('secret')
  })

  test('CLI words over several lines are one phrase', async () => {
    const enough = (text: string): boolean => text.trim().split(/\s+/).length >= 3
    expect(await readSecretLine(talkWith(['one\n', 'two\n', 'three\n'], false), '', enough)).toBe('one\ntwo\nthree')
  })

  test('CLI more than 4 KiB is no secret', async () => {
    await expect(readSecretLine(talkWith(['x'.repeat(4_097)], false), '')).rejects.toBeInstanceOf(UsageError)
  })
})

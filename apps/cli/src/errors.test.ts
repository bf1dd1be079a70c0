import { describe, expect, test } from 'vitest'
import { InvalidArgumentError } from '@holdfast/protocol'
import { OutputClosedError, RefusedError, UsageError, exitCodeOf, renderError } from './errors.js'
import { memoryOutput } from './output.js'
import { runToExit } from './run.js'

const run = async (thrown: unknown, extra: { json?: boolean, aborted?: boolean } = {}): Promise<[number, string]> => {
  const err = memoryOutput()
  const signal = extra.aborted === true ? AbortSignal.abort() : new AbortController().signal
  return [await runToExit(async () => { throw thrown }, { err, json: extra.json === true, signal }), err.text()]
}

describe('errors', () => {
  test('CLI one line says what and what to do', () => {
    expect(renderError(new InvalidArgumentError('the path\nis wrong', 'Correct it.'), false)).toBe('holdfast: the path is wrong. Correct it.\n')
  })

  test('CLI --json gives name, family, message and remedy', () => {
    expect(JSON.parse(renderError(new InvalidArgumentError('no', 'Do so.'), true))).toEqual({ error: { name: 'InvalidArgumentError', family: 'invalid', message: 'no', remedy: 'Do so.' } })
  })

  test('CLI errors of the system are told in words', () => {
    const error = Object.assign(new Error('ENOENT: no such file, open \'/x\''), { code: 'ENOENT', path: '/x' })
    expect(renderError(error, false)).toBe('holdfast: /x: there is no such file or directory. Check the path.\n')
  })

  test('CLI exit codes: 1 failed, 2 wrong usage', async () => {
    expect(await run(new RefusedError('no', 'Do so'))).toEqual([1, 'holdfast: no. Do so.\n'])
    expect((await run(new UsageError('no', 'Do so')))[0]).toBe(2)
    expect(exitCodeOf(new TypeError('x'))).toBe(1)
    expect((await run(new TypeError('x'), { json: true }))[1]).toContain('"name":"TypeError"')
  })

  test('CLI what fails because the person stopped it is told as interrupted, and a reader that has gone not at all', async () => {
    expect((await run(new TypeError('x'), { aborted: true }))[1]).toMatch(/^holdfast: interrupted\./)
    expect(await run(new OutputClosedError())).toEqual([1, ''])
  })
})

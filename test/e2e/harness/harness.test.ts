import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import { createDevice, createSandbox, eventually, eventuallySame, readTree, startNode, writeTree, type Sandbox, type TestDevice, type TestNode } from './index.js'

let sandbox: Sandbox
let node: TestNode
let one: TestDevice
let two: TestDevice
beforeEach(async () => {
  sandbox = await createSandbox()
  node = await startNode(sandbox)
  one = createDevice(sandbox, 'one')
  two = createDevice(sandbox, 'two')
  const phrase = await one.create()
  await one.pair(node)
  await two.restore(phrase, node)
})
afterEach(async () => { await sandbox.close() })

describe('the helpers, on the built programs', () => {
  test('CLI two mirrors and a node hold the same, and say so truthfully', async () => {
    const [left, right] = [await sandbox.make('left'), await sandbox.make('right')]
    await writeTree(left, { 'a.txt': 'a', 'deep/empty': null, 'deep/b.bin': Uint8Array.of(0, 255), link: { link: 'a.txt' } })
    await one.mirrorOnce(left)
    await two.mirrorOnce(right)
    expect(await readTree(right)).toEqual(await readTree(left))
    expect((await one.status()).vaults[0]?.body).toBe((await two.status()).vaults[0]?.body)

    const mirrors = [await one.mirror(left), await two.mirror(right)] as const
    await writeFile(join(right, 'a.txt'), 'changed')
    await eventuallySame(left, right)
    // Through the process that mirrors, without stopping it.
    await one.ok(['put', join(left, 'a.txt'), '/from-command.txt'])
    await eventually(async () => 'from-command.txt' in await readTree(right), { what: 'the other mirror shows what a command put' })
    for (const mirror of mirrors) expect((await mirror.stop()).code).toBe(0)
  })

  test('CLI a mirror that is killed leaves a home that works at once', async () => {
    const left = await sandbox.make('left')
    await (await one.mirror(left)).kill()
    expect(await one.list()).toEqual([])
  })

  test('CLI while the node is away commands end with 3 and lose nothing; it comes back on its old address', async () => {
    await node.stop()
    await writeFile(join(sandbox.directory, 'f'), 'kept')
    const away = await one.run(['put', 'f', '/f'])
    expect([away.code, away.error().family]).toEqual([3, 'retryable'])
    await node.restart()
    expect((await one.status()).nodes[0]).toMatchObject({ reachable: true, receipt: { root: expect.any(String) } })
    expect((await two.ok(['cat', '/f'])).stdout).toBe('kept')
  })

  test('CLI several commands at once on one home all end well', async () => {
    await Promise.all(['a', 'b', 'c', 'd'].map(async name => one.ok(['put', '-', `/${name}`], { input: name })))
    expect((await one.list()).map(entry => entry.path)).toEqual(['/a', '/b', '/c', '/d'])
  })
})

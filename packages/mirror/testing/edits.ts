import fc from 'fast-check'
import type { World } from './simulation.js'

/** One edit by a person on one side, or one run of the mirror; `during` edits come between its operations. */
export type Edit =
  | { side: 'disk' | 'vault', do: 'write' | 'save' | 'mkdir' | 'link' | 'rm' | 'chmod' | 'touch', path: string, text: string }
  | { side: 'disk' | 'vault', do: 'move', path: string, to: string }
export type Step = Edit | { do: 'once', during: { at: number, edit: Edit }[], crashAt: number | null }

const text = fc.oneof(fc.constantFrom('text 1', 'text 2', 'text 3'), fc.constantFrom('data 1', 'data 2', ''), fc.nat(50).map(n => `data ${n}`))
const side = fc.constantFrom('disk' as const, 'vault' as const)

/** Edits on few names, so that they meet. */
export function editsOn (...names: string[]): fc.Arbitrary<Edit> {
  const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).map(parts => `/${parts.join('/')}`)
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ side, do: fc.constantFrom('write' as const, 'save' as const), path, text }) },
    { weight: 4, arbitrary: fc.record({ side, do: fc.constantFrom('mkdir' as const, 'rm' as const, 'mkdir' as const, 'link' as const, 'chmod' as const, 'touch' as const), path, text }) },
    { weight: 4, arbitrary: fc.record({ side, do: fc.constant('move' as const), path, to: path }) }
  )
}

export function stepsOn (...names: string[]): fc.Arbitrary<Step> {
  const edit = editsOn(...names)
  return fc.oneof(
    { weight: 5, arbitrary: edit },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('once' as const), during: fc.array(fc.record({ at: fc.nat(60), edit }), { maxLength: 3 }), crashAt: fc.option(fc.nat(120), { freq: 6 }) }) }
  )
}

export function editDisk ({ disk }: World, edit: Edit): void {
  try {
    switch (edit.do) {
      case 'write': if (disk.kind(edit.path) === 'file' || !disk.exists(edit.path)) disk.write(edit.path, edit.text); break
      case 'save': if (disk.kind(edit.path) !== 'directory') disk.save(edit.path, edit.text); break
      case 'mkdir': disk.mkdir(edit.path); break
      case 'link': if (!disk.exists(edit.path)) disk.symlink(edit.path, edit.text); break
      case 'rm': disk.rm(edit.path); break
      case 'chmod': disk.chmod(edit.path, 0o640 + edit.text.length % 8); break
      case 'touch': disk.touch(edit.path, BigInt(edit.text.length) * 1_234_567_890n); break
      case 'move': disk.move(edit.path, edit.to); break
    }
  } catch (error) {
    // What no person could do (no such directory, into itself) is not done.
    if (!(error instanceof Error && 'code' in error)) throw error
  }
}

export function editVault ({ vault }: World, edit: Edit): void {
  try {
    switch (edit.do) {
      case 'write': case 'save': vault.write(edit.path, edit.text, 1000 + edit.text.length); break
      case 'mkdir': vault.edit([{ type: 'mkdir', path: edit.path, mode: 0o750 }]); break
      case 'link': vault.edit([{ type: 'link', path: edit.path, target: edit.text }]); break
      case 'rm': vault.edit([{ type: 'remove', path: edit.path }]); break
      case 'chmod': vault.edit([{ type: 'attributes', path: edit.path, mode: 0o600 + edit.text.length % 8 }]); break
      case 'touch': vault.edit([{ type: 'attributes', path: edit.path, modified: 5000.25 + edit.text.length }]); break
      case 'move': vault.edit([{ type: 'move', from: edit.path, to: edit.to }]); break
    }
  } catch (error) {
    if (!(error instanceof Error && error.name === 'VaultError')) throw error
  }
}

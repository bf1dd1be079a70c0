import type { Command } from 'commander'
import type { Handler, StandaloneHandler } from '../context.js'
import type { Bind } from '../program.js'

/** Commands that belong together: how they are written, and what they do. */
export interface CommandGroup {
  /** The first word of each of its commands. */
  readonly words: readonly string[]
  define (program: Command, bind: Bind): void
  /** By the command's words. */
  readonly handlers: Readonly<Record<string, Handler>>
  readonly standalone?: Readonly<Record<string, StandaloneHandler>>
}

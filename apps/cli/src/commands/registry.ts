import type { Handler, StandaloneHandler } from '../context.js'
import { ControlProtocolError } from '../errors.js'
import { flag, type Invocation } from '../invocation.js'
import { groups } from './groups.js'

/** The function behind a command's words. Throws ControlProtocolError for words that another version may know. */
export function handlerOf (command: string): Handler {
  for (const group of groups) if (Object.hasOwn(group.handlers, command)) return group.handlers[command]!
  throw new ControlProtocolError(`the command "${command}" is not known to the process that holds this home`)
}

export function standaloneHandlerOf (command: string): StandaloneHandler | undefined {
  for (const group of groups) if (group.standalone !== undefined && Object.hasOwn(group.standalone, command)) return group.standalone[command]
  return undefined
}

/** Runs until it is stopped, and wants announcements as they come. */
export const lasts = ({ command, options }: Pick<Invocation, 'command' | 'options'>): boolean => command === 'mirror' && !flag(options, 'once')

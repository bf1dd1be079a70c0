import ignore from 'ignore'
import { PRIVATE_DIRECTORY, isWithin } from './paths.js'

/** What is not mirrored, in either direction. */
export interface IgnoreRules {
  /** Whether the path, or a directory above it, is ignored. */
  ignores (path: string, isDirectory: boolean): boolean
  /** Equal for equal rules. */
  readonly text: string
}

/**
 * Rules in gitignore syntax (https://git-scm.com/docs/gitignore#_pattern_format), relative to the mirror's top.
 * The mirror's own directory is always ignored, whatever the rules say.
 */
export function createIgnoreRules (text: string): IgnoreRules {
  const matcher = ignore({ ignorecase: false, allowRelativePaths: true }).add(text)
  const empty = !text.split('\n').some(line => line.trim() !== '' && !line.startsWith('#'))
  return {
    ignores: (path, isDirectory) => isWithin(path, PRIVATE_DIRECTORY) || (!empty && matcher.ignores(path.slice(1) + (isDirectory ? '/' : ''))),
    text
  }
}

import type { Talk } from './context.js'
import { renderError } from './errors.js'
import type { Invocation } from './invocation.js'
import type { Output } from './output.js'
import { progressBar } from './progress.js'

export interface TalkIo { out: Output, err: Output, stdin: () => AsyncIterable<Uint8Array>, signal: AbortSignal, now: () => number }

/** Gives a command its voice, according to `--json` and `--quiet`. */
export function createTalk (invocation: Invocation, io: TalkIo): Talk {
  const { json, quiet, columns, cwd } = invocation
  const { out, err, now } = io
  return {
    json, quiet, cwd, signal: io.signal, out, err, stdin: io.stdin, now,
    result: async (value, lines) => {
      if (json) await out.write(`${JSON.stringify(value)}\n`)
      else if (lines.length > 0) await out.write(`${lines.join('\n')}\n`)
    },
    say: async line => { if (!json && !quiet) await out.write(`${line}\n`) },
    note: async line => { if (!json && !quiet) await err.write(`${line}\n`) },
    warn: async error => err.write(renderError(error, json)),
    event: async value => out.write(`${JSON.stringify(value)}\n`),
    progress: label => progressBar(label, { err, columns, quiet, json, now })
  }
}

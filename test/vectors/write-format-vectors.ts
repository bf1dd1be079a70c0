import { writeFileSync } from 'node:fs'
import { makeContentVectors, makeCryptoVectors } from './format-vectors.ts'

/** Writes `format/*.json`: `node test/vectors/write-format-vectors.ts` after a build. For a new version of the format only. */
for (const [name, make] of [['crypto', makeCryptoVectors], ['content', makeContentVectors]] as const) {
  writeFileSync(new URL(`format/${name}.json`, import.meta.url), `${JSON.stringify(await make(), null, 1)}\n`)
}

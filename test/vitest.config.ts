import { defineConfig } from 'vitest/config'

const source = { resolve: { conditions: ['source', 'node', 'import', 'default'] }, ssr: { resolve: { conditions: ['source', 'node', 'import', 'default'] } } }
const project = (name: string, include: string[], extra: object = {}) => ({
  ...source, root: `${import.meta.dirname}/..`, test: { name, include, testTimeout: 60_000, hookTimeout: 60_000, pool: 'forks' as const, ...extra }
})

export default defineConfig({
  test: {
    projects: [
      project('unit', ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'test/structure/**/*.test.ts', 'test/vectors/**/*.test.ts', 'test/compliance/**/*.test.ts']),
      project('simulation', ['test/simulation/**/*.test.ts'], { testTimeout: 600_000 }),
      project('hostile', ['test/hostile/**/*.test.ts'], { testTimeout: 120_000 }),
      project('interop', ['test/interop/**/*.test.ts'], { testTimeout: 180_000 }),
      // End-to-end tests run the built programs as processes, one file at a time.
      project('e2e', ['test/e2e/**/*.test.ts'], { testTimeout: 300_000, fileParallelism: false })
    ]
  }
})

import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { requireOperator, type Pinner } from '../core/index.js'
import { sendBytes } from './exchange.js'
import type { Route } from './router.js'

export interface Metrics {
  readonly routes: Route[]
  /** One request is done. `route` is the pattern, never the path: names and CIDs stay out of the metrics. */
  observe (route: string, method: string, status: number, seconds: number): void
  /** What garbage collection swept. */
  swept (blocks: number, bytes: number): void
}

/** Prometheus metrics (https://prometheus.io/docs/instrumenting/exposition_formats/), for the operator's API key. */
export function createMetrics (pinner: Pinner): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const usage = (): ReturnType<Pinner['usage']> => pinner.usage({ kind: 'operator' })
  const gauge = (name: string, help: string, read: () => number): Gauge => new Gauge({ name, help, registers, collect () { this.set(read()) } })
  gauge('holdfast_blocks', 'Blocks stored', () => usage().blocks)
  gauge('holdfast_stored_bytes', 'Bytes of blocks stored', () => usage().usedBytes)
  gauge('holdfast_quota_bytes', 'The most bytes this node stores, 0 for no limit', () => usage().quotaBytes ?? 0)
  gauge('holdfast_vaults', 'Vaults registered', () => usage().vaults.length)
  gauge('holdfast_pinned_heads', 'Heads whose root is wholly here', () => pinner.pinnedRoots({ kind: 'operator' }).length)
  // The usual names of Prometheus clients. Its default set is not used: it leaves observers behind when the node stops.
  gauge('process_resident_memory_bytes', 'Resident memory of the process', () => process.memoryUsage.rss())
  gauge('process_cpu_seconds_total', 'User and system time of the process', () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6 })
  const requests = new Histogram({ name: 'holdfast_http_request_seconds', help: 'Duration of HTTP requests', labelNames: ['route', 'method', 'status'], buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60], registers })
  const sweptBlocks = new Counter({ name: 'holdfast_swept_blocks_total', help: 'Blocks removed by garbage collection', registers })
  const sweptBytes = new Counter({ name: 'holdfast_swept_bytes_total', help: 'Bytes removed by garbage collection', registers })
  return {
    routes: [{
      method: 'GET', path: '/metrics',
      async handle ({ response, principal }) {
        requireOperator(principal)
        sendBytes(response, 200, registry.contentType, Buffer.from(await registry.metrics()))
      }
    }],
    observe (route, method, status, seconds) { requests.observe({ route, method, status: String(status) }, seconds) },
    swept (blocks, bytes) {
      sweptBlocks.inc(blocks)
      sweptBytes.inc(bytes)
    }
  }
}

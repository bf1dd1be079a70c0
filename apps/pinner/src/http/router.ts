import { NoSuchRouteError } from './errors.js'
import type { Handler } from './exchange.js'

export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT'
  /** `:name` stands for one part of the path. */
  readonly path: string
  /** Asked without credentials (health only, NODE-1). */
  readonly open?: boolean
  readonly handle: Handler
}
export interface Match { readonly route: Route, readonly params: Record<string, string> }

/** Finds the route of a request. Throws NoSuchRouteError: 405 when the path exists by another method. */
export function createRouter (routes: readonly Route[]): (method: string, path: string) => Match {
  const parsed = routes.map(route => ({ route, parts: route.path.split('/') }))
  return (method, path) => {
    const asked = path.split('/')
    let status: 404 | 405 = 404
    for (const { route, parts } of parsed) {
      const params = match(parts, asked)
      if (params === null) continue
      if (route.method === method) return { route, params }
      status = 405
    }
    throw new NoSuchRouteError(status, method, path.slice(0, 200))
  }
}

function match (parts: readonly string[], asked: readonly string[]): Record<string, string> | null {
  if (parts.length !== asked.length) return null
  const params: Record<string, string> = {}
  for (const [i, part] of parts.entries()) {
    const value = asked[i]!
    if (!part.startsWith(':')) {
      if (part !== value) return null
    } else params[part.slice(1)] = value
  }
  return params
}

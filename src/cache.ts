import type { Cache } from './types.ts'

/** A new, empty cache for `LinkOptions.cache`. */
export function createCache(): Cache {
  return { libraries: new Map() }
}

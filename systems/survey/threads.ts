// Whether the link uses workers: decided before anything is read, so that they boot meanwhile and all memory is shared.
import { type Pool, startWorkers } from '../../src/core/pool.ts'
import type { Host } from '../../src/host/host.ts'
import type { Settings } from '../../src/settings.ts'

/**
 * Bytes of input from which workers pay for their start, and for what they cost later: each compiles the kernels anew. Two threads
 * against one, wall, arm64: 81 MB 1.08, 160 MB 0.98, 814 MB 0.7.
 */
const WORTH_BYTES = 256 << 20
/**
 * From so many on one worker beside this thread pays, which compiles what no other does: the exports' order and trie, the function starts, and
 * writing ahead. Wall against none: 34 MB 1.0, 45 MB 0.96, 75 MB 0.93, 81 MB 0.89. With the objects' rows filled there too it was no faster.
 */
const WORTH_ASIDE = 48 << 20
/** Each further worker wants as much again. */
const BYTES_A_WORKER = 64 << 20
/** More threads than this only wait for memory. */
const MOST_WORKERS = 31

/** Starts the workers of a link with `bytes` of input or more, those that are not there yet; returns whether there are any. */
export function startThreads(pool: Pool, settings: Settings, host: Host, bytes: number): boolean {
  const { threadsFrom, asideFrom } = settings
  const isLarge = bytes >= (threadsFrom ?? WORTH_BYTES)
  if (settings.threads === 1 || (!isLarge && bytes < (asideFrom ?? WORTH_ASIDE))) return false
  pool.isAside = !isLarge
  const threads = settings.threads ?? host.parallelism?.() ?? 1
  const paying = threadsFrom === undefined ? Math.floor(bytes / BYTES_A_WORKER) : MOST_WORKERS
  startWorkers(pool, host, Math.min(threads - 1, isLarge ? paying : 1, MOST_WORKERS))
  return pool.workers.length > 0
}

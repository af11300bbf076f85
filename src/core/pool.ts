// The pool of workers of one link, or of one after another. A job is a kernel by its name, plain values, and chunks, which all threads take from one
// counter in shared memory until none is left. The calling thread takes chunks too and then awaits messages; it never blocks.
import type { Host, HostWorker } from '../host/host.ts'

/** `job` is plain data; `take` gives the next chunk, -1 when none is left. What it returns is cloned to the caller. */
export type Kernel<V, J, R> = (view: V, job: J, take: () => number) => R

/** Makes what workers are to see of a part of the view. A part is sent again when this gives other values. */
export type Portable<V> = (view: V, part: keyof V) => unknown

export interface Request {
  id: number
  kernel: string
  job: unknown
  chunks: number
  /** Word 0 counts the chunks that are taken; word 1 + `seat` is 1 once that worker has begun to take. */
  control: Int32Array
  seat: number
  /** Parts of the view that are new, by name. */
  parts: Record<string, unknown>
}

/** Instead of a request: the worker drops its view, so that memory that the caller has released is freed. */
export const FORGET = 'forget'

export type Reply = { id: number; result: unknown } | { id: number; failed: string }

/** A worker threw, ended, or could not be started. */
export class WorkerFailure extends Error {}

export interface Pool {
  workers: HostWorker[]
  /** Started, and kept for the next link that wants some. */
  resting: HostWorker[]
  /** The workers take only what is started beside the caller (`startChunks`), no part of what it waits for. */
  isAside: boolean
  /** What the workers have been sent, by part. */
  sent: Map<PropertyKey, unknown>
  jobs: number
  /** Of the jobs that are under way, by id: results by seat. */
  results: Map<number, Map<number, unknown>>
  /** Whom the link waits for. */
  awaited: (() => void) | null
  failure: unknown
  signal: AbortSignal | undefined
  onAbort: () => void
}

/** A pool without workers: everything runs on the calling thread. */
export function createPool(signal?: AbortSignal): Pool {
  const pool: Pool = {
    workers: [],
    resting: [],
    isAside: false,
    sent: new Map(),
    jobs: 0,
    results: new Map(),
    awaited: null,
    failure: undefined,
    signal,
    onAbort: () => fail(pool, pool.signal?.reason),
  }
  return pool
}

/** How many workers share the chunks of what the caller waits for. */
export function helpers({ workers, isAside }: Pool): number {
  return isAside ? 0 : workers.length
}

/** Starts workers, or takes those that rest, until there are `count`; they boot while the caller goes on. Where the host has none or refuses, the pool stays as it is. */
export function startWorkers(pool: Pool, host: Host, count: number): void {
  if (host.startWorker === undefined) return
  pool.signal?.addEventListener('abort', pool.onAbort, { once: true })
  for (let seat = pool.workers.length; seat < count; seat++) {
    const worker =
      pool.resting.shift() ??
      host.startWorker({
        message: (reply) => receive(pool, seat, reply as Reply),
        failed: (reason) => fail(pool, new WorkerFailure(reason)),
      })
    pool.workers.push(worker)
  }
}

export function stopWorkers(pool: Pool): void {
  pool.signal?.removeEventListener('abort', pool.onAbort)
  for (const worker of [...pool.workers, ...pool.resting]) worker.stop()
  pool.workers.length = pool.resting.length = 0
}

/**
 * The workers stay for another link, with what they have compiled and without what they hold of this one. Seats stay as they are.
 * Where a job is not awaited, they may still be at work for it: then they end.
 */
export function restWorkers(pool: Pool): void {
  if (pool.failure !== undefined || pool.results.size > 0) return stopWorkers(pool)
  pool.signal?.removeEventListener('abort', pool.onAbort)
  forgetParts(pool)
  pool.resting.unshift(...pool.workers.splice(0))
}

/** Workers drop what they have been sent; the next job sends its parts anew. */
export function forgetParts(pool: Pool): void {
  pool.sent.clear()
  for (const worker of pool.workers) worker.post(FORGET)
}

function receive(pool: Pool, seat: number, reply: Reply): void {
  if ('failed' in reply) return fail(pool, new WorkerFailure(reply.failed))
  pool.results.get(reply.id)?.set(seat, reply.result)
  pool.awaited?.()
}

function fail(pool: Pool, reason: unknown): void {
  pool.failure ??= reason
  stopWorkers(pool)
  pool.awaited?.()
}

/** A kernel and its job; `parts` are what it reads of the view. */
export type ChunkRun<V, J, R> = [
  pool: Pool,
  view: V,
  portable: Portable<V>,
  parts: readonly (keyof V & string)[],
  name: string,
  kernel: Kernel<V, J, R>,
  job: J,
  chunks: number,
]

/**
 * Runs `kernel` over chunks 0 .. chunks - 1, on all threads; without workers, or for one chunk, on the caller's alone. Returns
 * what the kernel returned on each thread that took part. `kernel` must be what `name` stands for in src/serve.ts.
 * @throws WorkerFailure, the reason of an abort, and whatever the kernel throws
 */
export async function runChunks<V extends object, J, R>(...run: ChunkRun<V, J, R>): Promise<R[]> {
  const [pool, view, , , , kernel, job, chunks] = run
  if (pool.failure !== undefined) throw pool.failure
  if (helpers(pool) === 0 || chunks < 2) return [kernel(view, job, countTo(chunks))]
  return startChunks(...run)()
}

/**
 * The same, but workers go ahead while the caller does something else, other jobs too. What is returned takes the chunks that are
 * left then, and gives the results; without workers everything is done there.
 */
export function startChunks<V extends object, J, R>(...run: ChunkRun<V, J, R>): () => Promise<R[]> {
  const [pool, view, portable, parts, name, kernel, job, chunks] = run
  if (pool.workers.length === 0) return async () => [kernel(view, job, countTo(chunks))]
  const id = ++pool.jobs
  const control = new Int32Array(new SharedArrayBuffer((1 + pool.workers.length) * 4))
  const news = newParts(pool, view, portable, parts)
  pool.results.set(id, new Map())
  pool.workers.forEach((worker, seat) => {
    const request: Request = { id, kernel: name, job, chunks, control, seat, parts: news }
    worker.post(request)
  })
  return async () => {
    const own = kernel(view, job, takeFrom(control, chunks))
    const results = await joined(pool, id, control)
    return [own, ...(results as Iterable<R>)]
  }
}

/** Takes all chunks for the caller's thread. */
export function countTo(chunks: number): () => number {
  let next = 0
  return () => (next < chunks ? next++ : -1)
}

function takeFrom(control: Int32Array, chunks: number): () => number {
  return () => {
    const chunk = Atomics.add(control, 0, 1)
    return chunk < chunks ? chunk : -1
  }
}

/** Serves one request: what a worker does with a message. */
export function serveRequest<V>(view: V, kernel: Kernel<V, unknown, unknown>, request: Request): Reply {
  Atomics.store(request.control, 1 + request.seat, 1)
  return { id: request.id, result: kernel(view, request.job, takeFrom(request.control, request.chunks)) }
}

/**
 * Waits for the workers that have begun to take chunks. No chunk is left then, so that one which begins later (it still
 * boots) takes none: it is not waited for.
 */
async function joined(pool: Pool, id: number, control: Int32Array): Promise<Iterable<unknown>> {
  for (const worker of pool.workers) worker.hold(true)
  const results = pool.results.get(id)!
  const isDone = () =>
    pool.failure !== undefined ||
    pool.workers.every((_, seat) => Atomics.load(control, 1 + seat) === 0 || results.has(seat))
  while (!isDone())
    await new Promise<void>((resolve) => {
      pool.awaited = resolve
    })
  pool.awaited = null
  if (pool.failure !== undefined) throw pool.failure
  for (const worker of pool.workers) worker.hold(false)
  pool.results.delete(id)
  return results.values()
}

function newParts<V>(
  pool: Pool,
  view: V,
  portable: Portable<V>,
  parts: readonly (keyof V & string)[],
): Record<string, unknown> {
  const news: Record<string, unknown> = {}
  for (const part of parts) {
    const value = portable(view, part)
    if (pool.sent.has(part) && isSame(pool.sent.get(part), value, 2)) continue
    pool.sent.set(part, value)
    news[part] = value
  }
  return news
}

/** Compares values, and objects and arrays of them to a depth; buffers and columns by identity. */
function isSame(a: unknown, b: unknown, depth: number): boolean {
  if (Object.is(a, b)) return true
  if (depth === 0 || !isPlain(a) || !isPlain(b)) return false
  const keys = Object.keys(b)
  if (Object.keys(a).length !== keys.length) return false
  return keys.every((key) => isSame(a[key], b[key], depth - 1))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)
}

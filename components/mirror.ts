// What a worker sees of the link: the same columns in shared memory, under the same names; no worlds, messages or texts.
import { type Arch, withBranchReach } from '../src/arch/arch.ts'
import { ARCHITECTURES } from '../src/arch/architectures.ts'
import { type ChunkRun, type Kernel, runChunks, startChunks } from '../src/core/pool.ts'
import type { Host } from '../src/host/host.ts'
import type { Link } from './link.ts'
import { traceWorker } from './observer.ts'

/** A kernel by the name that src/serve.ts knows it under; `parts` are what it reads of the link. */
type KernelRun<J, R> = [
  link: Link,
  name: string,
  parts: readonly (keyof Link)[],
  kernel: Kernel<Link, J, R>,
  job: J,
  chunks: number,
]

/** Runs a kernel over chunks 0 .. chunks - 1 on the link's threads. Returns what it returned on each thread. */
export async function runKernel<J, R>(...run: KernelRun<J, R>): Promise<R[]> {
  return takeResults(run, await runChunks(...chunksOf(run)))
}

/** The same, while the link does something else until it calls what is returned (`startChunks` in src/core/pool.ts). */
export function startKernel<J, R>(...run: KernelRun<J, R>): () => Promise<R[]> {
  const finish = startChunks(...chunksOf(run))
  return async () => takeResults(run, await finish())
}

/** On the link's own thread the kernel counts as it goes. */
function chunksOf<J, R>([link, name, parts, kernel, job, chunks]: KernelRun<J, R>): ChunkRun<Link, J, Counted> {
  const counted: Kernel<Link, J, Counted> = (view, of, take) => ({
    value: kernel(view, of, take),
    visited: null,
    span: null,
  })
  return [link.pool, link, portablePart, parts, name, counted, job, chunks]
}

function takeResults<J, R>([link, name]: KernelRun<J, R>, results: readonly Counted[]): R[] {
  for (const { visited, span } of results) {
    if (visited !== null) addVisited(link.visited, visited)
    if (span !== null) traceWorker(link.observer, span.seat, name, span.start, span.end)
  }
  return results.map(({ value }) => value as R)
}

/** What a kernel returned on one thread, and what it counted there; null on the link's own, which has counted it already. */
interface Counted {
  value: unknown
  visited: Link['visited'] | null
  /** When the worker of this seat ran it, by the host's clock, which all threads share. */
  span: { seat: number; start: number; end: number } | null
}

/** How the worker of a seat calls a kernel. */
export function counted(kernel: Kernel<Link, unknown, unknown>, seat: number): Kernel<Link, unknown, Counted> {
  return (mirror, job, take) => {
    const start = mirror.host.now()
    mirror.visited = noneVisited()
    const before = probesOf(mirror)
    const value = kernel(mirror, job, take)
    mirror.visited.probes += probesOf(mirror) - before
    return { value, visited: mirror.visited, span: { seat, start, end: mirror.host.now() } }
  }
}

function noneVisited(): Link['visited'] {
  return { rows: 0, read: 0, hashed: 0, written: 0, probes: 0, allocated: 0 }
}

function addVisited(to: Link['visited'], from: Link['visited']): void {
  for (const key in from) to[key as keyof Link['visited']] += from[key as keyof Link['visited']]
}

function probesOf(link: Link): number {
  return (link.names?.probes ?? 0) + (link.gots?.probes ?? 0) + (link.tlvs?.probes ?? 0)
}

/** A link in which only `host` is set; `updateMirror` sets the parts that kernels ask for, before the first of them runs. */
export function createMirror(host: Host): Link {
  return { host, visited: noneVisited() } as Link
}

/** `part` of the link as it can be sent: columns and plain values; arrays are copied, for the link goes on changing them. */
export function portablePart(link: Link, part: keyof Link): unknown {
  if (part === 'arch') return { name: link.arch.name, reach: link.settings.branchReach ?? null }
  const value = link[part]
  if (part === 'settings') return withoutObjects(link.settings)
  if (Array.isArray(value)) return value.slice()
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  return copyFields(value as Record<string, unknown>)
}

function withoutObjects(settings: object): object {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => isPrimitive(value)))
}

function isPrimitive(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string'
}

function copyFields(value: Record<string, unknown>): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const key in value) {
    const field = value[key]
    if (key === 'world' || typeof field === 'function' || field instanceof Map || field instanceof Set) continue
    if (key === 'rebaseWorld' || key === 'bindWorld') continue
    copy[key] = Array.isArray(field) ? field.slice() : field
  }
  return copy
}

export function updateMirror(mirror: Link, parts: Record<string, unknown>): void {
  for (const part in parts) (mirror as unknown as Record<string, unknown>)[part] = received(part, parts[part])
}

function received(part: string, value: unknown): unknown {
  if (part !== 'arch') return value
  const { name, reach } = value as { name: Arch['name']; reach: number | null }
  return reach === null ? ARCHITECTURES[name] : withBranchReach(ARCHITECTURES[name], reach)
}

// The pipeline: the table of contents of the whole program. systems/README.md says of each what it reads and writes.
import { discardDraft, settleDraft } from '../components/draft.ts'
import { type Kept, releaseKept } from '../components/kept.ts'
import type { Link } from '../components/link.ts'
import { checkpoint, createObserver, type Observer, traceStep } from '../components/observer.ts'
import type { Arch } from '../src/arch/arch.ts'
import type { Messages } from '../src/core/messages.ts'
import { createPool, type Pool, restWorkers, stopWorkers } from '../src/core/pool.ts'
import type { Host } from '../src/host/host.ts'
import type { Settings } from '../src/settings.ts'
import { allocate } from './allocate.ts'
import { beginExports } from './beginExports.ts'
import { categories } from './categories.ts'
import { define } from './define.ts'
import { fold } from './fold.ts'
import { gatherUnwind } from './gatherUnwind.ts'
import { release } from './kernels/release.ts'
import { listSymbols } from './listSymbols.ts'
import { load } from './load.ts'
import { dropRows } from './load/takeRows.ts'
import { map } from './map.ts'
import { numberSymbols } from './numberSymbols.ts'
import { objectiveC } from './objectiveC.ts'
import { prioritize } from './prioritize.ts'
import { relocate } from './relocate.ts'
import { resolve } from './resolve.ts'
import { scan } from './scan.ts'
import { sign } from './sign.ts'
import { strip } from './strip.ts'
import { survey } from './survey.ts'
import { unwind } from './unwind.ts'
import { writeAhead } from './writeAhead.ts'
import { writeDyldInfo } from './writeDyldInfo.ts'
import { writeHeader } from './writeHeader.ts'
import { writeIndirect } from './writeIndirect.ts'
import { writeSymtab } from './writeSymtab.ts'

type System = (link: Link) => unknown

/** What the systems take of a link of many files, in percent, to tell how far it is; the rest takes too little to count. */
const SHARES: Readonly<Record<string, number>> = {
  survey: 10,
  load: 28,
  resolve: 2,
  define: 5,
  gatherUnwind: 3,
  fold: 3,
  scan: 7,
  unwind: 2,
  listSymbols: 5,
  allocate: 5,
  relocate: 8,
  writeDyldInfo: 10,
  writeSymtab: 6,
  sign: 3,
  output: 3,
}

/** From resolved names to what goes into the output. */
const DECIDE: readonly (readonly [string, System])[] = [
  ['define', define],
  ['gatherUnwind', gatherUnwind],
  ['strip', strip],
  ['categories', categories],
  ['fold', fold],
  ['objectiveC', objectiveC],
  ['scan', scan],
  ['unwind', unwind],
  ['prioritize', prioritize],
]

/** From decisions to bytes; nothing here fails but for values that do not fit. */
const WRITE: readonly (readonly [string, System])[] = [
  ['listSymbols', listSymbols],
  ['allocate', allocate],
  ['numberSymbols', numberSymbols],
  ['beginExports', beginExports],
  ['relocate', relocate],
  ['writeIndirect', writeIndirect],
  ['writeAhead', writeAhead],
  ['writeDyldInfo', writeDyldInfo],
  ['writeSymtab', writeSymtab],
  ['writeHeader', writeHeader],
  ['writeAhead', writeAhead],
  ['sign', sign],
  ['map', map],
]

/**
 * Runs the systems in order. Between them the event loop gets its turn and an abort is seen. Stops where errors are, and after
 * the system `last`. `keeps` and `kept` as in the link. The workers of `lent` rest afterwards, unless something is wrong.
 */
export async function runPipeline(
  settings: Settings,
  arch: Arch,
  host: Host,
  messages: Messages,
  last = '',
  observer = createObserver(host, settings),
  keeps = false,
  kept: Kept | null = null,
  lent: Pool | null = null,
): Promise<Link> {
  const pool = lent ?? createPool()
  pool.signal = settings.signal
  let isWhole = false
  try {
    const link = await runSystems(settings, arch, host, messages, last, observer, pool, keeps, kept)
    isWhole = messages.errors === 0
    return link
  } finally {
    if (isWhole && lent !== null) restWorkers(pool)
    else stopWorkers(pool)
  }
}

async function runSystems(
  settings: Settings,
  arch: Arch,
  host: Host,
  messages: Messages,
  last: string,
  observer: Observer,
  pool: Pool,
  keeps: boolean,
  kept: Kept | null,
): Promise<Link> {
  await begin(observer, 'survey')
  const started = host.now()
  const allocated = host.allocated?.() ?? 0
  const link = await survey(settings, arch, host, messages, observer, pool, keeps, kept)
  finish(link, 'survey', started, allocated, 0)
  if (last === 'survey') return link
  do await run(link, 'load', load)
  while (await run(link, 'resolve', resolve))
  if (kept !== null) {
    dropRows(link, kept)
    link.past = releaseKept(link, kept)
  }
  link.kept = null
  if (last === 'load' || last === 'resolve') return link
  for (const [name, system] of DECIDE) {
    await run(link, name, system)
    if (name === last) return link
  }
  if (messages.errors > 0) return link
  try {
    await write(link, last)
  } catch (trouble) {
    discardDraft(link)
    throw trouble
  }
  return link
}

/** The caller discards what is left of a draft when something throws. */
async function write(link: Link, last: string): Promise<void> {
  for (const [name, system] of WRITE) {
    if (link.messages.errors === 0) await run(link, name, system)
    if (name === last) return
  }
  if (link.draft !== null && link.messages.errors === 0) await run(link, 'output', settleDraft)
}

/** What comes after the systems: the caller writes the output, or what is left of it. An abort is seen for the last time. */
export async function beginOutput(observer: Observer): Promise<void> {
  await begin(observer, 'output')
}

/** Completes what `beginOutput` began. */
export function finishOutput(link: Link, started: number, bytes: number): void {
  link.visited = { rows: 0, read: 0, hashed: 0, written: 0, probes: 0, allocated: 0 }
  link.visited.written = bytes
  link.visited.rows = Math.ceil(bytes / link.settings.pageSize)
  finish(link, 'output', started, link.host.allocated?.() ?? 0, probesOf(link))
}

async function begin(observer: Observer, system: string): Promise<void> {
  observer.system = system
  observer.from = system in SHARES ? shareBefore(system) : observer.to
  observer.to = observer.from + (SHARES[system] ?? 0) / 100
  await checkpoint(observer)
}

function shareBefore(system: string): number {
  const names = Object.keys(SHARES)
  return names.slice(0, names.indexOf(system)).reduce((sum, name) => sum + SHARES[name], 0) / 100
}

async function run<T>(link: Link, name: string, system: (link: Link) => T): Promise<Awaited<T>> {
  const { host, observer } = link
  await begin(observer, name)
  link.visited = { rows: 0, read: 0, hashed: 0, written: 0, probes: 0, allocated: 0 }
  const probes = probesOf(link)
  const allocated = host.allocated?.() ?? 0
  const started = host.now()
  const result = await system(link)
  finish(link, name, started, allocated, probes)
  release(link, name)
  return result
}

/** Completes the counters of the system that has run. A system that runs again adds to its line. */
function finish(link: Link, system: string, started: number, allocated: number, probes: number): void {
  const { visited, timings, host, observer } = link
  const milliseconds = host.now() - started
  visited.probes += probesOf(link) - probes
  visited.allocated = (host.allocated?.() ?? 0) - allocated
  traceStep(observer, system, started)
  observer.afterSystem?.(link, system)
  const bytes = visited.read + visited.hashed + visited.written
  const known = timings.find((line) => line.system === system)
  if (known === undefined) {
    timings.push({ system, milliseconds, bytes, ...visited })
    return
  }
  known.milliseconds += milliseconds
  known.bytes += bytes
  for (const counter of COUNTERS) known[counter] += visited[counter]
}

const COUNTERS = ['rows', 'read', 'hashed', 'written', 'probes', 'allocated'] as const

/** Those of the indexes that outlive a system; others are counted where they are. */
function probesOf(link: Link): number {
  return link.names.probes + link.gots.probes + link.tlvs.probes
}

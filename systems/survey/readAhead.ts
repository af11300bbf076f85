// Files read by batches on all threads before the survey comes to them. It takes them in their order, so that rows, messages and
// dependencies are those of a survey that reads one after another.
import { ARENA_LIMIT, placeInArena } from '../../components/arena.ts'
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { createMirror, runKernel } from '../../components/mirror.ts'
import { traceStep } from '../../components/observer.ts'
import type { Pool } from '../../src/core/pool.ts'
import type { Host } from '../../src/host/host.ts'
import { COUNTS } from './counts.ts'
import { type ReadJob, readChunks } from './readChunks.ts'
import { arenaHint, type Place, type ReadAhead, type Survey } from './survey.ts'

/** So much that threads seldom wait for each other, and so little that aborts and progress are not kept waiting. */
const BATCH_BYTES = 64 << 20
/** The caller's cache may know these, and they are few. */
const LIBRARY = /\.(tbd|dylib)$/

/** null without workers, or where they would not read what this host reads. */
export function createReadAhead(pool: Pool, host: Host, survey: Survey): ReadAhead | null {
  if (pool.workers.length === 0 || host.workerReadInto !== host.readInto) return null
  const view: Link = { ...createMirror(host), pool, arenas: survey.arenas, observer: survey.observer }
  return { view, next: 0, rows: new Map(), job: createJob([], [], []) }
}

/** Reads the next inputs, if the survey has come to the end of those that were read. */
export async function readAhead(survey: Survey, input: number): Promise<void> {
  const { ahead } = survey
  if (ahead === null || input < ahead.next) return
  const started = survey.host.now()
  planBatch(survey, ahead)
  const { paths } = ahead.job
  await runKernel(ahead.view, 'readChunks', ['arenas'], readChunks, ahead.job, paths.length)
  traceStep(survey.observer, 'Read files', started, paths[0] ?? '')
}

function planBatch(survey: Survey, ahead: ReadAhead): void {
  const { inputs } = survey.settings
  const paths: string[] = []
  const places: { arena: number; position: number }[] = []
  const sizes: number[] = []
  ahead.rows.clear()
  for (let bytes = 0; bytes < BATCH_BYTES && ahead.next < inputs.length; ahead.next++) {
    const { path, contents } = inputs[ahead.next]
    if (path === undefined || contents !== undefined || LIBRARY.test(path) || ahead.rows.has(path)) continue
    const stat = survey.stats.get(path)
    if (stat === undefined || !stat.isFile || stat.size > ARENA_LIMIT) continue
    places.push(placeInArena(survey.arenas, stat.size, arenaHint(survey)))
    survey.expected = Math.max(0, survey.expected - stat.size)
    sizes.push(stat.size)
    ahead.rows.set(path, paths.push(path) - 1)
    bytes += stat.size
  }
  ahead.job = createJob(paths, places, sizes)
}

function createJob(
  paths: string[],
  places: readonly { arena: number; position: number }[],
  sizes: readonly number[],
): ReadJob {
  return {
    paths,
    arena: Uint8Array.from(places, ({ arena }) => arena),
    position: Uint32Array.from(places, ({ position }) => position),
    size: Uint32Array.from(sizes),
    got: new Int32Array(memory(paths.length * 4, true)).fill(-1),
    counted: new Uint8Array(memory(paths.length, true)),
    counts: new Float64Array(memory(paths.length * COUNTS * 8, true)),
  }
}

/** Where the file lies, once; null when it was not read, or could not be. */
export function takeAhead(survey: Survey, path: string, modified: number): Place | null {
  const { ahead } = survey
  const row = ahead?.rows.get(path)
  if (ahead === null || row === undefined) return null
  ahead.rows.delete(path)
  const { arena, position, got, counted } = ahead.job
  if (got[row] < 0) return null
  const counts = counted[row] === 1 ? row * COUNTS : -1
  return { arena: arena[row], position: position[row], size: got[row], modified, counts }
}

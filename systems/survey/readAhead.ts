// Files read by batches, on all threads or beside this one, before the survey comes to them. It takes them in their order, so that rows, messages and
// dependencies are those of a survey that reads one after another.
import { ARENA_LIMIT, placeInArena, tablesBeside } from '../../components/arena.ts'
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { createMirror, startKernel } from '../../components/mirror.ts'
import { traceStep } from '../../components/observer.ts'
import { alignUp } from '../../src/core/align.ts'
import { helpers, type Pool } from '../../src/core/pool.ts'
import type { Host } from '../../src/host/host.ts'
import { COUNTS } from './counts.ts'
import { type ReadJob, readChunks, SKIPPED, SPLIT } from './readChunks.ts'
import { LARGE_FILE, placeParts } from './readSplit.ts'
import { arenaHint, type HeldBatch, type Place, type ReadAhead, type ReadBatch, type Survey } from './survey.ts'

/** With workers: so much that threads seldom wait for each other, and so little that aborts and progress are not kept waiting. */
const BATCH_BYTES = 64 << 20
/** Without: the host reads one batch while the survey counts the one before. */
const BESIDE_BYTES = LARGE_FILE
/** All files of a batch are open at once. */
const BESIDE_FILES = 128
/** Smaller links are read before a first batch would be. */
const LEAST_BESIDE = 8 << 20
/** The caller's cache may know these, and they are few. */
const LIBRARY = /\.(tbd|dylib)$/

/** null where others would not read what this host reads, or where it is not worth it. */
export function createReadAhead(pool: Pool, host: Host, survey: Survey): ReadAhead | null {
  if (host.workerReadInto === undefined || host.workerReadInto !== host.readInto) return null
  const threads = helpers(pool) > 0
  if (!threads && (host.readFiles === undefined || survey.expected < LEAST_BESIDE)) return null
  const view: Link = { ...createMirror(host), pool, arenas: survey.arenas, observer: survey.observer }
  const batch = {
    end: 0,
    rows: new Map<string, number>(),
    job: createJob([], [], [], threads, false),
    held: null,
    finish: () => Promise.resolve(),
  }
  return { view, threads, batch, coming: null, spare: [] }
}

/** Reads the next inputs, if the survey has come to the end of those that were read. */
export async function readAhead(survey: Survey, input: number): Promise<void> {
  const { ahead } = survey
  if (ahead === null || input < ahead.batch.end) return
  const started = survey.host.now()
  const batch = ahead.coming ?? startBatch(survey, ahead, input)
  await batch.finish()
  ahead.batch = batch
  ahead.coming = batch.end === survey.settings.inputs.length ? null : startBatch(survey, ahead, batch.end)
  traceStep(survey.observer, 'Read files', started, batch.job.paths[0] ?? '')
}

function startBatch(survey: Survey, ahead: ReadAhead, from: number): ReadBatch {
  const { end, rows, job } = planBatch(survey, ahead, from)
  const { paths } = job
  if (ahead.threads)
    return {
      end,
      rows,
      job,
      held: null,
      finish: startKernel(ahead.view, 'readChunks', ['arenas'], readChunks, job, paths.length),
    }
  const held = job.splits ? holdBatch(ahead, job) : null
  const files = paths.map((path, i) => ({
    path,
    target: held === null ? survey.arenas.list[job.arena[i]].bytes : held.bytes,
    at: held === null ? job.position[i] : held.at[i],
    length: job.size[i],
  }))
  const done = survey.host.readFiles!(files, job.got)
  return { end, rows, job, held, finish: () => done }
}

/** Room for a batch until its files are split. Two are in use in turn: the one that is read, and the one before. */
function holdBatch(ahead: ReadAhead, { size }: ReadJob): HeldBatch {
  const at = new Uint32Array(size.length)
  let end = 0
  for (let i = 0; i < size.length; i++) {
    at[i] = end
    end = alignUp(end + size[i], 16)
  }
  const bytes = ahead.spare.length < 2 ? new Uint8Array(BESIDE_BYTES * 3) : ahead.spare.shift()!
  ahead.spare.push(bytes)
  return { bytes, at }
}

function planBatch(survey: Survey, { threads }: ReadAhead, from: number): Omit<ReadBatch, 'finish' | 'held'> {
  const { inputs } = survey.settings
  const [mostBytes, mostFiles] = threads ? [BATCH_BYTES, inputs.length] : [BESIDE_BYTES, BESIDE_FILES]
  const mostSize = !threads && survey.scratch !== null ? LARGE_FILE - 1 : ARENA_LIMIT
  const paths: string[] = []
  const places: { arena: number; position: number }[] = []
  const sizes: number[] = []
  const rows = new Map<string, number>()
  let end = from
  for (let bytes = 0; bytes < mostBytes && paths.length < mostFiles && end < inputs.length; end++) {
    const { path, contents } = inputs[end]
    if (path === undefined || contents !== undefined || LIBRARY.test(path) || rows.has(path)) continue
    const stat = survey.stats.get(path)
    if (stat === undefined || !stat.isFile || stat.size > mostSize) continue
    const place = placeInArena(survey.arenas, stat.size, arenaHint(survey))
    if (survey.splits) tablesBeside(survey.arenas, place.arena)
    places.push(place)
    survey.expected = Math.max(0, survey.expected - stat.size)
    sizes.push(stat.size)
    rows.set(path, paths.push(path) - 1)
    bytes += stat.size
  }
  return { end, rows, job: createJob(paths, places, sizes, threads, survey.splits) }
}

function createJob(
  paths: string[],
  places: readonly { arena: number; position: number }[],
  sizes: readonly number[],
  shared: boolean,
  splits: boolean,
): ReadJob {
  return {
    paths,
    arena: Uint8Array.from(places, ({ arena }) => arena),
    position: Uint32Array.from(places, ({ position }) => position),
    size: Uint32Array.from(sizes),
    got: new Int32Array(memory(paths.length * 4, shared)).fill(-1),
    counted: new Uint8Array(memory(paths.length, shared)),
    counts: new Float64Array(memory(paths.length * COUNTS * 8, shared)),
    split: new Uint8Array(memory(paths.length, shared)),
    left: new Uint32Array(memory(paths.length * 4, shared)),
    splits,
  }
}

/** Where the file lies, once; null when it was not read, or could not be. */
export function takeAhead(survey: Survey, path: string, modified: number): Place | null {
  const { ahead } = survey
  const row = ahead?.batch.rows.get(path)
  if (ahead === null || row === undefined) return null
  ahead.batch.rows.delete(path)
  const { job, held } = ahead.batch
  const { arena, position, got, counted, split, left } = job
  if (got[row] < 0) return null
  survey.bytesRead += got[row] - left[row]
  if (held !== null) placeHeld(survey, job, held, row)
  const counts = counted[row] === 1 ? row * COUNTS : -1
  return {
    arena: arena[row],
    position: position[row],
    size: got[row],
    modified,
    counts,
    split: (split[row] & SPLIT) !== 0,
    skipped: (split[row] & SKIPPED) !== 0,
  }
}

function placeHeld(
  { arenas }: Survey,
  { arena, position, got, size, split }: ReadJob,
  held: HeldBatch,
  row: number,
): void {
  const target = arenas.list[arena[row]]
  const tables = arenas.list[target.tables]
  const point = placeParts(held.bytes, held.at[row], got[row], size[row], target, tables, position[row])
  split[row] = point < size[row] ? SPLIT : 0
}

// What the survey collects before any column exists: plain growing columns of numbers, one element a file, element 0 unused.
import { type Arenas, createArenas } from '../../components/arena.ts'
import type { Kept } from '../../components/kept.ts'
import type { Dylib, Link } from '../../components/link.ts'
import type { Observer } from '../../components/observer.ts'
import type { Arch } from '../../src/arch/arch.ts'
import type { Messages } from '../../src/core/messages.ts'
import type { Archive } from '../../src/formats/archive.ts'
import type { TbdDocument } from '../../src/formats/tbd.ts'
import type { FileStat, Host } from '../../src/host/host.ts'
import type { Settings } from '../../src/settings.ts'
import type { Dependencies, Input } from '../../src/types.ts'
import { COUNTS } from './counts.ts'
import type { Library } from './keptLibraries.ts'
import type { ReadJob } from './readChunks.ts'

/** An arena is at least this large once the inputs are many, so that small files share one. */
const ARENA_STEP = 16 * 1024 * 1024
const FIRST_ARENA = 64 * 1024

export interface SurveyRows {
  kind: number[]
  flags: number[]
  arena: number[]
  position: number[]
  size: number[]
  path: number[]
  modified: number[]
  rank: number[]
  member: number[]
  parent: number[]
  archive: number[]
  sections: number[]
  symbols: number[]
  blocks: number[]
  unwinds: number[]
  /** Bytes of the string table: bound on the names it brings. */
  strings: number[]
  /** File of the kept link whose rows it takes over; 0: none. */
  from: number[]
}

export interface Survey {
  settings: Settings
  arch: Arch
  host: Host
  messages: Messages
  observer: Observer
  arenas: Arenas
  rows: SurveyRows
  count: number
  paths: string[]
  archives: Archive[]
  dylibs: Dylib[]
  /** Inputs seen so far by resolved path: a dylib or archive named twice is one. */
  seen: Map<string, number>
  dylibsByPath: Map<string, number>
  /** By path, what the caller's cache was asked for; null where it had nothing. */
  recalled: Map<string, Library | null>
  /** Documents that stand behind a dylib in its stub file. */
  inlined: Map<number, TbdDocument[]>
  /** By dylib: names that its `$ld$hide` orders take away, from what it re-exports too. */
  hidden: Map<number, string[]>
  /** Autolinked libraries by their option text -> the file or dylib that it led to (0 when nothing was found). */
  autolinks: Map<string, Autolink>
  pendingAutolinks: Autolink[]
  nextRank: number
  /** Lines of --print-dylib-search. */
  searched: string[]
  libraryDirectories: string[]
  frameworkDirectories: string[]
  dependencies: Dependencies
  /** What the inputs' sizes were found with: asked once. */
  stats: Map<string, FileStat>
  /** What threads have read before its turn; null when they do not. */
  ahead: ReadAhead | null
  /** Counts of the object at hand. */
  counts: Float64Array
  /** Objects are read in two parts. */
  splits: boolean
  /** Room to read parts of objects; null where they are read whole. */
  scratch: Uint8Array | null
  /** Bytes still to be read, to size arenas well. */
  expected: number
  /** Of a link that is kept, bytes of an arena: what is read of it later is read by the arena. 0: as few arenas as can be. */
  slice: number
  /** Objects get rows for what their next versions may have more. */
  spares: boolean
  /** The link that inputs are taken over from. */
  kept: Kept | null
  /** Bytes taken from inputs so far: read of files, or copied of contents. */
  bytesRead: number
}

export interface ReadBatch {
  /** The first input behind the batch. */
  end: number
  /** Index in `job` by path; a path that is named again is read again. */
  rows: Map<string, number>
  job: ReadJob
  /** Where the files lie until they are taken; null where they are read to their places. */
  held: HeldBatch | null
  /** Reads what is left of it. */
  finish: () => Promise<unknown>
}

/** `at`: by file of the batch, where it begins. */
export interface HeldBatch {
  bytes: Uint8Array
  at: Uint32Array
}

export interface ReadAhead {
  /** Stands for the link, which there is not yet, before kernels. */
  view: Link
  /** Read and counted on all threads; else by the host, beside this one. */
  threads: boolean
  batch: ReadBatch
  /** Is being read. */
  coming: ReadBatch | null
  /** Room for held batches, by turns. */
  spare: Uint8Array[]
}

export interface Autolink {
  key: string
  input: Input
  file: number
  dylib: number
  problem: string
}

export function createSurvey(
  settings: Settings,
  arch: Arch,
  host: Host,
  messages: Messages,
  observer: Observer,
): Survey {
  const rows = {} as SurveyRows
  for (const name of ROW_NAMES) rows[name] = [0]
  return {
    settings,
    arch,
    host,
    messages,
    observer,
    arenas: createArenas(false),
    rows,
    count: 0,
    paths: [],
    archives: [],
    dylibs: [],
    seen: new Map(),
    stats: new Map(),
    dylibsByPath: new Map(),
    recalled: new Map(),
    inlined: new Map(),
    hidden: new Map(),
    autolinks: new Map(),
    pendingAutolinks: [],
    nextRank: 1,
    searched: [],
    libraryDirectories: [],
    frameworkDirectories: [],
    dependencies: { read: [], missing: [], members: [] },
    ahead: null,
    counts: new Float64Array(COUNTS),
    splits: false,
    scratch: null,
    expected: 0,
    slice: 0,
    spares: false,
    kept: null,
    bytesRead: 0,
  }
}

const ROW_NAMES: readonly (keyof SurveyRows)[] = [
  'kind',
  'flags',
  'arena',
  'position',
  'size',
  'path',
  'modified',
  'rank',
  'member',
  'parent',
  'archive',
  'sections',
  'symbols',
  'blocks',
  'unwinds',
  'strings',
  'from',
]

/** A new file row, all zero but its kind and place. */
export function addFile(survey: Survey, kind: number, path: string, place: Place, rank: number): number {
  const file = ++survey.count
  for (const name of ROW_NAMES) survey.rows[name][file] = 0
  const { rows } = survey
  rows.kind[file] = kind
  rows.path[file] = survey.paths.push(path) - 1
  rows.arena[file] = place.arena
  rows.position[file] = place.position
  rows.size[file] = place.size
  rows.modified[file] = place.modified
  rows.rank[file] = rank
  return file
}

/** Bytes of an input in an arena. `modified` is in seconds. */
export interface Place {
  arena: number
  position: number
  size: number
  modified: number
  /** Of an object that a thread has counted: where in the counts read ahead; else absent or -1. */
  counts?: number
  /** Its symbols and strings lie in the arena beside. */
  split?: boolean
  /** Some of its DWARF was left in the file. */
  skipped?: boolean
}

const SLICES = 64
/** Inputs that do not fit into what is left of a slice can double their number; columns hold it in a byte. */
const MOST_SLICES = 2 * SLICES
const LEAST_SLICE = 1 << 18

export function sliceOf(expected: number): number {
  return Math.max(LEAST_SLICE, Math.ceil(expected / SLICES))
}

/** Arenas grow with what they hold: V8 collects garbage by the size of buffers. Two of 1 MiB made a warm link of hello 2.6 ms, not 2.0. */
export function arenaHint(survey: Survey): number {
  if (survey.slice > 0 && survey.arenas.list.length < MOST_SLICES) return survey.slice
  let held = FIRST_ARENA / 4
  for (const arena of survey.arenas.list) held += arena.bytes.length
  return Math.max(survey.expected, Math.min(held * 4, ARENA_STEP))
}

// The contract: what goes into a link and what comes out. Everything here is plain data.
import type { Host } from './host/host.ts'

/** `arm64` is CPU_TYPE_ARM64 / CPU_SUBTYPE_ARM64_ALL; `x86_64` is CPU_TYPE_X86_64 / ALL. */
export type Arch = 'x86_64' | 'arm64'

/** Names of the platforms, as `-platform_version` and `.tbd` version 4 spell them (tapi, ld64). */
export type PlatformName =
  | 'macos'
  | 'ios'
  | 'tvos'
  | 'watchos'
  | 'bridgeos'
  | 'mac-catalyst'
  | 'ios-simulator'
  | 'tvos-simulator'
  | 'watchos-simulator'
  | 'driverkit'
  | 'xros'
  | 'xros-simulator'

/** A version packed as Mach-O packs it: xxxx.yy.zz in 16 + 8 + 8 bits. */
export type PackedVersion = number

export interface Platform {
  name: PlatformName
  minVersion: PackedVersion
  sdkVersion: PackedVersion
}

/** How a file joins the link. Flags mean what the ld64 option of that name means (`-weak-l`, `-needed_framework`, `-load_hidden`...). */
export interface InputFlags {
  weak?: boolean
  needed?: boolean
  reexport?: boolean
  upward?: boolean
  hidden?: boolean
  forceLoad?: boolean
}

/**
 * One input, in command-line order. Exactly one of `path`, `library` (`-lfoo` is `library: 'foo'`) and `framework`
 * names it; `contents` makes a `path` an in-memory file. `lazy` is `--start-lib` ... `--end-lib`.
 */
export interface Input extends InputFlags {
  path?: string
  library?: string
  framework?: string
  contents?: Uint8Array
  lazy?: boolean
}

export interface SectCreate {
  segment: string
  section: string
  path?: string
  contents?: Uint8Array
}

export type UndefinedTreatment = 'error' | 'warning' | 'suppress' | 'dynamic_lookup'

/** What is worth keeping between links: made by `createCache`, owned by the caller, good for any number of links at once. */
export interface Cache {
  /** Libraries as they were read, by target and path. Their form is no part of the contract. */
  readonly libraries: Map<string, object>
}

/** Options of a link; names follow the ld64 options they stand for. Only `inputs` is required. */
export interface LinkOptions {
  inputs: readonly (string | Input)[]
  /** Path of the output, default `a.out`. */
  output?: string
  /** `false`: nothing is written, the bytes come back in `Result.outputFiles`. */
  write?: boolean
  arch?: Arch
  outputType?: 'execute' | 'dylib' | 'bundle'
  platform?: Platform
  /** The mac-catalyst half of a zippered dylib or bundle. */
  secondaryPlatform?: Platform
  host?: Host
  /** Libraries that a link with the same cache has read are neither read nor parsed again, unless their files have changed. */
  cache?: Cache
  signal?: AbortSignal
  /** Called between systems and every some files while inputs are read. What it throws rejects the link. */
  onProgress?: (progress: Progress) => void
  /** The result has a `timeTrace`. */
  timeTrace?: boolean
  /** Steps of the trace that took less than these microseconds are counted, not listed. Default 500. */
  timeTraceGranularity?: number
  /** The result has `stats`. */
  stats?: boolean
  metafile?: boolean
  demangle?: boolean

  // Search
  syslibroots?: readonly string[]
  libraryPaths?: readonly string[]
  frameworkPaths?: readonly string[]
  searchDylibsFirst?: boolean
  /** `-Z`: the standard directories are not searched. */
  noStandardPaths?: boolean
  /** `false`: `-lSystem` and the like never fall back to the embedded stubs. */
  embeddedStubs?: boolean
  executablePath?: string

  // Resolution
  entry?: string
  forceUndefined?: readonly string[]
  undefined?: UndefinedTreatment
  dynamicLookup?: readonly string[]
  flatNamespace?: boolean
  allLoad?: boolean
  loadObjC?: boolean
  forceLoadSwiftLibs?: boolean
  exportedSymbols?: readonly string[]
  unexportedSymbols?: readonly string[]
  noExportedSymbols?: boolean
  exportDynamic?: boolean
  /** `-reexported_symbols_list` is not offered; `-alias real alias` pairs. */
  aliases?: readonly (readonly [string, string])[]
  ignoreAutoLink?: boolean
  ignoreAutoLinkLibraries?: readonly string[]
  noImplicitDylibs?: boolean
  bundleLoader?: string
  clientName?: string
  strictAutoLink?: boolean
  /** `-why_load`, `-why_live`. */
  whyLoad?: boolean
  whyLive?: readonly string[]
  /** `-t`: the report `t` names every file that was loaded. */
  trace?: boolean
  /** `--print-dylib-search`, `RC_TRACE_DYLIB_SEARCHING`: the report `print_dylib_search`. */
  printDylibSearch?: boolean
  archErrorsFatal?: boolean
  /** `-arch_multiple`: undefined symbols are reported `for arch NAME`. */
  archMultiple?: boolean
  /** `LD_DYLIB_CPU_SUBTYPES_MUST_MATCH`. */
  cpuSubtypesMustMatch?: boolean
  warnThinArchiveMissingMembers?: boolean
  /** A link with warnings fails with them as its errors, and writes nothing. */
  fatalWarnings?: boolean

  // Layout
  deadStrip?: boolean
  deadStripDylibs?: boolean
  deadStripDuplicates?: boolean
  deduplicateLiterals?: boolean
  /**
   * `true`: the string table of the symbol table has every string once, which ld64.lld does unless told not to. `false`: each entry has a
   * string of its own, `-no-deduplicate-symbol-strings`. Default: those of the debug map share the names of their symbols, other names
   * are not compared.
   */
  deduplicateSymbolStrings?: boolean
  /** A C string that another one ends in lies within that one, as far as alignment allows. Strings that are not deduplicated stay whole. */
  tailMergeStrings?: boolean
  separateCstringLiterals?: boolean
  interposable?: boolean
  keepIcfStabs?: boolean
  icf?: 'none' | 'safe' | 'all'
  orderFile?: string
  callGraphProfileSort?: boolean
  printSymbolOrder?: string
  /** `-rename_section from-seg from-sect to-seg to-sect`. */
  renameSections?: readonly (readonly [string, string, string, string])[]
  renameSegments?: readonly (readonly [string, string])[]
  /**
   * `tight` (the default of a link) puts everything side by side; `padded` (that of a session) leaves room in code, data and
   * sections, by size classes, so that small changes of the inputs move little.
   */
  layout?: 'tight' | 'padded'
  /** Bytes kept free after the load commands. */
  headerPad?: number
  headerPadMaxInstallNames?: boolean
  pagezeroSize?: number
  imageBase?: number
  segmentAddresses?: readonly (readonly [string, number])[]
  segmentProtections?: readonly { segment: string; max: number; init: number }[]
  sectAlign?: readonly { segment: string; section: string; align: number }[]
  dataConst?: boolean
  sectCreate?: readonly SectCreate[]
  addEmptySections?: readonly (readonly [string, string])[]

  // Output
  installName?: string
  compatibilityVersion?: PackedVersion
  currentVersion?: PackedVersion
  rpaths?: readonly string[]
  dyldEnvironment?: readonly string[]
  allowableClients?: readonly string[]
  umbrella?: string
  subLibraries?: readonly string[]
  subUmbrellas?: readonly string[]
  stackSize?: number
  pie?: boolean
  fixupChains?: boolean
  initOffsets?: boolean
  bindAtLoad?: boolean
  /** `-O`: from 2 on bind opcodes are folded. Default 1. */
  optimize?: number
  adhocCodesign?: boolean
  encryptable?: boolean
  markDeadStrippableDylib?: boolean
  applicationExtension?: boolean
  stripDebug?: boolean
  /** `-x` is `all`; `-non_global_symbols_strip_list` and `..._no_strip_list` are patterns. */
  stripLocals?: 'all' | { only: readonly string[] } | { except: readonly string[] }
  functionStarts?: boolean
  dataInCode?: boolean
  /** LC_SOURCE_VERSION: up to five numbers, the first of 24 bits and the others of 10; `true` is version 0. */
  sourceVersion?: boolean | readonly number[]
  objcRelativeMethodLists?: boolean
  objcStubsSmall?: boolean
  objcCategoryMerging?: boolean
  checkCategoryConflicts?: boolean
  ignoreOptimizationHints?: boolean
  uuid?: 'content' | 'random' | 'none'
  finalOutput?: string
  osoPrefix?: string
  zeroArDate?: boolean
  astPaths?: readonly string[]
  /** Also make the text of a map file (`-map`); it is returned, and written by the command. */
  map?: boolean
  /** Bytes that an arm64 branch is taken to reach, at most 128 MiB: tests of thunks lower it. */
  branchReach?: number
  errorLimit?: number
  /** Threads of a link that is large enough to use them; 1 runs without workers. Default: what the host can run at once. */
  threads?: number
  /** Bytes of input from which workers are started and memory is collected between systems: tests lower it. */
  threadsFrom?: number
  /** Bytes of input from which smaller links have one worker for what can be done beside the rest: tests lower it. */
  asideFrom?: number
  /** A session links anew after each patch and rejects when the bytes are not the same: to look for errors of the linker. */
  checkPatches?: boolean
}

export type Severity = 'error' | 'warning' | 'note'

export interface Location {
  file: string
  member?: string
  section?: string
  symbol?: string
  /** Byte offset in the file (in the member, for an archive member). */
  offset?: number
}

/** Messages are data. `id` is stable and kebab-case; `text` starts in lower case and says got and expected; `notes` print as `>>> ...`. */
export interface Message {
  severity: Severity
  id: string
  text: string
  location: Location | null
  notes: string[]
}

export interface OutputFile {
  path: string
  contents: Uint8Array
  mode: number
}

/**
 * The work of a system, counted: the same inputs and options give the same numbers on every machine and for any number of
 * threads. But for `allocated`, and where inputs are large enough to be read by ranges or written ahead, `read` and the rows of
 * `writeAhead` and `output`: those are for one number of threads.
 */
export interface Counters {
  /** Files, symbols, blocks, relocations, table entries, load commands or pages gone over. */
  rows: number
  /** Bytes taken from inputs: of survey those that were read of files, DWARF that is left in them not. */
  read: number
  hashed: number
  /** Bytes put into the image and the tables of __LINKEDIT. */
  written: number
  /** Entries of hash tables looked at past the first of each search. */
  probes: number
  /** Bytes of buffers made, where the host counts them (`Host.allocated`), else 0. */
  allocated: number
}

/** One finished system: what `--time` prints. `bytes` is what it read, hashed and wrote. */
export interface SystemTiming extends Counters {
  system: string
  milliseconds: number
  bytes: number
}

/** How far a link is. */
export interface Progress {
  /** What runs now: a system, or `output` while the output is written. */
  system: string
  /** Files behind and files in all, for systems that go file by file; else 0 and 0. */
  done: number
  total: number
  /** Share of the whole link that is behind, 0 to 1, judged by what its systems usually take. Never falls. */
  fraction: number
  /** Milliseconds since the link began. */
  elapsed: number
}

/** An event of Chrome's Trace Event Format; times are in microseconds from the trace's start. */
export interface TraceEvent {
  name: string
  /** `X` is a step from `ts` for `dur`, `M` names a process or a thread. */
  ph: 'X' | 'M'
  pid: number
  tid: number
  ts: number
  dur?: number
  cat?: string
  args?: Record<string, string | number>
}

/** What `--time-trace` writes, as JSON: Perfetto, speedscope and about:tracing show it. */
export interface TimeTrace {
  traceEvents: TraceEvent[]
  /** Microseconds since 1970. */
  beginningOfTime: number
}

/** What a link held in memory; sizes are in bytes. Times are `LinkResult.timings`. */
export interface LinkStats {
  /** The most that the process has been using so far, and at the end of each system; 0 where the host does not tell. */
  peakMemory: number
  resident: Record<string, number>
  /**
   * Columns by kind of row, at their largest: `rows` in use, room for `capacity`, `bytes` of the rows in use, `reserved` for all
   * (what is not in use takes no memory).
   */
  columns: Record<string, { rows: number; capacity: number; bytes: number; reserved: number }>
  /** Tables beside the columns at their largest: indexes, lists in output order. */
  tables: Record<string, number>
  /** Bytes in use and reserved of the buffers that hold inputs, of the pool of names, and of the linker's own bytes. */
  arenas: Record<string, { bytes: number; reserved: number }>
  /** How many of each: files, symbols, relocations, stubs... */
  counts: Record<string, number>
  /** Sizes of the output: the file, its segments, the tables of __LINKEDIT. */
  output: Record<string, number>
}

/** After esbuild's: inputs by path (`archive(member)` for members), and what each gave the output. */
export interface Metafile {
  inputs: Record<string, { bytes: number; kind: string; loaded: boolean }>
  outputs: Record<
    string,
    { bytes: number; segments: Record<string, number>; inputs: Record<string, { bytesInOutput: number }> }
  >
}

/** `members` are names of archive members that took part: part of -dependency_info only, since they are no files. */
export interface Dependencies {
  read: string[]
  missing: string[]
  members?: string[]
}

export interface LinkResult {
  errors: Message[]
  warnings: Message[]
  outputFiles: OutputFile[]
  timings: SystemTiming[]
  metafile?: Metafile
  timeTrace?: TimeTrace
  stats?: LinkStats
  /** Text of `-map`, `-why_live` and the like, by the name of the option. */
  reports: Record<string, string>
  /** Every file that was read or looked for and not found, for `-dependency_info`. */
  dependencies: Dependencies
}

/**
 * What a caller knows to have changed. With any of the first three, only that is looked at and all else is taken to be as it was;
 * without them (`{}`, or nothing) every file that the last link looked for is checked.
 */
export interface Changes {
  /** Paths of inputs or other files that the link reads; an Input with `contents` replaces the one in memory of the same path. */
  changed?: readonly (string | Input)[]
  /** Inputs that come last from now on. */
  added?: readonly (string | Input)[]
  /** Paths (or names of libraries and frameworks) of inputs that take part no more. */
  removed?: readonly string[]
  /** Options that replace those of the session from now on, `inputs` too. */
  options?: Partial<LinkOptions>
}

/**
 * `noop`: the output stands as it is. `patch`: the changed objects were read and their blocks relocated into the kept image, all
 * else stood. `warm`: everything was linked anew, but of the inputs only those that have changed were read. `full`: everything was read
 * and linked anew.
 */
export type RebuildMode = 'noop' | 'patch' | 'warm' | 'full'

export interface RebuildResult extends LinkResult {
  mode: RebuildMode
  /** Why this mode, for people. */
  reason: string
  /** Paths of what was found, or named, to have changed since the last link; empty for the first. */
  changedInputs: string[]
  /** Blocks whose bytes in the output changed, and pages of the output that changed; of a full link all. */
  dirtyBlocks: number
  dirtyPages: number
}

export interface WatchOptions {
  /** Called after each rebuild; `failure` is a LinkFailure, or what else went wrong, and `result` null then. */
  onRebuild: (result: RebuildResult | null, failure: unknown) => void
  /** Milliseconds without further events before a rebuild begins. Default 50. */
  delay?: number
  /** Milliseconds between two looks at all files where the host cannot watch directories. Default 500. */
  interval?: number
}

/** A link that is kept to be brought up to date. Rebuilds run one after the other. */
export interface Session {
  /**
   * Brings the output up to date.
   * @throws LinkFailure, or the reason of an abort; the output is then as it was, and the next rebuild works.
   */
  rebuild(changes?: Changes): Promise<RebuildResult>
  /** Links if that is still to be done, then rebuilds whenever a file changes that the link has read or looked for. */
  watch(options: WatchOptions): Promise<void>
  /** Aborts the rebuild that is running; resolves when it has stopped. */
  cancel(): Promise<void>
  /** Cancels, ends watching, and frees what the session holds, threads too. */
  dispose(): Promise<void>
}

/** Thrown by `link` when there are errors. */
export class LinkFailure extends Error {
  readonly errors: Message[]
  readonly warnings: Message[]
  /** Set where the caller may want to report what was read before the failure. */
  readonly dependencies: Dependencies
  /** As in a result, as far as the link came: which files were loaded and why, where libraries were looked for. */
  readonly reports: Record<string, string>
  constructor(
    errors: Message[],
    warnings: Message[],
    dependencies: Dependencies,
    reports: Record<string, string> = {},
  ) {
    super(errors[0]?.text ?? 'the link failed')
    this.name = 'LinkFailure'
    this.errors = errors
    this.warnings = warnings
    this.dependencies = dependencies
    this.reports = reports
  }
}

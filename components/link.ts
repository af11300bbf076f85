// The link: its worlds, the few things that are not rows, and where its bytes lie. Nothing lives outside of it.
import type { Arch } from '../src/arch/arch.ts'
import { type Messages, warn } from '../src/core/messages.ts'
import type { Pool } from '../src/core/pool.ts'
import type { Archive } from '../src/formats/archive.ts'
import type { DylibFile } from '../src/formats/dylib.ts'
import type { UnwindPlan } from '../src/formats/unwind.ts'
import type { Host } from '../src/host/host.ts'
import type { Settings } from '../src/settings.ts'
import type { Counters, Dependencies, Location, SystemTiming } from '../src/types.ts'
import { type Arena, type Arenas, arenaAt } from './arena.ts'
import type { Blocks } from './blocks.ts'
import { columns } from './columns.ts'
import type { Draft } from './draft.ts'
import type { Files } from './files.ts'
import type { Fixups } from './fixups.ts'
import type { Gots } from './gots.ts'
import type { Imports } from './imports.ts'
import type { Kept, Past } from './kept.ts'
import type { Names } from './names.ts'
import type { Outputs, Segments } from './outputs.ts'
import type { Observer } from './observer.ts'
import type { Categories, MessageStubs, MethodLists, Selectors } from './objectiveC.ts'
import type { SectionNames } from './sectionNames.ts'
import type { Sections } from './sections.ts'
import type { Spare } from './spare.ts'
import type { Stubs } from './stubs.ts'
import type { Symbols } from './symbols.ts'
import type { BranchTargets, Thunks } from './thunks.ts'
import type { Unwinds } from './unwinds.ts'

/** A dylib that takes part, with how it was asked for. `exporter` is the dylib whose ordinal its symbols get. */
export interface Dylib {
  path: string
  file: DylibFile
  fileId: number
  exporter: number
  rank: number
  explicit: boolean
  weak: boolean
  /** Passed on by weakly linked libraries only: its names are imported weakly. */
  weakNames: boolean
  needed: boolean
  reexport: boolean
  upward: boolean
  bundleLoader: boolean
  deadStrippable: boolean
  /** Made by a `$ld$previous` order: its load command comes after those of the files. */
  previous: boolean
  /** Exports are looked up; an autolinked library waits until a loaded object asks for it. */
  active: boolean
  /** Indices of the dylibs whose exports it passes on. */
  children: number[]
  /** 0 unreferenced, 1 weakly, 2 strongly. */
  referenced: number
  ordinal: number
}

/** Places of tables that one system makes and another completes; ids of output sections (0: not in this link). */
export interface Tables {
  header: number
  stubs: number
  stubHelper: number
  got: number
  lazyPointers: number
  tlvPointers: number
  unwindInfo: number
  initOffsets: number
}

/** A table in __LINKEDIT: made by its system, placed by writeHeader. */
export interface LinkeditTable {
  bytes: Uint8Array
  offset: number
}

export const LINKEDIT_ORDER = [
  'rebase',
  'bind',
  'weakBind',
  'lazyBind',
  'chainedFixups',
  'exports',
  'functionStarts',
  'dataInCode',
  'symbols',
  'indirect',
  'strings',
] as const
export type LinkeditName = (typeof LINKEDIT_ORDER)[number]

export interface UnwindTable {
  count: number
  block: Uint32Array
  offset: Uint32Array
  row: Uint32Array
  length: Uint32Array
  encoding: Uint32Array
  personality: Uint32Array
  lsda: Uint32Array
  plan: UnwindPlan | null
  output: number
}

/**
 * Names of the externals side by side, each with a NUL: what the string table takes as it is.
 */
export interface ExternalNames {
  bytes: Uint8Array
  offset: Uint32Array
  length: Uint32Array
}

/** What is exported and its order: the externals in the order of their symbols' rows, then re-exports. Threads see it too. */
export interface ExportOrder {
  /** Without NULs; those of externals are there once they are sorted. */
  names: ExternalNames
  /** Rows of `names`, in byte order of these once `isSorted[0]` is 1; then `shared` is as in src/formats/dyld/sortNames.ts. */
  rows: Uint32Array
  shared: Uint32Array
  isSorted: Int32Array
  /** Of link.table: names by external, and the externals in this order. */
  externalNames: ExternalNames
  byRow: Uint32Array
}

/** Debug map entries. `text` is an index into `texts` or -1; `row` the symbol table row (locals, then externals) plus 1 that names it, or 0. */
export interface StabTable {
  count: number
  type: Uint8Array
  section: Uint8Array
  desc: Uint16Array
  value: Float64Array
  text: Int32Array
  row: Uint32Array
  texts: string[]
  /** Pairs (file, its N_OSO entry). */
  files: number[]
  /** Where the texts begin in the string table, behind the names of all symbols. */
  strings: number
}

/** Room for `rows` entries. */
export function createStabs(rows: number): StabTable {
  return {
    count: 0,
    ...columns(rows, { type: 'u8', section: 'u8', desc: 'u16', value: 'f64', text: 'i32', row: 'u32' }),
    texts: [],
    files: [],
    strings: 0,
  }
}

/** Ranges of bytes, ascending and apart: pairs of first byte and end. */
export type Spans = Uint32Array

/** Hashes of the file's pages and of tables of __LINKEDIT, from which UUID and signature are made. */
export interface PageDigests {
  shift: number
  /** Pages of the segments, and of those and what is signed of __LINKEDIT. */
  imagePages: number
  pages: number
  /** Where the last page ends. */
  end: number
  /** Ranges of the tail: pairs of first byte and end. */
  parts: Uint32Array
  /** The digests of the pages, then of the parts. */
  digests: Uint8Array
}

export interface Link {
  /** What a patch of the finished link needs stays after its last reader. */
  keeps: boolean
  /** The link that this one takes inputs over from, until all are loaded. */
  kept: Kept | null
  /** Where things were in that link, from then on until relocate has looked; null where none was left as it was written. */
  past: Past | null
  /** Memory that is not in use: of links before, for this one and the next; null where rows were not taken in place. */
  spare: Spare | null
  settings: Settings
  host: Host
  arch: Arch
  messages: Messages
  observer: Observer
  pool: Pool
  arenas: Arenas
  /** Texts of low-cardinality things, by the index that columns hold. */
  paths: string[]
  archives: Archive[]
  dylibs: Dylib[]
  sectionNames: SectionNames
  files: Files
  sections: Sections
  blocks: Blocks
  symbols: Symbols
  names: Names
  imports: Imports
  gots: Gots
  tlvs: Gots
  stubs: Stubs
  /** Made by allocate; empty while the code is within the reach of a branch. */
  thunks: Thunks
  branchTargets: BranchTargets
  categories: Categories
  messageStubs: MessageStubs
  selectors: Selectors
  methodLists: MethodLists
  unwinds: Unwinds
  outputs: Outputs
  segments: Segments
  fixups: Fixups
  tables: Tables
  /** Loaded objects in command-line order; made anew by load. */
  order: Uint32Array
  /** Input sections by output section, in order. */
  inputs: Uint32Array[]
  /** Input sections with call profiles. */
  profiles: number[]
  /** By block: the higher, the earlier in its output section; 0 for those that stay behind in their order. Empty: no order. */
  priorities: Uint32Array
  /** By block: the string that has this one as its end, and its place; 0 for those with a place of their own. Empty: none has. */
  tails: Uint32Array
  /** Bytes of the linker's own blocks and names: arena index, next free rows of the reserved ranges. */
  internal: { file: number; arena: number; section: number; block: number; symbol: number }
  /** Libraries that objects name (LC_LINKER_OPTION), by option text: used once a loaded object names them. */
  autolinks: Map<string, { file: number; dylib: number; problem: string }>
  /** Pairs (file, symbol) of N_INDR records. */
  indirects: number[]
  /** Autolinked libraries that were not found, told of when something stays undefined. */
  missingAutolinks: string[]
  /** Names of dylibs that the output passes on: no rows, since tables of exports may be shared with other links. */
  reexports: { dylib: number; text: string; flags: number }[]
  /** Triples (name, symbol, symbol) of strong definitions that collide. */
  duplicates: number[]
  /** Rows of __unwind_info: the function (block, offset), its Unwind row (0: none), and what it says; null: no section. */
  unwind: UnwindTable | null
  /** Reference.target of each personality, from index 1. */
  personalities: number[]
  /** Segment ids in file order. */
  segmentOrder: number[]
  /** The output section that thread-local offsets count from. */
  firstThreadLocal: number
  /** Dylibs with a load command, by ordinal - 1. */
  linkedDylibs: number[]
  /** Rows of the symbol table in order: symbols, symbols, imports; the stabs before the locals, and `room` rows before those. */
  table: {
    room: number
    locals: Uint32Array
    localCount: number
    /** Thunks that have a symbol, behind the locals. */
    thunks: Uint32Array
    externals: Uint32Array
    externalCount: number
    /** Places in `externals` in the order of the symbols' rows: the order in which columns of symbols are best read. */
    byRow: Uint32Array
    externalNames: ExternalNames
    /** Where those begin in the string table. */
    externalStrings: number
    undefineds: number[]
    stabs: StabTable
  }
  /** The finished symbol table: how many locals, externals and undefined names; bytes of the signature. */
  symtab: { locals: number; externals: number; undefineds: number; strings: number }
  /** Entries that each table has room for, holes included. */
  slots: { gots: number; tlvs: number; stubs: number; lazy: number; helpers: number }
  /** Rows of the chained import table: the import, and the addend where it does not fit the bind; by place in segmentOrder the starts of chains. */
  chained: { imports: number[]; addends: number[]; withAddend: Map<string, number>; pageStarts: Uint16Array[] }
  /** Place and bytes of the code signature in the file, 0 for none; place of the UUID in the header. */
  signatureAt: number
  signatureSize: number
  uuidAt: number
  /** MH_WEAK_DEFINES and MH_BINDS_TO_WEAK. */
  weakFlags: number
  /** The block of the mach header, at the image base. */
  headerBlock: number
  /** section$start$ and the like: symbols whose address allocate sets. */
  boundaries: { symbol: number; segment: string; section: string | null; end: boolean }[]
  /** Entries of the stub helper, the import of dyld_stub_binder, and the symbol of dyld's cache word (0: no lazy binding). */
  helperEntries: number
  stubBinder: number
  loaderCache: number
  /** Name and undefined symbol row of objc_msgSend, once something calls `_objc_msgSend$selector` (0: nothing does). */
  messenger: { name: number; symbol: number }
  /** Pairs (file, name that wanted it; 0: -all_load, -1: -ObjC, -2: -force_load, -3: LC_LINKER_OPTION), for -why_load. */
  loadedBecause: number[]
  /** Indices of the dylibs that names are looked up in, in order. */
  dylibOrder: number[]
  /** The entry point's name row; -1 where there is none. */
  entry: number
  /** The segments' bytes in the file, and those of __LINKEDIT behind them. */
  image: Uint8Array
  tail: Uint8Array
  linkedit: Partial<Record<LinkeditName, LinkeditTable>>
  /** What is exported; `finish` waits until it is sorted, which may be under way. null before and once the trie is made. */
  exportOrder: { order: ExportOrder; finish: () => Promise<unknown> } | null
  /** Gives the export trie, which may be under way, and whether it has weak definitions; null before and after. */
  exports: (() => Promise<{ bytes: Uint8Array; weak: boolean }>) | null
  /** Gives the function starts in the same way; null too where there are none. */
  functionStarts: (() => Promise<Uint8Array>) | null
  /** The output while others write it ahead; null where it is written in one go. */
  draft: Draft | null
  /** Of the finished file, where `keeps` is set. */
  digests: PageDigests | null
  /**
   * The file as the link before has left it, until sign has compared; null where inputs were not taken over, or it was not left so. Where
   * its image has become this link's, `image` holds what was at `spans` of it, and nothing else has changed.
   */
  last: { image: Uint8Array; spans: Spans | null; tail: Uint8Array; digests: PageDigests } | null
  /** By page of the file: 1 where it is not as in `last`; null: not known. */
  changed: Uint8Array | null
  reports: Record<string, string>
  dependencies: Dependencies
  timings: SystemTiming[]
  /** What the running system has done so far, for its timing; added to once a range. */
  visited: Counters
}

/** Path and member of a file, for messages. */
export function locate(link: Link, file: number, extra: Partial<Location> = {}): Location {
  const { files } = link
  const parent = files.Order.parent[file]
  if (parent === 0) return { file: link.paths[files.Source.path[file]], ...extra }
  return {
    file: link.paths[files.Source.path[parent]],
    member: link.paths[files.Source.path[file]].replace(/^.*\//, ''),
    ...extra,
  }
}

/** `path` or `archive(member)`, as ld64.lld prints a file. */
export function fileText(link: Link, file: number): string {
  const place = locate(link, file)
  return place.member === undefined ? place.file : `${place.file}(${place.member})`
}

export function warnFile(link: Link, file: number, id: string, text: string): void {
  warn(link.messages, id, `${fileText(link, file)}: ${text}`, locate(link, file))
}

/** The arena that holds a file, for who reads nothing in it but that file. */
export function arenaOfFile({ arenas, files }: Link, file: number): Arena {
  const { arena, position, size } = files.Source
  return arenaAt(arenas.list[arena[file]], position[file], size[file])
}

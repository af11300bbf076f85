// survey: finds and reads every input, counts the rows that all of them can need, reserves the columns.
// Reads: options, files. Writes: arenas, files, dylibs; every other world stands empty at its final capacity.
// First, because columns are never grown: all archive members and autolinked libraries are counted, loaded or not.
// Cost: bytes read, plus a pass over load commands and literal sections.

import { createArena } from '../components/arena.ts'
import { createBlocks } from '../components/blocks.ts'
import {
  createFiles,
  FILE_ARCHIVE,
  FILE_INTERNAL,
  FILE_LOADED,
  FILE_OBJECT,
  FILE_PARSED,
  FILE_SPLIT,
  spareRows,
} from '../components/files.ts'
import { createFixups } from '../components/fixups.ts'
import { createGots } from '../components/gots.ts'
import { createImports } from '../components/imports.ts'
import type { Kept } from '../components/kept.ts'
import { createStabs, type Link } from '../components/link.ts'
import { createNames } from '../components/names.ts'
import { createCategories, createMessageStubs, createMethodLists, createSelectors } from '../components/objectiveC.ts'
import { checkpoint, type Observer } from '../components/observer.ts'
import { createOutputs, createSegments, MAX_OUTPUTS } from '../components/outputs.ts'
import { createSectionNames } from '../components/sectionNames.ts'
import { createSections } from '../components/sections.ts'
import { createStubs } from '../components/stubs.ts'
import { createSymbols } from '../components/symbols.ts'
import { createBranchTargets, createThunks } from '../components/thunks.ts'
import { createUnwinds } from '../components/unwinds.ts'
import type { Arch } from '../src/arch/arch.ts'
import { FormatError } from '../src/core/bytes.ts'
import { error, type Messages } from '../src/core/messages.ts'
import type { Pool } from '../src/core/pool.ts'
import { spawnRange } from '../src/ecs.ts'
import type { Host } from '../src/host/host.ts'
import type { Settings } from '../src/settings.ts'
import type { Input } from '../src/types.ts'
import { isLarge } from './kernels/isLarge.ts'
import { addDylib, addReexports, addStubLibrary } from './survey/dylibs.ts'
import { addArchive, addObject, classify, pickArchitecture, readInput } from './survey/inputs.ts'
import { recallLibrary } from './survey/keptLibraries.ts'
import { createReadAhead, readAhead } from './survey/readAhead.ts'
import { createReadScratch, LARGE_FILE } from './survey/readSplit.ts'
import { isKnown, recallInput, sizeKnown, takeOver } from './survey/recall.ts'
import { checkClients, checkExtensionSafety, checkWeakReexports, markReexports } from './survey/reexports.ts'
import { fitPlaces, roomOf } from './survey/samePlaces.ts'
import { findDirectories, findFramework, findLibrary } from './survey/search.ts'
import { createSurvey, sliceOf, type Survey } from './survey/survey.ts'
import { startThreads } from './survey/threads.ts'

/** Rows kept for the linker's own symbols and blocks beyond those that inputs can cause. */
const INTERNAL_ROWS = 512
/** The internal arena to begin with; it grows. */
const INTERNAL_BYTES = 1 << 16
/** Positions are u32, and one buffer holds 2 GiB; names beyond stay where they lie. */
const MAX_POOL = 0x7fff0000
const SPARE_SECTIONS = 512
/** Names that versions of objects may bring beyond the rows that these have to spare. */
const SPARE_NAMES = 4096
const SPARE_NAME_BYTES = 64

const COUNTED = ['sections', 'symbols', 'blocks', 'unwinds', 'strings'] as const

/** Files between two looks at what goes on outside. */
const FILES_A_CHECK = 64
/** Files between two looks at whether their sizes already ask for workers. */
const STATS_A_CHECK = 256

export async function survey(
  settings: Settings,
  arch: Arch,
  host: Host,
  messages: Messages,
  observer: Observer,
  pool: Pool,
  keeps = false,
  kept: Kept | null = null,
): Promise<Link> {
  const found = createSurvey(settings, arch, host, messages, observer)
  if (kept !== null) takeOver(found, kept)
  findDirectories(found)
  found.expected = expectedBytes(found, pool)
  const ends = host.foresee?.(found.expected, settings.adhocCodesign) === true
  if (keeps && kept === null) found.slice = sliceOf(found.expected)
  // V8 does not count shared memory, nor collect for it: of sqlite a whole collection took 7 ms.
  if (kept === null) found.arenas.shared = startThreads(pool, settings, host, found.expected) || (ends && !keeps)
  found.splits = !keeps && isLarge(settings, found.expected)
  if (found.splits || (!keeps && hasLargeFile(found))) found.scratch = createReadScratch()
  found.ahead = createReadAhead(pool, host, found)
  if (settings.bundleLoader !== undefined) await addBundleLoader(found, settings.bundleLoader)
  await addInputs(found)
  while (found.pendingAutolinks.length > 0) {
    const autolink = found.pendingAutolinks.shift()!
    const before = found.dylibs.length
    const file = await addInput(found, autolink.input, false)
    autolink.file = file
    autolink.dylib =
      found.dylibs.length > before ? before : found.dylibs.findIndex((dylib) => file !== 0 && dylib.fileId === file)
    if (file === 0 && autolink.dylib < 0) autolink.problem = missingText(autolink.input)
  }
  markReexports(found)
  await addReexports(found)
  checkClients(found)
  checkExtensionSafety(found)
  checkWeakReexports(found)
  return reserve(found, pool, keeps)
}

async function addInputs(found: Survey): Promise<void> {
  const { inputs } = found.settings
  for (let i = 0; i < inputs.length; i++) {
    if (i % FILES_A_CHECK === 0) await checkpoint(found.observer, i, inputs.length)
    await readAhead(found, i)
    await addInput(found, inputs[i], true)
  }
}

/** Sizes of the named files, so that they share one arena. Workers boot as soon as it is known that there will be some. */
function expectedBytes(found: Survey, pool: Pool): number {
  const { inputs } = found.settings
  const threads = found.kept === null || found.arenas.shared
  let [total, known] = [0, 0]
  for (let i = 0; i < inputs.length; i++) {
    const { path, contents } = inputs[i]
    if (isKnown(found, path)) known += sizeKnown(found, path)
    else if (contents !== undefined) total += contents.length + 16
    else if (path !== undefined) {
      const stat = found.host.stat(path)
      if (stat === null) continue
      found.stats.set(path, stat)
      total += stat.size + 16
    }
    if (i % STATS_A_CHECK === STATS_A_CHECK - 1 && threads)
      startThreads(pool, found.settings, found.host, total + known)
  }
  if (found.kept !== null && threads) startThreads(pool, found.settings, found.host, total + known)
  return total
}

function missingText(input: Input): string {
  return input.framework === undefined
    ? `library not found for -l${input.library}`
    : `framework not found for -framework ${input.framework}`
}

/** Finds, reads and classifies one input; returns its file row, 0 when there is none. */
async function addInput(found: Survey, input: Input, explicit: boolean): Promise<number> {
  const rank = found.nextRank++
  const path = locateInput(found, input)
  if (path === null) {
    const stub = addStubLibrary(found, input, rank, explicit)
    if (stub !== 0) return stub
    if (explicit) error(found.messages, 'library-not-found', missingText(input))
    return 0
  }
  const isLibrary = input.path === undefined
  const recalled = found.seen.has(path) ? 0 : recallInput(found, path, input, rank, explicit)
  if (recalled !== 0) return recalled
  const known = found.seen.get(path)
  if (known !== undefined && (isLibrary || found.rows.kind[known] === FILE_ARCHIVE)) return known
  const dylib = found.dylibsByPath.get(path)
  if (dylib !== undefined) return addDylib(found, path, null, input, rank, explicit)
  const kept = input.contents === undefined && isLibraryName(path, input) ? recallLibrary(found, path) : null
  return kept === null
    ? readAndAdd(found, input, path, rank, explicit)
    : addDylib(found, path, kept, input, rank, explicit)
}

/** What the cache is asked for: not each object of a large link. */
function isLibraryName(path: string, input: Input): boolean {
  return input.path === undefined ? !path.endsWith('.a') : /\.(tbd|dylib)$/.test(path)
}

function locateInput(found: Survey, input: Input): string | null {
  if (input.path !== undefined) return input.path
  if (input.library !== undefined) return findLibrary(found, input.library)
  return input.framework === undefined ? null : findFramework(found, input.framework)
}

async function readAndAdd(found: Survey, input: Input, path: string, rank: number, explicit: boolean): Promise<number> {
  const whole = readInput(found, path, input.contents)
  if (whole === null) return 0
  try {
    const place = pickArchitecture(found, whole, path)
    if (place === null) return 0
    const kind = classify(found, place)
    if (kind === 'dylib' || kind === 'tbd') return await addDylib(found, path, place, input, rank, explicit)
    if (kind === 'object') return addObject(found, path, place, rank, input)
    if (kind === 'bitcode') {
      error(
        found.messages,
        'bitcode',
        `${path}: is LLVM bitcode; this linker does no link-time optimization, compile without -flto`,
        { file: path, offset: 0 },
      )
      return 0
    }
    if (kind === 'unknown' || kind === 'image') {
      error(found.messages, 'unknown-file-type', `${path}: unhandled file type`, { file: path, offset: 0 })
      return 0
    }
    const file = addArchive(found, path, place, rank, input, explicit)
    found.seen.set(path, file)
    return file
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    const what = trouble.id.startsWith('archive-')
      ? `failed to parse archive: truncated or malformed archive (${trouble.message})`
      : trouble.message
    error(found.messages, trouble.id, `${path}: ${what}`, { file: path, offset: trouble.offset })
    return 0
  }
}

/** Comes before all inputs: what the executable defines is bound to it, not to a library that defines it too. */
async function addBundleLoader(found: Survey, path: string): Promise<void> {
  const rank = found.nextRank++
  if (found.settings.outputType !== 'bundle')
    error(found.messages, 'bundle-loader-output', '-bundle_loader can only be used with MachO bundle output')
  const place = readInput(found, path, undefined)
  if (place === null) return
  try {
    const slice = pickArchitecture(found, place, path)
    if (slice === null) return
    const kind = classify(found, slice)
    if (kind !== 'image' && kind !== 'dylib' && kind !== 'tbd') {
      error(found.messages, 'unknown-file-type', `${path}: unhandled file type`, { file: path, offset: 0 })
      return
    }
    await addDylib(found, path, slice, {}, rank, true)
    const loader = found.dylibs[found.dylibsByPath.get(path) ?? -1]
    if (loader !== undefined) loader.bundleLoader = true
  } catch (trouble) {
    if (!(trouble instanceof FormatError)) throw trouble
    error(found.messages, trouble.id, `${path}: ${trouble.message}`, { file: path, offset: trouble.offset })
  }
}

function hasLargeFile(found: Survey): boolean {
  for (const { size } of found.stats.values()) if (size >= LARGE_FILE) return true
  return false
}

/** Makes the worlds, each at its final capacity, and moves the survey's columns into the file rows. */
// long: one line for each part of the link
function reserve(found: Survey, pool: Pool, keeps: boolean): Link {
  const { rows } = found
  found.spares = keeps && found.settings.layout === 'padded'
  const { kept } = found
  let spares = found.spares ? SPARE_NAMES : 0
  let [sections, symbols, blocks, unwinds] = [0, 0, 0, 0]
  for (let file = 1; file <= found.count; file++) {
    sections += rows.sections[file]
    symbols += rowsFor(found, file, rows.symbols[file])
    blocks += rowsFor(found, file, rows.blocks[file])
    unwinds += rowsFor(found, file, rows.unwinds[file])
    spares += rowsFor(found, file, rows.symbols[file]) - rows.symbols[file]
  }
  // A merged category has a row for each pointer. Those of its parts, in sections named `__objc_*`, have been counted as blocks.
  const merged = found.settings.objcCategoryMerging ? blocks : 0
  const own = merged + INTERNAL_ROWS + listed(found.settings)
  const inPlace = kept !== null && fitPlaces(found, kept, symbols + unwinds + sections + own, archiveNames(found) + own)
  if (kept !== null) kept.inPlace = inPlace
  const spare = symbols + unwinds + sections + own + (found.spares ? SPARE_NAMES : 0)
  const names = inPlace ? kept.link.names.Text.hash.length - 1 : symbols + spares + archiveNames(found) + own
  const { shared } = found.arenas
  const link: Link = {
    keeps,
    kept: found.kept,
    past: null,
    spare: null,
    settings: found.settings,
    host: found.host,
    arch: found.arch,
    messages: found.messages,
    observer: found.observer,
    pool,
    arenas: found.arenas,
    paths: found.paths,
    archives: found.archives,
    dylibs: found.dylibs,
    sectionNames: createSectionNames(),
    files: createFiles(found.count + 1, shared),
    sections: createSections(sections + SPARE_SECTIONS, shared),
    blocks: inPlace
      ? createBlocks(kept.link.blocks.Extent.section.length - 1, shared, keeps, 0)
      : createBlocks(blocks + spare, shared, keeps),
    symbols: inPlace
      ? createSymbols(kept.link.symbols.Definition.block.length - 1, shared, keeps, 0)
      : createSymbols(symbols + spare, shared, keeps),
    names: createNames(names, shared, keeps && found.spares),
    imports: createImports(0, shared),
    gots: createGots(0, shared),
    tlvs: createGots(0, shared),
    stubs: createStubs(0, shared),
    thunks: createThunks(0, shared),
    branchTargets: createBranchTargets(0, shared),
    categories: createCategories(0, shared),
    messageStubs: createMessageStubs(0, shared),
    selectors: createSelectors(0, shared),
    methodLists: createMethodLists(0, 0, shared),
    unwinds: createUnwinds(unwinds, shared),
    outputs: createOutputs(shared),
    segments: createSegments(shared),
    fixups: createFixups(0, 0, shared),
    tables: {
      header: 0,
      stubs: 0,
      stubHelper: 0,
      got: 0,
      lazyPointers: 0,
      tlvPointers: 0,
      unwindInfo: 0,
      initOffsets: 0,
    },
    order: new Uint32Array(0),
    inputs: new Array(MAX_OUTPUTS),
    profiles: [],
    priorities: new Uint32Array(0),
    tails: new Uint32Array(0),
    internal: { file: found.count + 1, arena: 0, section: 0, block: 0, symbol: 0 },
    autolinks: found.autolinks,
    indirects: [],
    missingAutolinks: [],
    reexports: [],
    duplicates: [],
    messenger: { name: 0, symbol: 0 },
    loadedBecause: [],
    dylibOrder: [],
    headerBlock: 0,
    boundaries: [],
    helperEntries: 0,
    stubBinder: 0,
    loaderCache: 0,
    unwind: null,
    personalities: [0],
    segmentOrder: [],
    firstThreadLocal: 0,
    linkedDylibs: [],
    table: {
      room: 0,
      locals: new Uint32Array(0),
      localCount: 0,
      thunks: new Uint32Array(0),
      externals: new Uint32Array(0),
      externalCount: 0,
      byRow: new Uint32Array(0),
      externalNames: { bytes: new Uint8Array(0), offset: new Uint32Array(0), length: new Uint32Array(0) },
      externalStrings: 0,
      undefineds: [],
      stabs: createStabs(0),
    },
    symtab: { locals: 0, externals: 0, undefineds: 0, strings: 0 },
    signatureAt: 0,
    slots: { gots: 0, tlvs: 0, stubs: 0, lazy: 0, helpers: 0 },
    chained: { imports: [], addends: [], withAddend: new Map(), pageStarts: [] },
    signatureSize: 0,
    uuidAt: 0,
    weakFlags: 0,
    entry: 0,
    image: new Uint8Array(0),
    tail: new Uint8Array(0),
    linkedit: {},
    exportOrder: null,
    exports: null,
    functionStarts: null,
    draft: null,
    digests: null,
    last: lastOf(found.kept),
    changed: null,
    reports: found.searched.length === 0 ? {} : { print_dylib_search: found.searched.join('') },
    dependencies: found.dependencies,
    timings: [],
    visited: { rows: found.count, read: found.bytesRead, hashed: 0, written: 0, probes: 0, allocated: 0 },
  }
  fillFiles(link, found)
  addInternalFile(link)
  addNamePool(link, found)
  if (found.splits) addLocalsPool(link, found)
  return link
}

function lastOf(kept: Kept | null): Link['last'] {
  if (kept === null || !kept.isWritten || kept.link.digests === null) return null
  const { image, tail, digests } = kept.link
  return { image, spans: null, tail, digests }
}

/** With those that the next versions of an object may have more than this one. */
function rowsFor({ rows, spares }: Survey, file: number, count: number): number {
  return spares && rows.kind[file] === FILE_OBJECT && rows.parent[file] === 0 ? count + spareRows(count) : count
}

function archiveNames(found: Survey): number {
  let names = 0
  for (const archive of found.archives) names += archive.index.count
  return names
}

/** Names that options bring in, and sections. */
function listed(settings: Settings): number {
  const lists = [
    settings.forceUndefined,
    settings.dynamicLookup,
    settings.exportedSymbols,
    settings.unexportedSymbols,
    settings.aliases,
    settings.sectCreate,
  ]
  return lists.reduce((sum, list) => sum + (list?.length ?? 0) * 2, 0)
}

function fillFiles(link: Link, found: Survey): void {
  const { files, kept } = link
  const { rows } = found
  const inPlace = kept?.inPlace === true
  files.count = found.count
  spawnRange(files.world, found.count + 1, [
    files.Source,
    files.Order,
    files.Ranges,
    files.Tables,
    files.Detail,
    files.Before,
    files.Rows,
    files.Counts,
  ])
  let [section, symbol, block] = [1, 1, 1]
  for (let file = 1; file <= found.count; file++) {
    files.Source.kind[file] = rows.kind[file]
    files.Source.flags[file] = rows.flags[file]
    files.Source.arena[file] = rows.arena[file]
    files.Source.position[file] = rows.position[file]
    files.Source.size[file] = rows.size[file]
    files.Source.path[file] = rows.path[file]
    files.Source.modified[file] = rows.modified[file]
    files.Order.rank[file] = rows.rank[file]
    files.Order.member[file] = rows.member[file]
    files.Order.parent[file] = rows.parent[file]
    files.Detail.archive[file] = rows.archive[file]
    files.Ranges.section[file] = section
    files.Ranges.symbol[file] = symbol
    files.Ranges.block[file] = block
    section += rows.sections[file]
    symbol += inPlace ? roomOf(kept, 'symbol', file) : rowsFor(found, file, rows.symbols[file])
    block += inPlace ? roomOf(kept, 'block', file) : rowsFor(found, file, rows.blocks[file])
    for (const name of COUNTED) files.Counts[name][file] = rows[name][file]
  }
  if (found.kept !== null) found.kept.from = Uint32Array.from(rows.from)
  spawnRange(
    link.sections.world,
    section - 1 + SPARE_SECTIONS,
    Object.values(pick(link.sections, ['Header', 'Bytes', 'Relocations', 'Blocks', 'Fixups'])),
  )
  spawnRange(link.symbols.world, symbol - 1, [link.symbols.Definition, link.symbols.Reference])
  spawnRange(link.blocks.world, block - 1, [
    link.blocks.Extent,
    link.blocks.Relocations,
    link.blocks.Placement,
    link.blocks.Links,
  ])
  link.sections.count = section - 1
  link.symbols.count = symbol - 1
  link.blocks.count = block - 1
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  const picked = {} as Pick<T, K>
  for (const key of keys) picked[key] = from[key]
  return picked
}

/** The linker's own file comes last: its names and bytes live in an arena of their own. */
function addInternalFile(link: Link): void {
  const { files, internal } = link
  const file = internal.file
  files.count = file
  files.Source.kind[file] = FILE_INTERNAL
  files.Source.flags[file] = FILE_LOADED | FILE_PARSED
  files.Source.path[file] = link.paths.push('<internal>') - 1
  files.Order.rank[file] = 0xffffffff
  internal.arena = link.kept?.link.internal.arena ?? link.arenas.list.length
  link.arenas.list[internal.arena] = createArena(INTERNAL_BYTES, link.arenas.shared)
  link.arenas.list[internal.arena].used = 16
  files.Source.arena[file] = internal.arena
  internal.section = link.sections.count + 1
  internal.block = link.blocks.count + 1
  internal.symbol = link.symbols.count + 1
  files.Ranges.section[file] = internal.section
  files.Ranges.block[file] = internal.block
  files.Ranges.symbol[file] = internal.symbol
}

/** Room for every distinct name side by side: at most all string tables, of which only what is used costs memory. */
function addNamePool(link: Link, found: Survey): void {
  if (link.kept !== null) {
    link.names.pool = link.kept.link.names.pool
    return
  }
  let size = 4096 + (link.keeps ? SPARE_NAMES * SPARE_NAME_BYTES : 0)
  for (let file = 1; file <= found.count; file++) size += found.rows.strings[file]
  for (const archive of found.archives)
    for (let i = 0; i < archive.index.count; i++) size += archive.index.nameLength[i]
  link.names.pool = link.arenas.list.length
  link.arenas.list.push(createArena(Math.ceil(Math.min(size, MAX_POOL) / 16) * 16, link.arenas.shared))
}

/** The same for the names of local symbols; its first word is the place of the next ones. */
function addLocalsPool(link: Link, found: Survey): void {
  const { rows } = found
  let size = 16
  for (let file = 1; file <= found.count; file++) if (rows.flags[file] & FILE_SPLIT) size += rows.strings[file]
  const arena = createArena(Math.ceil(Math.min(size, MAX_POOL) / 16) * 16, link.arenas.shared)
  arena.words[0] = 16
  link.arenas.locals = link.arenas.list.push(arena) - 1
}

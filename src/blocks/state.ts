// What an image under edit is: its kinds, and the few things that are not rows.
import {
  createDescriptors,
  createEditBlocks,
  createEditStrings,
  createImportRows,
  createImportUses,
  createReferences,
  createSectionRooms,
  createSymbolRows,
  type Descriptors,
  type EditBlocks,
  type EditStrings,
  type ImportRows,
  type ImportUses,
  type References,
  type SectionRooms,
  type SymbolRows,
} from '../../components/edits.ts'
import { createGots, type Gots } from '../../components/gots.ts'
import { createImports, type Imports } from '../../components/imports.ts'
import { growColumns } from '../../components/columns.ts'
import { createOutputs, createSegments } from '../../components/outputs.ts'
import { POINTER_FORMAT } from '../../systems/kernels/fixups.ts'
import type { HeaderSource, LoadedDylib } from '../../systems/kernels/commands.ts'
import { type Arch, R_GOT, withBranchReach } from '../arch/arch.ts'
import { ARCHITECTURES } from '../arch/architectures.ts'
import { alignUp } from '../core/align.ts'
import { fromText } from '../core/bytes.ts'
import { sha256Into } from '../core/sha256.ts'
import { addEntity } from '../ecs.ts'
import type { Sha256 } from '../formats/codesign.ts'
import { type Settings, settle, version } from '../settings.ts'
import type { Debug } from './debug.ts'
import type { HandleIds } from './handles.ts'
import type { Base } from './linked/base.ts'
import { createTable, TABLE_ORDER, type Table, type TableName } from './table.ts'
import type { Unwind } from './unwindLeaves.ts'
import type { ImageOptions } from './types.ts'
import { createImageFile, type ImageFile } from './writeFile.ts'

/** Ids of the output sections; some are not in every image (0). */
export interface EditSections {
  text: number
  common: number
  stubs: number
  stubHelper: number
  got: number
  lazyPointers: number
  threadVariables: number
  threadData: number
  threadZeros: number
  unwind: number
}

export interface State extends HeaderSource {
  settings: Settings
  arch: Arch
  sha256: Sha256
  /** Null where nothing is written. */
  file: ImageFile | null
  throughGot: boolean
  /** Of an object: the file as the last flush made it. */
  object: { contents: Uint8Array } | null
  /** Whether dyld is to look for names that nothing defines. */
  lookUp: boolean
  blocks: EditBlocks
  references: References
  strings: EditStrings
  imports: Imports & { rows: number }
  uses: ImportUses
  gots: Gots & { rows: number }
  /** Stubs, keyed as GOT entries are. */
  stubs: Gots & { rows: number }
  descriptors: Descriptors
  symbolRows: SymbolRows
  importRows: ImportRows
  /** Rows of imports that are gone, to be used again. */
  freeImportRows: number[]
  rooms: SectionRooms
  /** By output section and power of two: the first block with so much room behind it. */
  bins: Uint32Array
  /** By room in units of 8 bytes: the first free string. */
  freeStrings: Uint32Array
  /** By hash of the name: imports, exported blocks and names without a block. */
  index: { entries: Uint32Array; used: number }
  sections: EditSections
  dylibs: LoadedDylib[]
  /** The block of the entry point, if it is known. */
  entry: number
  entryName: Uint8Array
  /** Imports whose definitions dyld coalesces, those of the image's own with them. */
  weakNames: number
  /** Names of imports that are exported. */
  reexports: number
  binder: number
  /** The import that descriptors of thread-local variables name, and whether nobody else asked for it. */
  bootstrap: number
  bootstrapIsOurs: boolean
  loaderCache: number
  /** Blocks declared so far. */
  declared: number
  /** Where the record of the last flush lies, if it wrote one. */
  note: { owner: string; offset: number; size: number } | null
  textStart: number
  /** The whole file, and the same memory as a view; `size` of it are in use. */
  bytes: Uint8Array
  view: DataView
  size: number
  /** By page of 2^shift bytes: 1 where the file differs from the last flush. */
  pages: Uint8Array
  shift: number
  digests: Uint8Array
  /** By 4 bytes of the data segments: POINTER_*. `dataStart` is their place in the file. */
  pointers: Uint8Array
  dataStart: number
  /** By page of the data segments: 1 where its chain is to be linked; where each page's chain starts. */
  unlinked: Uint8Array
  /** By page: offsets in the segment of what is rebased; null where that has changed. Used with opcodes. */
  rebased: (Uint32Array | null)[]
  pageStarts: Uint16Array
  tables: { header: number } & Record<TableName, Table>
  /** Rows to see to at the next flush. */
  dirtyBlocks: number[]
  waiting: number[]
  dirtyGots: number[]
  dirtyStubs: number[]
  dirtyDescriptors: number[]
  /** What was linked before it is edited; null in an image that began empty. */
  base: Base | null
  /** Of a linked file that was packed: its rows are others. */
  handleIds: { blocks: HandleIds; imports: HandleIds } | null
  /** DYLD_CHAINED_PTR_* of its pointers. */
  pointerFormat: number
  /** Null where no block has brought unwind information. */
  unwind: Unwind | null
  /** Null where no block has brought lines. */
  debug: Debug | null
  /** Thunks that no branch goes through, and the one that was made last. */
  idleThunks: number[]
  lastThunk: number
  movedExports: number[]
  /** Blocks in the order of their names, as the last export trie had them. */
  sortedExports: Uint32Array
  /** Entries whose row of the indirect table is to be written: GOT entries, and stubs negative. */
  indirectEntries: number[]
  /** Tables to make anew. */
  stale: { rebase: boolean; bind: boolean; lazy: boolean; chains: boolean; exports: boolean; indirect: boolean }
  /** Sections stand elsewhere: every address is to be applied again. */
  relocated: boolean
  /** The tables of __LINKEDIT get no room at the next flush. */
  packing: boolean
  /** The file has another size than at the last flush. */
  resized: boolean
}

/** Types of references beside those of relocations, which have 4 bits. */
export const UNWIND_PERSONALITY = 16
export const UNWIND_LSDA = 17

const MACOS_13 = { name: 'macos', minVersion: version(13), sdkVersion: version(13) } as const
const DEFAULT_HEADER_PAD = 1024
const MAX_SECTIONS = 16
const BINS = 32
/** Longer names would not fit an export trie's reader. */
export const MAX_NAME = 65535

/** `others`: sections that are not those of edits. */
export function createState(options: ImageOptions, others = 0): State {
  const settings = settingsOf(options)
  const rows = Math.max(64, options.symbolCount ?? 0)
  const outputs = createOutputs(false)
  const tables = Object.fromEntries(TABLE_ORDER.map((name) => [name, createTable()])) as Record<TableName, Table>
  return {
    settings,
    arch: archOf(settings, options.branchReach),
    sha256: options.host?.sha256.bind(options.host) ?? sha256Into,
    file: options.write === true && options.host !== undefined ? createImageFile(options.host) : null,
    throughGot: options.calls !== 'direct' && options.outputType !== 'object',
    object: options.outputType === 'object' ? { contents: new Uint8Array(0) } : null,
    lookUp: options.undefined === 'dynamic_lookup',
    blocks: createEditBlocks(rows),
    references: createReferences(rows * 2),
    strings: createEditStrings(rows),
    imports: { rows: 64, ...createImports(64, false) },
    uses: createImportUses(64),
    gots: { rows, ...createGots(rows, false) },
    stubs: { rows, ...createGots(rows, false) },
    descriptors: createDescriptors(64),
    symbolRows: createSymbolRows(rows),
    importRows: createImportRows(64),
    freeImportRows: [],
    rooms: createSectionRooms(MAX_SECTIONS + others),
    bins: new Uint32Array((MAX_SECTIONS + others + 1) * BINS),
    freeStrings: new Uint32Array(alignUp(MAX_NAME + 1, 8) / 8 + 1),
    index: { entries: new Uint32Array(256), used: 0 },
    sections: noSections(),
    dylibs: [],
    linkedDylibs: [],
    weakFlags: 0,
    outputs,
    segments: createSegments(false),
    segmentOrder: [],
    linkedit: {},
    symtab: { locals: 0, externals: 0, undefineds: 0, strings: 0 },
    uuidAt: 0,
    signatureAt: 0,
    signatureSize: 0,
    entry: 0,
    entryName: fromText(settings.entry ?? ''),
    weakNames: 0,
    reexports: 0,
    binder: 0,
    bootstrap: 0,
    bootstrapIsOurs: false,
    loaderCache: 0,
    declared: 0,
    note: null,
    textStart: 0,
    ...emptyFile(settings),
    tables: { header: 0, ...tables },
    dirtyBlocks: [],
    waiting: [],
    dirtyGots: [],
    dirtyStubs: [],
    dirtyDescriptors: [],
    base: null,
    handleIds: null,
    unwind: null,
    pointerFormat: POINTER_FORMAT,
    debug: null,
    idleThunks: [],
    lastThunk: 0,
    movedExports: [],
    sortedExports: new Uint32Array(0),
    indirectEntries: [],
    stale: { rebase: true, bind: true, lazy: true, chains: true, exports: true, indirect: true },
    relocated: true,
    packing: false,
    resized: true,
  }
}

function archOf(settings: Settings, branchReach: number | undefined): Arch {
  const known = ARCHITECTURES[settings.arch]
  const attributes = new Uint16Array(UNWIND_LSDA + 1)
  attributes.set(known.attributes)
  attributes[UNWIND_PERSONALITY] = R_GOT
  const arch = { ...known, attributes }
  return branchReach === undefined ? arch : withBranchReach(arch, branchReach)
}

function noSections(): EditSections {
  const tables = { stubs: 0, stubHelper: 0, got: 0, lazyPointers: 0, threadVariables: 0 }
  return { text: 0, common: 0, threadData: 0, threadZeros: 0, unwind: 0, ...tables }
}

function emptyFile(settings: Settings) {
  const bytes = new Uint8Array(0)
  return {
    bytes,
    view: new DataView(bytes.buffer),
    size: 0,
    pages: new Uint8Array(0),
    shift: settings.arch === 'arm64' ? 14 : 12,
    digests: new Uint8Array(0),
    pointers: new Uint8Array(0),
    dataStart: 0,
    unlinked: new Uint8Array(0),
    rebased: [],
    pageStarts: new Uint16Array(0),
  }
}

function settingsOf(options: ImageOptions): Settings {
  const { arch, platform, outputType = 'execute', output, installName, rpaths, fixupChains, adhocCodesign } = options
  if (!Object.hasOwn(ARCHITECTURES, arch))
    throw new TypeError(`createImage: got architecture ${arch}, expected arm64 or x86_64`)
  if (!['execute', 'dylib', 'object'].includes(outputType))
    throw new TypeError(`createImage: got output type ${outputType}, expected execute, dylib or object`)
  // An object is kept as a library whose pointers take any addend.
  const kept =
    outputType === 'object'
      ? ({ outputType: 'dylib', fixupChains: false, adhocCodesign: false } as const)
      : { outputType, fixupChains, adhocCodesign }
  const given = { platform, output, installName, rpaths, ...kept }
  const versions = { currentVersion: options.currentVersion, compatibilityVersion: options.compatibilityVersion }
  const known = Object.fromEntries(Object.entries({ ...given, ...versions }).filter(([, value]) => value !== undefined))
  const fixed = { inputs: [], entry: options.entry ?? '_main', encryptable: false, pie: true }
  const pad = { headerPad: options.headerPad ?? DEFAULT_HEADER_PAD, functionStarts: false, dataInCode: false }
  return settle({ ...known, ...fixed, ...pad }, arch, options.platform ?? MACOS_13)
}

/** A row of a kind, made or used again; its columns grow when they are full. */
export function takeRow(
  kind: { world: Parameters<typeof addEntity>[0]; rows: number },
  components: readonly object[],
): number {
  const id = addEntity(kind.world)
  if (id > kind.rows) {
    kind.rows = Math.max(id, kind.rows * 2)
    for (const component of components) growColumns(component as Parameters<typeof growColumns>[0], kind.rows)
  }
  return id
}

export function markPages(state: State, from: number, to: number): void {
  for (let page = from >>> state.shift; page << state.shift < to; page++) state.pages[page] = 1
}

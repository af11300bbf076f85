// The tables for dyld, in either form, and the export trie. Each is made anew when something in it came or went.
import { EDIT_EXPORTED, EDIT_PLACED } from '../../components/edits.ts'
import { POINTER_FORMAT } from '../../systems/kernels/fixups.ts'
import { entityExists, highestId } from '../ecs.ts'
import { type BindRows, createBindRows, encodeBind, encodeLazyBind, type NameTable } from '../formats/dyld/bind.ts'
import { encodeChainedFixups } from '../formats/dyld/chainedFixups.ts'
import { encodeExportTrie } from '../formats/dyld/exportTrie.ts'
import { moveExport } from '../formats/dyld/moveExport.ts'
import { encodeRebase } from '../formats/dyld/rebase.ts'
import { BIND_SYMBOL_FLAGS_WEAK_IMPORT } from '../formats/macho/constants.ts'
import {
  blockAddress,
  gotAddress,
  helperAddress,
  isLazy,
  isWeakImport,
  keyOf,
  lazyAddress,
  placeOf,
} from './entries.ts'
import { tableRows } from './layout.ts'
import { POINTER_REBASE } from './pointers.ts'
import { visitBinds } from './references.ts'
import { markPages, type State } from './state.ts'
import { replaceTable, touchTable } from './table.ts'

/** An address has four bytes in the export trie, so that an export can move wherever without another trie. */
const FOUR_BYTES = 2 ** 21

function nameTable(state: State): NameTable {
  const { offset, length } = state.strings.Text
  return { bytes: [state.tables.strings.bytes], arena: new Uint8Array(state.strings.rows + 1), offset, length }
}

export function writeDyldTables(state: State): void {
  const { stale, settings } = state
  if (settings.fixupChains) {
    if (stale.chains) replaceTable(state.tables.chainedFixups, chainedFixups(state))
  } else {
    if (stale.rebase) replaceTable(state.tables.rebase, rebases(state))
    if (stale.bind) replaceTable(state.tables.bind, binds(state))
    if (stale.lazy) replaceTable(state.tables.lazyBind, lazyBinds(state))
  }
  if (stale.exports || !moveExports(state)) {
    state.movedExports.length = 0
    replaceTable(state.tables.exports, exportTrie(state))
    moveExports(state)
  }
  stale.chains = stale.rebase = stale.bind = stale.lazy = stale.exports = false
  state.movedExports.length = 0
}

/** The data segments in the order of the file: segment index, file range. */
function dataSegments(state: State): number[] {
  const { fileOffset, fileSize } = state.segments.Extent
  return state.segmentOrder.filter(
    (segment) =>
      fileOffset[segment] >= state.dataStart && fileSize[segment] > 0 && state.segments.names[segment] !== '__LINKEDIT',
  )
}

/** Only pages where a pointer came or went are looked through again: 100,000 entries of the GOT took 5 ms. */
function rebases(state: State): Uint8Array {
  const { segments, rebased } = state
  const { pageSize } = state.settings
  const data = dataSegments(state)
  for (const segment of data) {
    const first = (segments.Extent.fileOffset[segment] - state.dataStart) / pageSize
    const pages = segments.Extent.fileSize[segment] / pageSize
    for (let page = first; page < first + pages; page++) rebased[page] ??= rebasesOfPage(state, page, first)
  }
  const count = rebased.reduce((sum, places) => sum + places!.length, 0)
  const [indices, offsets] = [new Uint8Array(count), new Uint32Array(count)]
  let row = 0
  for (const segment of data) {
    const first = (segments.Extent.fileOffset[segment] - state.dataStart) / pageSize
    const from = row
    for (const places of rebased.slice(first, first + segments.Extent.fileSize[segment] / pageSize)) {
      offsets.set(places!, row)
      row += places!.length
    }
    indices.fill(segments.Segment.index[segment], from, row)
  }
  return encodeRebase(indices, offsets, count)
}

/** Offsets from the start of the segment, which begins at page `first`. */
function rebasesOfPage(state: State, page: number, first: number): Uint32Array {
  const { pointers } = state
  const words = state.settings.pageSize / 4
  const places = new Uint32Array(words)
  let count = 0
  for (let at = page * words; at < (page + 1) * words; at++)
    if (pointers[at] === POINTER_REBASE) places[count++] = (at - first * words) * 4
  return places.slice(0, count)
}

function addRow(state: State, rows: BindRows, made: number, address: number, addend: number): void {
  const { Extent, Segment } = state.segments
  const segment = dataSegments(state).find(
    (s) => address >= Extent.address[s] && address < Extent.address[s] + Extent.size[s],
  )!
  const i = rows.count++
  rows.segments[i] = Segment.index[segment]
  rows.offsets[i] = address - Extent.address[segment]
  rows.ordinals[i] = state.imports.Library.ordinal[made]
  rows.addends[i] = addend
  rows.names[i] = state.uses.Uses.string[made]
  rows.flags[i] = isWeakImport(state, made) ? BIND_SYMBOL_FLAGS_WEAK_IMPORT : 0
}

function binds(state: State): Uint8Array {
  const imports = highestId(state.imports.world)
  let count = 0
  for (let made = 1; made <= imports; made++) count += 1 + state.uses.Uses.references[made]
  const rows = { ...createBindRows(count), count: 0 }
  for (let made = 1; made <= imports; made++) {
    if (!entityExists(state.imports.world, made)) continue
    const got = state.imports.Use.got[made]
    if (got !== 0) addRow(state, rows, made, gotAddress(state, got), 0)
    visitBinds(state, made, (address, addend) => addRow(state, rows, made, address, addend))
  }
  return encodeBind(rows, nameTable(state))
}

/** Also the helper entries, which hold the places of the records. */
function lazyBinds(state: State): Uint8Array {
  const { stubs } = tableRows(state)
  const rows = { ...createBindRows(stubs), count: 0 }
  const lazy: number[] = []
  for (let stub = 1; stub <= stubs; stub++) {
    const target = keyOf(state.stubs, stub)
    if (!isLazy(state, target)) continue
    addRow(state, rows, target & 0x7fffffff, lazyAddress(state, stub), 0)
    lazy.push(stub)
  }
  const { bytes, starts } = encodeLazyBind(rows, nameTable(state))
  if (lazy.length > 0) writeHelpers(state, lazy, starts)
  return bytes
}

function writeHelpers(state: State, lazy: readonly number[], starts: Uint32Array): void {
  const { arch, view, sections } = state
  const header = state.outputs.Extent.address[sections.stubHelper]
  const at = placeOf(state, sections.stubHelper, header)
  const binder = gotAddress(state, state.imports.Use.got[state.binder])
  arch.writeStubHelperHeader(view, at, header, blockAddress(state, state.loaderCache), binder)
  markPages(state, at, at + arch.stubHelperHeaderSize + tableRows(state).stubs * arch.stubHelperEntrySize)
  lazy.forEach((stub, i) => {
    const entry = helperAddress(state, stub)
    arch.writeStubHelperEntry(view, placeOf(state, sections.stubHelper, entry), entry, header, starts[i])
  })
}

function chainedFixups(state: State): Uint8Array {
  const { settings, segments } = state
  const chained = dataSegments(state)
  const ranges = state.segmentOrder.map((segment) => {
    const from = (segments.Extent.fileOffset[segment] - state.dataStart) / settings.pageSize
    const to = from + segments.Extent.fileSize[segment] / settings.pageSize
    return {
      offset: segments.Extent.address[segment] - settings.imageBase,
      pageSize: settings.pageSize,
      pageStarts: chained.includes(segment) ? state.pageStarts.subarray(from, to) : new Uint16Array(0),
    }
  })
  const names = nameTable(state)
  return encodeChainedFixups({
    segments: ranges,
    pointerFormat: POINTER_FORMAT,
    maxPointer: 0,
    imports: chainedImports(state),
    names,
  })
}

/** Row = import id - 1; that of an import that is gone repeats one that is not. */
function chainedImports(state: State) {
  const { ordinal } = state.imports.Library
  const count = state.symtab.undefineds === 0 ? 0 : highestId(state.imports.world)
  let valid = 1
  while (valid < count && !entityExists(state.imports.world, valid)) valid++
  const rows = Uint32Array.from({ length: count }, (_, i) => (entityExists(state.imports.world, i + 1) ? i + 1 : valid))
  return {
    ordinals: Int32Array.from(rows, (made) => ordinal[made]),
    weak: Uint8Array.from(rows, (made) => (isWeakImport(state, made) ? 1 : 0)),
    names: rows.map((made) => state.uses.Uses.string[made]),
    addends: new Float64Array(count),
    count,
  }
}

function exportTrie(state: State): Uint8Array {
  const { symtab, symbolRows, blocks, strings, settings } = state
  const count = symtab.externals
  const [offset, length] = [new Uint32Array(count), new Uint32Array(count)]
  const addresses = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    const block = symbolRows.Row.owner[symtab.locals + i + 1]
    const string = blocks.Entry.string[block]
    offset[i] = strings.Text.offset[string]
    length[i] = strings.Text.length[string]
    const address = blockAddress(state, block) - settings.imageBase
    addresses[i] = Math.max(address, FOUR_BYTES)
    if (address < FOUR_BYTES) state.movedExports.push(block)
  }
  const names = { bytes: state.tables.strings.bytes, offset, length }
  return encodeExportTrie({
    names,
    flags: new Uint8Array(count),
    addresses,
    others: null,
    importNames: null,
    order: null,
    count,
  })
}

/** Puts the addresses of exports that moved into the trie; false where one does not fit. */
function moveExports(state: State): boolean {
  const { exports, strings } = state.tables
  const wanted = EDIT_PLACED | EDIT_EXPORTED
  for (const block of state.movedExports) {
    if ((state.blocks.Place.flags[block] & wanted) !== wanted) continue
    const string = state.blocks.Entry.string[block]
    const { offset, length } = state.strings.Text
    const address = blockAddress(state, block) - state.settings.imageBase
    const at = moveExport(exports.bytes, strings.bytes, offset[string], length[string], address, true)
    if (at < 0) return false
    touchTable(exports, at, at + 8)
  }
  return true
}

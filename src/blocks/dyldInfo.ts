// The tables for dyld, in either form. Each is made anew when something in it came or went.
import { EDIT_EXPORTED, EDIT_HIDDEN, EDIT_PLACED, EDIT_WEAK } from '../../components/edits.ts'
import { IMPORT_OWN, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { aliveCount } from '../ecs.ts'
import {
  type BindRows,
  createBindRows,
  encodeBind,
  encodeLazyBind,
  encodeWeakBind,
  type NameTable,
} from '../formats/dyld/bind.ts'
import { encodeChainedFixups } from '../formats/dyld/chainedFixups.ts'
import { encodeRebase } from '../formats/dyld/rebase.ts'
import { sortNames } from '../formats/dyld/sortNames.ts'
import {
  BIND_SYMBOL_FLAGS_WEAK_IMPORT,
  MH_BINDS_TO_WEAK,
  MH_WEAK_DEFINES,
  VM_PROT_WRITE,
} from '../formats/macho/constants.ts'
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
import { joinBinds, pickBinds } from './bindRows.ts'
import { writeExports } from './exportTrie.ts'
import { tableRows } from './layout.ts'
import { namedAs } from './nameIndex.ts'
import { POINTER_REBASE } from './pointers.ts'
import { visitBinds } from './references.ts'
import { markPages, type State } from './state.ts'
import { replaceTable } from './table.ts'

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
    if (stale.bind) {
      replaceTable(state.tables.bind, binds(state))
      replaceTable(state.tables.weakBind, weakBinds(state))
    }
    if (stale.lazy) replaceTable(state.tables.lazyBind, lazyBinds(state))
  }
  state.weakFlags = weakFlags(state)
  writeExports(state)
  stale.chains = stale.rebase = stale.bind = stale.lazy = false
}

interface DataSegment {
  index: number
  address: number
  size: number
  fileOffset: number
  fileSize: number
  writable: boolean
}

/** All segments in front of __LINKEDIT, in the order of the file. */
function allSegments(state: State): DataSegment[] {
  const { Segment, Extent, names } = state.segments
  const linked = (state.base?.image.segments ?? []).slice(0, state.base?.segments)
  const own = state.segmentOrder.filter((segment) => names[segment] !== '__LINKEDIT')
  return [
    ...linked.map(({ vmAddress, vmSize, fileOffset, fileSize, initProtection }, index) => {
      const writable = (initProtection & VM_PROT_WRITE) !== 0
      return { index, address: vmAddress, size: vmSize, fileOffset, fileSize, writable }
    }),
    ...own.map((segment) => ({
      index: Segment.index[segment],
      address: Extent.address[segment],
      size: Extent.size[segment],
      fileOffset: Extent.fileOffset[segment],
      fileSize: Extent.fileSize[segment],
      writable: (Segment.protection[segment] & VM_PROT_WRITE) !== 0,
    })),
  ]
}

/** Those that dyld writes to. */
function dataSegments(state: State): DataSegment[] {
  return allSegments(state).filter(({ writable, fileSize }) => writable && fileSize > 0)
}

/** Only pages where a pointer came or went are looked through again: 100,000 entries of the GOT took 5 ms. */
function rebases(state: State): Uint8Array {
  const { rebased } = state
  const { pageSize } = state.settings
  const data = dataSegments(state)
  for (const { fileOffset, fileSize } of data) {
    const first = (fileOffset - state.dataStart) / pageSize
    const pages = fileSize / pageSize
    for (let page = first; page < first + pages; page++) rebased[page] ??= rebasesOfPage(state, page, first)
  }
  const count = rebased.reduce((sum, places) => sum + (places?.length ?? 0), 0)
  const [indices, offsets] = [new Uint8Array(count), new Uint32Array(count)]
  let row = 0
  for (const { index, fileOffset, fileSize } of data) {
    const first = (fileOffset - state.dataStart) / pageSize
    const from = row
    for (const places of rebased.slice(first, first + fileSize / pageSize)) {
      offsets.set(places!, row)
      row += places!.length
    }
    indices.fill(index, from, row)
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

/** `data`: the segments that dyld writes to. */
function addRow(
  state: State,
  data: readonly DataSegment[],
  rows: BindRows,
  made: number,
  address: number,
  addend: number,
): void {
  const segment = data.find((s) => address >= s.address && address < s.address + s.size)!
  const i = rows.count++
  rows.segments[i] = segment.index
  rows.offsets[i] = address - segment.address
  rows.ordinals[i] = state.imports.Library.ordinal[made]
  rows.addends[i] = addend
  rows.names[i] = state.uses.Uses.string[made]
  rows.flags[i] = isWeakImport(state, made) ? BIND_SYMBOL_FLAGS_WEAK_IMPORT : 0
}

function binds(state: State): Uint8Array {
  const rows = bindRows(state, importsWith(state, IMPORT_OWN, 0))
  return encodeBind(state.base === null ? rows : joinBinds(state.base.binds, rows), nameTable(state))
}

/** The imports whose flags are `value` under `mask`, in the order of dyld's table. */
function importsWith(state: State, mask: number, value: number): number[] {
  const { flags } = state.imports.Library
  const owners = state.importRows.Row.owner.subarray(1, state.importRows.count + 1)
  return Array.from(owners).filter((made) => made !== 0 && (flags[made] & mask) === value)
}

/** Of each import three numbers a pointer that is bound to it. */
function bindRows(state: State, imports: readonly number[]): BindRows {
  const found: number[] = []
  for (const made of imports) {
    const got = state.imports.Use.got[made]
    if (got !== 0) found.push(made, gotAddress(state, got), 0)
    for (const [address, addend] of bindsInPlace(state, made)) found.push(made, address, addend)
  }
  const data = dataSegments(state)
  const rows = { ...createBindRows(found.length / 3), count: 0 }
  for (let i = 0; i < found.length; i += 3) addRow(state, data, rows, found[i], found[i + 1], found[i + 2])
  return rows
}

/** dyld walks the weak binds of all images in step, so they are in the order of their names. */
function weakBinds(state: State): Uint8Array {
  const { base } = state
  const linked = base === null ? 0 : base.weakBinds.count + base.overrides.length
  if (state.weakNames + linked === 0) return new Uint8Array(0)
  const { string } = state.uses.Uses
  const names = nameTable(state)
  const others = importsWith(state, IMPORT_WEAK_DEF, IMPORT_WEAK_DEF)
  const all = Uint32Array.from([...importsWith(state, IMPORT_OWN, IMPORT_OWN), ...others])
  const { offset, length } = state.strings.Text
  const rows = {
    bytes: names.bytes[0],
    offset: all.map((made) => offset[string[made]]),
    length: all.map((made) => length[string[made]]),
  }
  const sorted = sortNames(rows, Uint32Array.from(all.keys()))
  const overriding = others.filter((made) => isOverridden(state, made)).map((made) => string[made])
  const own = bindRows(
    state,
    Array.from(sorted.order, (i) => all[i]),
  )
  if (base === null) return encodeWeakBind(own, names, Uint32Array.from(overriding))
  const both = Uint32Array.from([...base.overrides, ...overriding])
  return encodeWeakBind(byName(state, joinBinds(base.weakBinds, own)), names, both)
}

function byName(state: State, rows: BindRows): BindRows {
  const { offset, length } = state.strings.Text
  const places = rows.names.map((string) => offset[string])
  const lengths = rows.names.map((string) => length[string])
  const names = { bytes: state.tables.strings.bytes, offset: places, length: lengths }
  return pickBinds(rows, sortNames(names, Uint32Array.from(rows.names.keys())).order)
}

/** Whether the image has a strong definition of a name that is weak in the library. */
function isOverridden(state: State, made: number): boolean {
  const { flags } = state.blocks.Place
  const asked = EDIT_EXPORTED | EDIT_PLACED | EDIT_WEAK | EDIT_HIDDEN
  return namedAs(state, state.uses.Uses.string[made]).some(
    (entry) => (entry & TARGET_IMPORT) === 0 && (flags[entry] & asked) === (EDIT_EXPORTED | EDIT_PLACED),
  )
}

/** MH_WEAK_DEFINES where dyld may find definitions here for others, MH_BINDS_TO_WEAK where it looks for them. */
function weakFlags(state: State): number {
  if (state.weakNames === 0) return 0
  const own = importsWith(state, IMPORT_OWN, IMPORT_OWN)
  const others = importsWith(state, IMPORT_WEAK_DEF, IMPORT_WEAK_DEF)
  const defines = own.length > 0 || others.some((made) => isOverridden(state, made))
  return (defines ? MH_WEAK_DEFINES : 0) | MH_BINDS_TO_WEAK
}

/** Addresses and addends, in the order of addresses: that of the references is history. */
function bindsInPlace(state: State, made: number): [number, number][] {
  const places: [number, number][] = []
  visitBinds(state, made, (address, addend) => places.push([address, addend]))
  return places.sort((a, b) => a[0] - b[0])
}

/** Also the helper entries, which hold the places of the records. */
function lazyBinds(state: State): Uint8Array {
  if (state.base !== null) return state.base.lazyBind
  const { stubs } = tableRows(state)
  const data = dataSegments(state)
  const rows = { ...createBindRows(stubs), count: 0 }
  const lazy: number[] = []
  for (let stub = 1; stub <= stubs; stub++) {
    const target = keyOf(state.stubs, stub)
    if (!isLazy(state, target)) continue
    addRow(state, data, rows, target & 0x7fffffff, lazyAddress(state, stub), 0)
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
  const { settings } = state
  const { pageSize } = settings
  const ranges = allSegments(state).map(({ address, fileOffset, fileSize, writable }) => {
    const from = (fileOffset - state.dataStart) / pageSize
    const pageStarts = writable ? state.pageStarts.subarray(from, from + fileSize / pageSize) : new Uint16Array(0)
    return { offset: address - settings.imageBase, pageSize, pageStarts }
  })
  // __LINKEDIT
  ranges.push({ offset: 0, pageSize, pageStarts: new Uint16Array(0) })
  const names = nameTable(state)
  return encodeChainedFixups({
    segments: ranges,
    pointerFormat: state.pointerFormat,
    maxPointer: 0,
    imports: chainedImports(state),
    names,
  })
}

/** The row of an import that is gone repeats one that is not. */
function chainedImports(state: State) {
  const { ordinal } = state.imports.Library
  const { owner } = state.importRows.Row
  const linked = state.base?.imports
  const first = linked?.count ?? 0
  const count = aliveCount(state.imports.world) === 0 ? first : state.importRows.count
  let valid = 1
  while (valid < count && owner[valid] === 0) valid++
  const rows = Uint32Array.from({ length: count }, (_, i) => owner[i + 1] || owner[valid])
  const imports = {
    ordinals: Int32Array.from(rows, (made) => ordinal[made]),
    weak: Uint8Array.from(rows, (made) => (isWeakImport(state, made) ? 1 : 0)),
    names: rows.map((made) => state.uses.Uses.string[made]),
    addends: new Float64Array(count),
    count,
  }
  if (linked === undefined) return imports
  for (const name of ['ordinals', 'weak', 'names', 'addends'] as const) imports[name].set(linked[name])
  return imports
}

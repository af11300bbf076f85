// Classic dyld info: rebase, bind, weak-bind and lazy-bind opcodes, and the helper entries that name the lazy records.
import { SEGMENT_STRIDE } from '../../components/fixups.ts'
import { IMPORT_OWN, IMPORT_WEAK, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import type { Link } from '../../components/link.ts'
import {
  type BindRows,
  createBindRows,
  encodeBind,
  encodeLazyBind,
  encodeWeakBind,
} from '../../src/formats/dyld/bind.ts'
import { encodeRebase } from '../../src/formats/dyld/rebase.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { helperEntryAddress, imageOffset, lazyAddress } from '../kernels/addresses.ts'
import { bindsToWeak } from '../kernels/fixups.ts'
import { nameTable } from '../kernels/nameTable.ts'
import { sortedLocations } from './locations.ts'
import { overridingNames } from './overrides.ts'

export function writeOpcodes(link: Link): void {
  if (bindsToWeak(link)) link.weakFlags |= macho.MH_BINDS_TO_WEAK
  const tables = encodeOpcodes(link)
  for (const name of OPCODES) link.linkedit[name] = { bytes: tables[name], offset: 0 }
}

export const OPCODES = ['rebase', 'bind', 'weakBind', 'lazyBind'] as const

/** The tables as fixups and stubs are now; stubs are told where their lazy records begin. */
export function encodeOpcodes(link: Link): Record<(typeof OPCODES)[number], Uint8Array> {
  const names = nameTable(link)
  const order = bindsByImport(link)
  const fold = (link.settings.optimize ?? 1) > 1
  const { Library } = link.imports
  const strong = order.filter(
    (row) => !(Library.flags[link.fixups.Bind.import[row]] & IMPORT_OWN) || !isWeak(link, row),
  )
  const weak = order.filter((row) => isWeak(link, row))
  return {
    rebase: rebases(link),
    bind: encodeBind(bindRows(link, strong), names, fold),
    weakBind: encodeWeakBind(bindRows(link, weak), names, overridingNames(link), fold),
    lazyBind: lazyBinds(link, names),
  }
}

function isWeak(link: Link, row: number): boolean {
  return (link.imports.Library.flags[link.fixups.Bind.import[row]] & IMPORT_WEAK_DEF) !== 0
}

function rebases(link: Link): Uint8Array {
  const count = link.fixups.rebases
  const segments = new Uint8Array(count)
  const offsets = new Uint32Array(count)
  const locations = sortedLocations(link, count, 0)
  let at = 0
  for (const segment of link.segmentOrder) {
    segments.fill(link.segments.Segment.index[segment], at, at + locations[segment].length)
    offsets.set(locations[segment], at)
    at += locations[segment].length
  }
  return encodeRebase(segments, offsets, count)
}

/** Bind rows grouped by import, each group ascending, groups by their first place: what ld64.lld writes. */
function bindsByImport(link: Link): Uint32Array {
  const { Bind, binds } = link.fixups
  const { index } = link.segments.Segment
  const place = new Float64Array(binds + 1)
  const first = new Float64Array(link.imports.count + 1).fill(Number.POSITIVE_INFINITY)
  for (let row = 1; row <= binds; row++) {
    const segment = Math.floor(Bind.location[row] / SEGMENT_STRIDE)
    place[row] = index[segment] * SEGMENT_STRIDE + Bind.location[row] - segment * SEGMENT_STRIDE
    first[Bind.import[row]] = Math.min(first[Bind.import[row]], place[row])
  }
  const order = Uint32Array.from({ length: binds }, (_, i) => i + 1)
  return order.sort((a, b) => first[Bind.import[a]] - first[Bind.import[b]] || place[a] - place[b])
}

function bindRows(link: Link, order: Uint32Array): BindRows {
  const { Bind } = link.fixups
  const count = order.length
  const rows = createBindRows(count)
  for (let i = 0; i < count; i++) {
    const row = order[i]
    const made = Bind.import[row]
    const segment = Math.floor(Bind.location[row] / SEGMENT_STRIDE)
    setRow(link, rows, i, segment, Bind.location[row] - segment * SEGMENT_STRIDE, made)
    rows.addends[i] = Bind.addend[row]
  }
  return rows
}

function setRow(link: Link, rows: BindRows, i: number, segment: number, offset: number, made: number): void {
  const { Library } = link.imports
  rows.segments[i] = link.segments.Segment.index[segment]
  rows.offsets[i] = offset
  rows.ordinals[i] = Library.ordinal[made]
  rows.names[i] = Library.name[made]
  rows.flags[i] = Library.flags[made] & IMPORT_WEAK ? macho.BIND_SYMBOL_FLAGS_WEAK_IMPORT : 0
}

/** Records in the order of the helper entries, side by side: a helper entry is small, and tells dyld where its record begins. */
function lazyBinds(link: Link, names: ReturnType<typeof nameTable>): Uint8Array {
  const { Stub, LazyBind } = link.stubs
  const rows = createBindRows(link.helperEntries)
  const segment = link.outputs.Section.segment[link.tables.lazyPointers]
  const order = lazyStubs(link)
  order.forEach((stub, i) => {
    const offset = lazyAddress(link, stub) - link.segments.Extent.address[segment]
    setRow(link, rows, i, segment, offset, Stub.import[stub])
  })
  const { bytes, starts } = encodeLazyBind(rows, names)
  order.forEach((stub, i) => {
    LazyBind.record[stub] = starts[i]
  })
  return rows.count === 0 ? new Uint8Array(0) : bytes
}

/** Stubs that are bound lazily, in the order of their helper entries. */
function lazyStubs(link: Link): Uint32Array {
  const { helper } = link.stubs.LazyBind
  const stubs = new Uint32Array(link.helperEntries)
  let count = 0
  for (let stub = 1; stub <= link.stubs.count; stub++) if (helper[stub] !== 0) stubs[count++] = stub
  return stubs.sort((a, b) => helper[a] - helper[b])
}

/** The lazy records' offsets go back into the stub helper. */
export function writeStubHelperEntries(link: Link): void {
  const { stubs, tables, arch } = link
  const view = new DataView(link.image.buffer, link.image.byteOffset, link.image.byteLength)
  const header = link.outputs.Extent.address[tables.stubHelper]
  for (let stub = 1; stub <= stubs.count; stub++) {
    if (stubs.LazyBind.helper[stub] === 0) continue
    const entry = helperEntryAddress(link, stub)
    arch.writeStubHelperEntry(
      view,
      imageOffset(link, tables.stubHelper, entry),
      entry,
      header,
      stubs.LazyBind.record[stub],
    )
  }
}

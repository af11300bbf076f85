// Brings up to date what holds the addresses of symbols that have moved: table entries, the symbol table, the header.
import { dataViewOf } from '../../core/pages.ts'
import { findGot, KEY_IMPORT, KEY_LOCAL } from '../../../components/gots.ts'
import type { Link } from '../../../components/link.ts'
import { SYMBOL_ABSOLUTE } from '../../../components/symbols.ts'
import { gotAddress, imageOffset, lazyAddress, tlvAddress } from '../../../systems/kernels/addresses.ts'
import { encodeHeader, entryAddress } from '../../../systems/kernels/commands.ts'
import { POINTER_FORMAT, writePointer } from '../../../systems/kernels/fixups.ts'
import { fileOfRow } from '../../../systems/kernels/ranks.ts'
import { copyChainLink, writeChainedRebase } from '../../formats/dyld/chainedFixups.ts'
import * as macho from '../../formats/macho/constants.ts'
import { type DirtyPages, markChanges, markDirty } from './dirtyPages.ts'

/** Exports and the debug map are left. */
export function moveRows(link: Link, symbols: readonly number[], dirty: DirtyPages): void {
  const places = placesOf(link, symbols)
  for (const symbol of symbols) {
    moveEntries(link, symbol, dirty)
    const place = places.get(symbol)
    if (place !== undefined) moveRow(link, place, link.symbols.Reference.address[symbol], dirty)
  }
  patchHeader(link, dirty)
}

/** Where symbols stand in the symbol table, from the first local on. */
function placesOf(link: Link, symbols: readonly number[]): Map<number, number> {
  const { local, locals, external, externals } = link.files.Rows
  const { table } = link
  const start = table.localCount + table.thunks.length
  const places = new Map<number, number>()
  for (const file of new Set(symbols.map((symbol) => fileOfRow(link, symbol)))) {
    for (let i = local[file]; i < local[file] + locals[file]; i++) places.set(table.locals[i], i)
    for (let i = external[file]; i < external[file] + externals[file]; i++) places.set(table.externals[i], start + i)
  }
  return places
}

/** Table entries that hold the address of a symbol of this image. */
export function moveEntries(link: Link, symbol: number, dirty: DirtyPages): void {
  moveGot(link, symbol, dirty)
  const made = link.names.Resolution.import[link.symbols.Definition.name[symbol]]
  if (made !== 0 && link.imports.Library.symbol[made] === symbol && !link.settings.fixupChains)
    moveOwn(link, made, link.symbols.Reference.address[symbol], dirty)
}

/** Entries that dyld binds when it loads the image hold its own definition until then; chained ones do not. */
function moveOwn(link: Link, made: number, value: number, dirty: DirtyPages): void {
  const { tables, imports, stubs } = link
  const [got, tlv, stub] = [imports.Use.got[made], findGot(link.tlvs, KEY_IMPORT, made), imports.Use.stub[made]]
  const places: number[] = []
  if (got !== 0) places.push(imageOffset(link, tables.got, gotAddress(link, got)))
  if (tlv !== 0) places.push(imageOffset(link, tables.tlvPointers, tlvAddress(link, tlv)))
  if (stub !== 0 && stubs.Stub.lazy[stub] !== 0 && stubs.LazyBind.helper[stub] === 0)
    places.push(imageOffset(link, tables.lazyPointers, lazyAddress(link, stub)))
  for (const at of places) {
    const before = link.image.slice(at, at + 8)
    writePointer(dataViewOf(link.image), at, value)
    markChanges(link, dirty, at, before)
  }
}

/** An entry of the GOT is a pointer that is rebased. */
function moveGot(link: Link, symbol: number, dirty: DirtyPages): void {
  const got = findGot(link.gots, KEY_LOCAL, symbol)
  if (got === 0 || link.symbols.Definition.flags[symbol] & SYMBOL_ABSOLUTE) return
  const at = imageOffset(link, link.tables.got, gotAddress(link, got))
  const before = link.image.slice(at, at + 8)
  const view = dataViewOf(link.image)
  const value = link.symbols.Reference.address[symbol]
  if (link.settings.fixupChains) {
    writeChainedRebase(view, at, value, 0, POINTER_FORMAT, link.settings.imageBase)
    copyChainLink(new DataView(before.buffer), 0, view, at)
  } else writePointer(view, at, value)
  markChanges(link, dirty, at, before)
}

/** `row` counts from the first local. */
function moveRow(link: Link, row: number, value: number, dirty: DirtyPages): void {
  const { stabs, room } = link.table
  const at = link.linkedit.symbols!.offset + (room + stabs.count + row) * macho.NLIST_SIZE + 8
  writePointer(dataViewOf(link.tail), at - link.image.length, value)
  markDirty(link, dirty, at, at + 8)
}

/** The entry point may have moved, a section may have another size. The UUID is written by sign. */
export function patchHeader(link: Link, dirty: DirtyPages): void {
  const header = encodeHeader(link, entryAddress(link))
  const before = link.image.slice(0, header.length)
  if (link.settings.uuid !== 'none') header.set(before.subarray(link.uuidAt, link.uuidAt + 16), link.uuidAt)
  link.image.set(header)
  markChanges(link, dirty, 0, before)
}

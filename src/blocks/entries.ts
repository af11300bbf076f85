// GOT entries and stubs, keyed {block | import}: taken when first asked for, free for others when their key is gone.
import { KEY_IMPORT, KEY_LOCAL } from '../../components/gots.ts'
import { IMPORT_OWN, IMPORT_USED, IMPORT_WEAK, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { EDIT_PLACED } from '../../components/edits.ts'
import { readU32, writeU32 } from '../core/bytes.ts'
import { entityExists, removeEntity } from '../ecs.ts'
import * as macho from '../formats/macho/constants.ts'
import { DESCRIPTOR_SIZE, ensureTables, tableRows } from './layout.ts'
import { aliasesOf } from './nameIndex.ts'
import { dropPointer, putBind, putRebase } from './pointers.ts'
import { markPages, type State, takeRow } from './state.ts'
import { resizeTable, touchTable } from './table.ts'

/** The GOT entry of a block or, with TARGET_IMPORT, an import. */
export function gotOf(state: State, target: number): number {
  const column = target & TARGET_IMPORT ? state.imports.Use.got : state.blocks.Entry.got
  const row = target & 0x7fffffff
  if (column[row] !== 0) return column[row]
  const got = takeEntry(state, state.gots, target)
  column[row] = got
  state.dirtyGots.push(got)
  return got
}

export function stubOf(state: State, target: number): number {
  const column = target & TARGET_IMPORT ? state.uses.Uses.stub : state.blocks.Entry.stub
  const row = target & 0x7fffffff
  if (column[row] !== 0) return column[row]
  if (!isLazy(state, target)) gotOf(state, target)
  const stub = takeEntry(state, state.stubs, target)
  column[row] = stub
  state.dirtyStubs.push(stub)
  if (isLazy(state, target)) state.stale.lazy = true
  return stub
}

/** Where there are lazy pointers, as in images with opcodes, a stub of an import goes through a lazy pointer; every other one, also where dyld coalesces, through the GOT. */
export function isLazy(state: State, target: number): boolean {
  if (state.sections.lazyPointers === 0 || (target & TARGET_IMPORT) === 0) return false
  return (state.imports.Library.flags[target & 0x7fffffff] & IMPORT_WEAK_DEF) === 0
}

/** What counts in a target's place: a block, or TARGET_IMPORT | import. */
export function definitionOf(state: State, target: number): number {
  return target & TARGET_IMPORT ? target : state.blocks.Entry.definition[target] || target
}

/** A pointer to a target, which has contents if it is a block; false where the addend does not fit. */
export function putTarget(state: State, at: number, target: number, addend: number): boolean {
  const definition = definitionOf(state, target)
  if ((definition & TARGET_IMPORT) === 0) {
    putRebase(state, at, symbolAddress(state, definition) + addend)
    return true
  }
  const made = definition & 0x7fffffff
  const { flags, symbol } = state.imports.Library
  if (state.settings.fixupChains || (flags[made] & IMPORT_OWN) === 0) return putBind(state, at, made, addend)
  putRebase(state, at, symbolAddress(state, symbol[made]) + addend)
  state.stale.bind = true
  return true
}

function takeEntry(state: State, entries: State['gots'], target: number): number {
  const id = takeRow(entries, [entries.Key, entries.Slot])
  entries.Key.kind[id] = target & TARGET_IMPORT ? KEY_IMPORT : KEY_LOCAL
  entries.Key.index[id] = target & 0x7fffffff
  entries.Slot.slot[id] = id - 1
  touchIndirect(state, entries, id)
  ensureTables(state)
  return id
}

export function keyOf(entries: State['gots'], id: number): number {
  return entries.Key.kind[id] === KEY_IMPORT ? (TARGET_IMPORT | entries.Key.index[id]) >>> 0 : entries.Key.index[id]
}

export function freeGot(state: State, got: number): void {
  if (got === 0) return
  dropPointer(state, gotPlace(state, got))
  freeEntry(state, state.gots, got)
}

/** What stays of a stub jumps through a pointer of nobody: a call of it ends in a fault, as it should. */
export function freeStub(state: State, stub: number): void {
  if (stub === 0) return
  if (isLazy(state, keyOf(state.stubs, stub))) {
    dropPointer(state, placeOf(state, state.sections.lazyPointers, lazyAddress(state, stub)))
    state.stale.lazy = true
  }
  freeEntry(state, state.stubs, stub)
}

function freeEntry(state: State, entries: State['gots'], id: number): void {
  entries.Key.kind[id] = 0
  removeEntity(entries.world, id)
  touchIndirect(state, entries, id)
}

export function gotAddress(state: State, got: number): number {
  return state.outputs.Extent.address[state.sections.got] + state.gots.Slot.slot[got] * 8
}

export function stubAddress(state: State, stub: number): number {
  return state.outputs.Extent.address[state.sections.stubs] + state.stubs.Slot.slot[stub] * state.arch.stubSize
}

export function lazyAddress(state: State, stub: number): number {
  return state.outputs.Extent.address[state.sections.lazyPointers] + state.stubs.Slot.slot[stub] * 8
}

export function helperAddress(state: State, stub: number): number {
  const start = state.outputs.Extent.address[state.sections.stubHelper] + state.arch.stubHelperHeaderSize
  return start + state.stubs.Slot.slot[stub] * state.arch.stubHelperEntrySize
}

/** Where an address of a section lies in the file. */
export function placeOf(state: State, output: number, address: number): number {
  return state.outputs.Extent.fileOffset[output] + address - state.outputs.Extent.address[output]
}

function gotPlace(state: State, got: number): number {
  return placeOf(state, state.sections.got, gotAddress(state, got))
}

export function blockAddress(state: State, block: number): number {
  const { section, offset } = state.blocks.Place
  return state.outputs.Extent.address[section[block]] + offset[block]
}

export function descriptorAddress(state: State, id: number): number {
  return state.outputs.Extent.address[state.sections.threadVariables] + (id - 1) * DESCRIPTOR_SIZE
}

/** The address that the block's name stands for: for a thread-local variable that of its descriptor. */
export function symbolAddress(state: State, block: number): number {
  const descriptor = state.blocks.Entry.descriptor[block]
  return descriptor === 0 ? blockAddress(state, block) : descriptorAddress(state, descriptor)
}

export function writeGot(state: State, got: number): void {
  if (state.gots.Key.kind[got] === 0) return
  const target = keyOf(state.gots, got)
  if (isThere(state, target)) putTarget(state, gotPlace(state, got), target, 0)
  else dropPointer(state, gotPlace(state, got))
}

/** Whether it is an import or has contents, of its own or in its place. */
export function isThere(state: State, target: number): boolean {
  const definition = definitionOf(state, target)
  return (definition & TARGET_IMPORT) !== 0 || (state.blocks.Place.flags[definition] & EDIT_PLACED) !== 0
}

export function writeStub(state: State, stub: number): void {
  const { arch, sections, stubs } = state
  if (stubs.Key.kind[stub] === 0) return
  const target = keyOf(stubs, stub)
  const lazy = isLazy(state, target)
  const pointer = lazy ? lazyAddress(state, stub) : gotAddress(state, gotOf(state, target))
  const address = stubAddress(state, stub)
  const at = placeOf(state, sections.stubs, address)
  arch.writeStub(state.view, at, address, pointer)
  markPages(state, at, at + arch.stubSize)
  if (lazy) putRebase(state, placeOf(state, sections.lazyPointers, pointer), helperAddress(state, stub))
}

/** After all has moved. Stubs that nobody has are written too, through the first pointer there is. */
export function writeAllEntries(state: State): void {
  const { gots, stubs } = tableRows(state)
  for (let got = 1; got <= gots; got++) if (entityExists(state.gots.world, got)) writeGot(state, got)
  for (let stub = 1; stub <= stubs; stub++) {
    if (entityExists(state.stubs.world, stub)) writeStub(state, stub)
    else writeFreeStub(state, stub)
  }
}

function writeFreeStub(state: State, stub: number): void {
  const { arch, sections, outputs } = state
  const address = stubAddress(state, stub)
  const pointer = sections.lazyPointers === 0 ? outputs.Extent.address[sections.got] : lazyAddress(state, stub)
  arch.writeStub(state.view, placeOf(state, sections.stubs, address), address, pointer)
}

/** Its row of the indirect table is to be written. */
function touchIndirect(state: State, entries: State['gots'], id: number): void {
  state.indirectEntries.push(entries === state.gots ? id : -id)
}

/** The rows of what an import has, and of what it stands for. */
export function touchImport(state: State, made: number): void {
  if (state.imports.Library.flags[made] & IMPORT_USED) {
    const { got, stub } = state.blocks.Entry
    for (const block of aliasesOf(state, made)) {
      if (got[block] !== 0) state.indirectEntries.push(got[block])
      if (stub[block] !== 0) state.indirectEntries.push(-stub[block])
    }
  }
  const got = state.imports.Use.got[made]
  const stub = state.uses.Uses.stub[made]
  if (got !== 0) state.indirectEntries.push(got)
  if (stub !== 0) state.indirectEntries.push(-stub)
}

/**
 * Stubs, lazy pointers, then the GOT, which grows most; entries of nobody are absolute. With as many stubs as before only rows that
 * have changed are written.
 */
export function writeIndirect(state: State): void {
  const { sections, outputs, indirectEntries } = state
  const { gots, stubs } = tableRows(state)
  const firstStub = writeLinkedIndirect(state)
  const firstLazy = firstStub + stubs
  const firstGot = sections.lazyPointers === 0 ? firstLazy : firstLazy + stubs
  const whole = state.stale.indirect || outputs.Section.reserved1[sections.got] !== firstGot
  resizeTable(state.tables.indirect, (firstGot + gots) * 4)
  outputs.Section.reserved1[sections.stubs] = firstStub
  outputs.Section.reserved1[sections.lazyPointers] = firstLazy
  outputs.Section.reserved1[sections.got] = firstGot
  outputs.Section.reserved1[0] = 0
  const places = [firstStub - 1, firstLazy - 1, firstGot - 1] as const
  if (whole) {
    for (let stub = 1; stub <= stubs; stub++) writeIndirectRow(state, -stub, places)
    for (let got = 1; got <= gots; got++) writeIndirectRow(state, got, places)
  } else for (const entry of indirectEntries) writeIndirectRow(state, entry, places)
  indirectEntries.length = 0
}

/** What the file had that was opened comes first; symbols may have other numbers. Returns how many entries. */
function writeLinkedIndirect(state: State): number {
  if (state.base === null) return 0
  const { owners, words } = state.base.indirect
  const { symtab } = state.imports.Use
  const { row } = state.blocks.Entry
  if (state.tables.indirect.length < owners.length * 4) resizeTable(state.tables.indirect, owners.length * 4)
  for (let i = 0; i < owners.length; i++) {
    const owner = owners[i]
    const number = owner & TARGET_IMPORT ? symtab[owner & 0x7fffffff] : row[owner]
    putIndirect(state, i, owner === 0 ? words[i] : number - 1)
  }
  return owners.length
}

function writeIndirectRow(state: State, entry: number, places: readonly [number, number, number]): void {
  const [stubs, lazyPointers, gots] = places
  if (entry > 0) return putIndirect(state, gots + entry, symbolNumber(state, state.gots, entry))
  const stub = -entry
  const number = symbolNumber(state, state.stubs, stub)
  putIndirect(state, stubs + stub, number)
  if (state.sections.lazyPointers === 0) return
  putIndirect(state, lazyPointers + stub, isLazy(state, keyOf(state.stubs, stub)) ? number : NOBODY)
}

function putIndirect(state: State, row: number, number: number): void {
  const table = state.tables.indirect
  if (readU32(table.bytes, row * 4) === number) return
  writeU32(table.bytes, row * 4, number)
  touchTable(table, row * 4, row * 4 + 4)
}

const NOBODY = (macho.INDIRECT_SYMBOL_LOCAL | macho.INDIRECT_SYMBOL_ABS) >>> 0

function symbolNumber(state: State, entries: State['gots'], id: number): number {
  if (entries.Key.kind[id] === 0) return NOBODY
  const target = keyOf(entries, id)
  if (!isThere(state, target)) return NOBODY
  const definition = definitionOf(state, target)
  if ((definition & TARGET_IMPORT) === 0) return macho.INDIRECT_SYMBOL_LOCAL
  const own = state.imports.Library.symbol[definition & 0x7fffffff]
  return (own === 0 ? state.imports.Use.symtab[definition & 0x7fffffff] : state.blocks.Entry.row[own]) - 1
}

export function isWeakImport(state: State, made: number): boolean {
  return (state.imports.Library.flags[made] & IMPORT_WEAK) !== 0
}

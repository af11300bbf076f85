// GOT entries and stubs, keyed {block | import}: taken when first asked for, free for others when their key is gone.
import { KEY_IMPORT, KEY_LOCAL } from '../../components/gots.ts'
import { IMPORT_WEAK } from '../../components/imports.ts'
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { EDIT_PLACED } from '../../components/edits.ts'
import { writeU32 } from '../core/bytes.ts'
import { entityExists, removeEntity } from '../ecs.ts'
import * as macho from '../formats/macho/constants.ts'
import { ensureTables, tableRows } from './layout.ts'
import { dropPointer, putBind, putRebase } from './pointers.ts'
import { markPages, type State, takeRow } from './state.ts'
import { replaceTable } from './table.ts'

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

/** In images with opcodes a stub of an import goes through a lazy pointer; every other one through the GOT. */
export function isLazy(state: State, target: number): boolean {
  return (target & TARGET_IMPORT) !== 0 && !state.settings.fixupChains
}

function takeEntry(state: State, entries: State['gots'], target: number): number {
  const id = takeRow(entries, [entries.Key, entries.Slot])
  entries.Key.kind[id] = target & TARGET_IMPORT ? KEY_IMPORT : KEY_LOCAL
  entries.Key.index[id] = target & 0x7fffffff
  entries.Slot.slot[id] = id - 1
  state.stale.indirect = true
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
  state.stale.indirect = true
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

export function writeGot(state: State, got: number): void {
  const { kind, index } = state.gots.Key
  if (kind[got] === KEY_IMPORT) putBind(state, gotPlace(state, got), index[got], 0)
  else if (kind[got] === KEY_LOCAL && state.blocks.Place.flags[index[got]] & EDIT_PLACED)
    putRebase(state, gotPlace(state, got), blockAddress(state, index[got]))
  else if (kind[got] === KEY_LOCAL) dropPointer(state, gotPlace(state, got))
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
  const { arch, sections, settings, outputs } = state
  const address = stubAddress(state, stub)
  const pointer = settings.fixupChains ? outputs.Extent.address[sections.got] : lazyAddress(state, stub)
  arch.writeStub(state.view, placeOf(state, sections.stubs, address), address, pointer)
}

/** Stubs, lazy pointers, then the GOT, which grows most. Entries of nobody are absolute. */
export function writeIndirect(state: State): void {
  const { sections, outputs } = state
  const { gots, stubs } = tableRows(state)
  const lazy = sections.lazyPointers === 0 ? 0 : stubs
  const bytes = new Uint8Array((stubs + lazy + gots) * 4)
  for (let stub = 1; stub <= stubs; stub++) {
    writeU32(bytes, (stub - 1) * 4, symbolNumber(state, state.stubs, stub))
    const own = isLazy(state, keyOf(state.stubs, stub))
    if (lazy > 0) writeU32(bytes, (stubs + stub - 1) * 4, own ? symbolNumber(state, state.stubs, stub) : NOBODY)
  }
  for (let got = 1; got <= gots; got++)
    writeU32(bytes, (stubs + lazy + got - 1) * 4, symbolNumber(state, state.gots, got))
  outputs.Section.reserved1[sections.lazyPointers] = stubs
  outputs.Section.reserved1[sections.got] = stubs + lazy
  outputs.Section.reserved1[0] = 0
  replaceTable(state.tables.indirect, bytes)
}

const NOBODY = (macho.INDIRECT_SYMBOL_LOCAL | macho.INDIRECT_SYMBOL_ABS) >>> 0

function symbolNumber(state: State, entries: State['gots'], id: number): number {
  const { kind, index } = entries.Key
  if (kind[id] === KEY_IMPORT) return state.imports.Use.symtab[index[id]] - 1
  if (kind[id] !== KEY_LOCAL) return NOBODY
  return state.blocks.Place.flags[index[id]] & EDIT_PLACED ? macho.INDIRECT_SYMBOL_LOCAL : NOBODY
}

export function isWeakImport(state: State, made: number): boolean {
  return (state.imports.Library.flags[made] & IMPORT_WEAK) !== 0
}

// The symbol table: locals, externals and undefined names, each group without holes. A row that comes or goes moves at most one
// row of each group behind it, from one end of the group to the other.
import { TARGET_IMPORT } from '../../components/symbols.ts'
import { growColumns } from '../../components/columns.ts'
import { IMPORT_WEAK, IMPORT_WEAK_DEF } from '../../components/imports.ts'
import { writeU16, writeU32, writeU64 } from '../core/bytes.ts'
import * as macho from '../formats/macho/constants.ts'
import { EDIT_EXPORTED, EDIT_HIDDEN, EDIT_WEAK } from '../../components/edits.ts'
import { symbolAddress, touchImport } from './entries.ts'
import { isLinked } from './linked/base.ts'
import type { State } from './state.ts'
import { resizeTable, touchTable } from './table.ts'

const LOCAL = 0
const EXTERNAL = 1
const UNDEFINED = 2

function groupOf(state: State, owner: number): number {
  if (owner & TARGET_IMPORT) return UNDEFINED
  return (state.blocks.Place.flags[owner] & (EDIT_EXPORTED | EDIT_HIDDEN)) === EDIT_EXPORTED ? EXTERNAL : LOCAL
}

export function isExternal(state: State, owner: number): boolean {
  return groupOf(state, owner) === EXTERNAL
}

/** Row behind the last of a group. */
function groupEnd({ symtab }: State, group: number): number {
  return symtab.locals + (group > LOCAL ? symtab.externals : 0) + (group > EXTERNAL ? symtab.undefineds : 0)
}

function count(state: State, group: number, step: number): void {
  if (group === LOCAL) state.symtab.locals += step
  else if (group === EXTERNAL) state.symtab.externals += step
  else state.symtab.undefineds += step
}

export function addSymbol(state: State, owner: number): void {
  const { symbolRows } = state
  const rows = groupEnd(state, UNDEFINED) + 1
  if (rows > symbolRows.rows) {
    symbolRows.rows = rows * 2
    growColumns(symbolRows.Row, symbolRows.rows)
  }
  resizeTable(state.tables.symbols, rows * macho.NLIST_SIZE)
  const group = groupOf(state, owner)
  for (let behind = UNDEFINED; behind > group; behind--)
    moveRow(state, groupEnd(state, behind - 1), groupEnd(state, behind))
  setRow(state, groupEnd(state, group), owner)
  count(state, group, 1)
}

/** Nothing where it has no row, as another definition of its name counts. */
export function dropSymbol(state: State, owner: number): void {
  if (rowOf(state, owner) < 0) return
  const group = groupOf(state, owner)
  let hole = rowOf(state, owner)
  for (let behind = group; behind <= UNDEFINED; behind++) {
    const last = groupEnd(state, behind) - 1
    if (last < hole) continue
    moveRow(state, last, hole)
    hole = last
  }
  count(state, group, -1)
  setOwnerRow(state, owner, 0)
  resizeTable(state.tables.symbols, groupEnd(state, UNDEFINED) * macho.NLIST_SIZE)
}

function rowOf(state: State, owner: number): number {
  return (owner & TARGET_IMPORT ? state.imports.Use.symtab[owner & 0x7fffffff] : state.blocks.Entry.row[owner]) - 1
}

function setOwnerRow(state: State, owner: number, row: number): void {
  if (owner & TARGET_IMPORT) {
    state.imports.Use.symtab[owner & 0x7fffffff] = row
    touchImport(state, owner & 0x7fffffff)
  } else {
    const { row: rows, definition } = state.blocks.Entry
    rows[owner] = row
    if (definition[owner] & TARGET_IMPORT) touchImport(state, definition[owner] & 0x7fffffff)
  }
}

export function setRow(state: State, row: number, owner: number): void {
  state.symbolRows.Row.owner[row + 1] = owner
  setOwnerRow(state, owner, row + 1)
  writeSymbol(state, owner)
}

function moveRow(state: State, from: number, to: number): void {
  if (from !== to) setRow(state, to, state.symbolRows.Row.owner[from + 1])
}

/** Writes the owner's record, if it has one, as it is now. */
export function writeSymbol(state: State, owner: number): void {
  if (rowOf(state, owner) < 0) return
  const table = state.tables.symbols
  const at = rowOf(state, owner) * macho.NLIST_SIZE
  if (owner & TARGET_IMPORT) {
    const made = owner & 0x7fffffff
    const { ordinal, flags } = state.imports.Library
    const weak =
      (flags[made] & IMPORT_WEAK ? macho.N_WEAK_REF : 0) | (flags[made] & IMPORT_WEAK_DEF ? macho.N_WEAK_DEF : 0)
    const desc = ((ordinal[made] & 0xff) << 8) | weak
    putSymbol(state, at, state.uses.Uses.string[made], macho.N_UNDF | macho.N_EXT, 0, desc, 0)
  } else {
    if (isLinked(state, owner)) return writeLinkedSymbol(state, at, owner)
    const { section, flags } = state.blocks.Place
    const external = groupOf(state, owner) === EXTERNAL
    const type = macho.N_SECT | (external ? macho.N_EXT : flags[owner] & EDIT_HIDDEN ? macho.N_PEXT : 0)
    const desc = external && flags[owner] & EDIT_WEAK ? macho.N_WEAK_DEF : 0
    const output = state.blocks.Entry.descriptor[owner] === 0 ? section[owner] : state.sections.threadVariables
    putSymbol(
      state,
      at,
      state.blocks.Entry.string[owner],
      type,
      state.outputs.Section.index[output],
      desc,
      symbolAddress(state, owner),
    )
  }
  touchTable(table, at, at + macho.NLIST_SIZE)
}

/** As it was, but for what edits can change: its name, and who knows it. */
function writeLinkedSymbol(state: State, at: number, owner: number): void {
  const { firstBlock, rows } = state.base!
  const from = (owner - firstBlock) * macho.NLIST_SIZE
  const { bytes } = state.tables.symbols
  bytes.set(rows.subarray(from, from + macho.NLIST_SIZE), at)
  const external = groupOf(state, owner) === EXTERNAL
  const flags = state.blocks.Place.flags[owner]
  const known = external ? macho.N_EXT : flags & EDIT_HIDDEN ? macho.N_PEXT : 0
  writeU32(bytes, at, state.strings.Text.offset[state.blocks.Entry.string[owner]])
  bytes[at + 4] = (bytes[at + 4] & ~(macho.N_EXT | macho.N_PEXT)) | known
  if (external && flags & EDIT_WEAK) bytes[at + 6] |= macho.N_WEAK_DEF
  touchTable(state.tables.symbols, at, at + macho.NLIST_SIZE)
}

function putSymbol(
  state: State,
  at: number,
  string: number,
  type: number,
  section: number,
  desc: number,
  value: number,
): void {
  const { bytes } = state.tables.symbols
  writeU32(bytes, at, state.strings.Text.offset[string])
  bytes[at + 4] = type
  bytes[at + 5] = section
  writeU16(bytes, at + 6, desc)
  writeU64(bytes, at + 8, value)
}

/** All addresses have changed. */
export function writeSymbols(state: State): void {
  const { owner } = state.symbolRows.Row
  const rows = groupEnd(state, EXTERNAL)
  for (let row = 1; row <= rows; row++) writeSymbol(state, owner[row])
}

// The names of a linked file: its strings stay where they are in the string table, rows that nobody edits (the debug map, absolute
// locals) where they are in the symbol table. Symbols of its sections become blocks, undefined ones imports.
import { EDIT_EXPORTED, EDIT_HIDDEN, EDIT_PLACED } from '../../../components/edits.ts'
import { IMPORT_WEAK, IMPORT_WEAK_DEF } from '../../../components/imports.ts'
import { TARGET_IMPORT } from '../../../components/symbols.ts'
import { alignUp } from '../../core/align.ts'
import { cstringEnd, FormatError, readU64 } from '../../core/bytes.ts'
import { hashBytes } from '../../core/hash.ts'
import * as macho from '../../formats/macho/constants.ts'
import type { Image } from '../../formats/macho/image.ts'
import { adoptImport } from '../importRows.ts'
import { componentsOf } from '../layout.ts'
import { addToIndex } from '../nameIndex.ts'
import { MAX_NAME, type State, takeRow } from '../state.ts'
import { STRINGS_START } from '../strings.ts'
import { setRow } from '../symbols.ts'
import { resizeTable, touchTable } from '../table.ts'
import type { Base } from './base.ts'
import { readSymbol } from './readLinked.ts'

/** What a row of the symbol table is. */
const [KEPT, LOCAL, EXTERNAL, UNDEFINED] = [0, 1, 2, 3]
/** Bytes of names that are looked at, by byte of the file: names may share their bytes, but not without end. */
const NAME_BUDGET = 16

/** The string table as it was, for edits to add to. */
export function adoptStrings({ tables }: State, { symtab, bytes }: Image): void {
  const { stringOffset, stringSize } = symtab!
  resizeTable(tables.strings, Math.max(STRINGS_START, alignUp(stringSize, 8)))
  tables.strings.bytes.set(bytes.subarray(stringOffset, stringOffset + stringSize))
  touchTable(tables.strings, 0, tables.strings.length)
}

/** A string that shares its bytes: it has no room, so that nobody gets them when it is freed. */
function adoptString(state: State, at: number, end: number): number {
  const { bytes } = state.tables.strings
  const { Text } = state.strings
  const string = takeRow(state.strings, [Text])
  Text.offset[string] = at
  Text.length[string] = end - at
  Text.room[string] = 0
  Text.hash[string] = hashBytes(bytes, at, end)
  return string
}

function kindOf({ type, section }: ReturnType<typeof readSymbol>, sections: number): number {
  if (type & macho.N_STAB) return KEPT
  const external = (type & macho.N_EXT) !== 0 && (type & macho.N_PEXT) === 0
  const kind = type & macho.N_TYPE
  if (kind === macho.N_UNDF || kind === macho.N_PBUD) return external ? UNDEFINED : KEPT
  if (external) return EXTERNAL
  return kind === macho.N_SECT && section >= 1 && section <= sections ? LOCAL : KEPT
}

/** Fills `base` with the rows of the file's symbols; returns the owner of each row, 0 of those that are kept as they are. */
export function adoptSymbols(state: State, base: Base): Uint32Array {
  const { image } = base
  const { symbolOffset, symbolCount } = image.symtab!
  const kinds = new Uint8Array(symbolCount)
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < symbolCount; i++) {
    kinds[i] = kindOf(readSymbol(image.bytes, symbolOffset + i * macho.NLIST_SIZE), image.sections.length)
    counts[kinds[i]]++
  }
  const { symbols } = state.tables
  resizeTable(symbols, symbolCount * macho.NLIST_SIZE)
  base.count = counts[LOCAL] + counts[EXTERNAL]
  base.rows = new Uint8Array(base.count * macho.NLIST_SIZE)
  base.bodies = new Uint32Array(base.count)
  state.symtab = { ...state.symtab, locals: counts[KEPT] + counts[LOCAL], externals: counts[EXTERNAL] }
  state.symtab.undefineds = counts[UNDEFINED]
  state.symbolRows.Row.owner = new Uint32Array(symbolCount + 1)
  state.symbolRows.rows = symbolCount
  const adopting = {
    state,
    base,
    kinds,
    segments: Int16Array.from(image.sections, (one) =>
      image.segments.findIndex(({ sections }) => sections.includes(one)),
    ),
    owners: new Uint32Array(symbolCount),
    budget: image.bytes.length * NAME_BUDGET,
  }
  let row = 0
  for (const kind of [KEPT, LOCAL, EXTERNAL, UNDEFINED]) row = adoptKind(adopting, kind, row)
  return adopting.owners
}

interface Adopting {
  state: State
  base: Base
  /** By row of the file, KEPT and its kin. */
  kinds: Uint8Array
  /** By section. */
  segments: Int16Array
  owners: Uint32Array
  budget: number
}

/** From row `row` on; returns the one behind. */
function adoptKind(adopting: Adopting, kind: number, row: number): number {
  const { state, base, kinds, owners } = adopting
  const { bytes, symtab } = base.image
  for (let i = 0; i < kinds.length; i++) {
    if (kinds[i] !== kind) continue
    const at = symtab!.symbolOffset + i * macho.NLIST_SIZE
    if (kind === KEPT) state.tables.symbols.bytes.set(bytes.subarray(at, at + macho.NLIST_SIZE), row * macho.NLIST_SIZE)
    else {
      owners[i] = kind === UNDEFINED ? adoptUndefined(adopting, at) : adoptBlock(adopting, at)
      setRow(state, row, owners[i])
    }
    row++
  }
  touchTable(state.tables.symbols, 0, state.tables.symbols.length)
  return row
}

function nameOf(adopting: Adopting, at: number): number {
  const { state, base } = adopting
  const { string } = readSymbol(base.image.bytes, at)
  const { stringSize } = base.image.symtab!
  const end = string < stringSize ? cstringEnd(state.tables.strings.bytes, string, stringSize) : stringSize
  adopting.budget -= end - string
  if (string >= stringSize || end >= stringSize || end - string > MAX_NAME || adopting.budget < 0)
    throw new FormatError('not-editable', `a symbol's name at ${string} of the string table is none`, at)
  return adoptString(state, string, end)
}

function adoptBlock(adopting: Adopting, at: number): number {
  const { state, base } = adopting
  const { bytes } = base.image
  const string = nameOf(adopting, at)
  const block = takeRow(state.blocks, Object.values(componentsOf(state)))
  const { Place, Entry } = state.blocks
  const number = block - base.firstBlock
  base.rows.set(bytes.subarray(at, at + macho.NLIST_SIZE), number * macho.NLIST_SIZE)
  const { type, section } = readSymbol(bytes, at)
  Entry.string[block] = string
  Entry.declared[block] = ++state.declared
  Place.generation[block] = 1
  const external = type & macho.N_EXT ? EDIT_EXPORTED : 0
  const hidden = type & macho.N_PEXT ? EDIT_EXPORTED | EDIT_HIDDEN : 0
  const index = (type & macho.N_TYPE) === macho.N_SECT ? segmentOf(adopting, section, readU64(bytes, at + 8)) : -1
  // A name without a place here is no definition that anything could refer to.
  Place.flags[block] = external | hidden | (index < 0 ? 0 : EDIT_PLACED)
  if (index < 0) return block
  Place.section[block] = base.firstOutput + index
  Place.offset[block] = readU64(bytes, at + 8) - base.image.segments[index].vmAddress
  if (external | hidden) addToIndex(state, block)
  return block
}

/** Index of the segment that the section is in, if it holds the address; else -1. */
function segmentOf({ base, segments }: Adopting, section: number, address: number): number {
  const index = segments[section - 1] ?? -1
  if (index < 0 || index >= base.segments) return -1
  const { vmAddress, vmSize } = base.image.segments[index]
  return address >= vmAddress && address <= vmAddress + vmSize && address - vmAddress < 2 ** 32 ? index : -1
}

function adoptUndefined(adopting: Adopting, at: number): number {
  const { state } = adopting
  const { desc } = readSymbol(adopting.base.image.bytes, at)
  const weak = (desc & macho.N_WEAK_REF ? IMPORT_WEAK : 0) | (desc & macho.N_WEAK_DEF ? IMPORT_WEAK_DEF : 0)
  const ordinal = (desc >> 8) & 0xff
  const made = adoptImport(state, nameOf(adopting, at), ordinal > 0xf0 ? ordinal - 256 : ordinal, weak)
  return (TARGET_IMPORT | made) >>> 0
}

import { FormatError } from '../../core/bytes.ts'
import { type Cursor, cursorOver, readByte, readUleb } from '../dyld/cursor.ts'
import * as dw from './constants.ts'
import { defaultStrOffsetsBase, type FormContext, readNumber, readString, skipForm, skipLeb } from './forms.ts'
import { type DwarfSections, openSection, orNull, readExtent, readFixed, take } from './sections.ts'

/** DW_AT_name and DW_AT_comp_dir; the directory is empty when the unit has none. */
export type CompileUnit = { name: string; directory: string }

/** Units that are looked at before giving up; compilers put type units, partial units and skeletons behind or in other files. */
const MAX_UNITS = 16

/** Bytes of an abbreviation table in which the unit's own entry must lie; producers write it first. */
const MAX_ABBREVIATIONS = 1 << 16

/** `known`: the end of those of its bytes that may be read. */
type Unit = FormContext & { type: number; abbreviations: number; end: number; known: number }

/** Where the values that matter are: position and form (0: the unit has no such attribute). */
type UnitAttributes = {
  name: number
  nameForm: number
  directory: number
  directoryForm: number
  strOffsetsBase: number
  split: boolean
}

/**
 * Name and directory of the first compile unit of an object: DWARF 2 to 5, 32 and 64-bit. Reads the unit's own entry only.
 * Null when there is no unit, it has no name, or the DWARF is malformed; throws FormatError `dwarf-bounds` when a section lies
 * outside `bytes`. Of __debug_info only what stands before `known` is looked at; null then may mean that the unit goes on behind it.
 * Source: DWARF 5, sections 7.5 and 7.26.
 */
export function readCompileUnit(
  bytes: Uint8Array,
  sections: DwarfSections,
  known: number = sections.info.to,
): CompileUnit | null {
  const info = openSection(bytes, sections.info)
  for (const range of [sections.abbrev, sections.str, sections.lineStr, sections.strOffsets]) openSection(bytes, range)
  return orNull(() => {
    for (let tries = 0; tries < MAX_UNITS && info.at < Math.min(info.end, known); tries++) {
      const unit = readUnitHeader(info)
      if (info.at > known) return null
      unit.known = Math.min(unit.end, known)
      const found = unit.type === dw.DW_UT_compile ? readUnitEntry(info, unit, sections) : null
      if (found) return found
      info.at = unit.end
    }
    return null
  })
}

/** Path of the unit's source file, as ld64.lld writes it in one N_SO: a relative name stands behind the directory and one `/`. */
export function unitPath({ name, directory }: CompileUnit): string {
  if (isAbsolutePath(name)) return name
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`
}

/** True for paths of POSIX and of Windows: objects come from any host. */
export function isAbsolutePath(path: string): boolean {
  return /^(\/|[A-Za-z]:[\\/]|[\\/]{2}[^\\/])/.test(path)
}

function readUnitHeader(info: Cursor): Unit {
  const { end, offsetSize } = readExtent(info)
  const start = info.at
  const version = readFixed(info, 2)
  if (version < 2 || version > 5) {
    throw new FormatError('dwarf-version', `expected a unit of version 2 to 5, got ${version}`, start)
  }
  const type = version < 5 ? dw.DW_UT_compile : readByte(info)
  let addressSize = version < 5 ? 0 : readByte(info)
  const abbreviations = readFixed(info, offsetSize)
  if (version < 5) addressSize = readByte(info)
  return { version, type, addressSize, offsetSize, abbreviations, end, known: end }
}

/** Null when the entry is not a compile unit with a name, or is the skeleton of one. */
function readUnitEntry(info: Cursor, unit: Unit, sections: DwarfSections): CompileUnit | null {
  const entry = cursorOver(info.bytes, info.at, unit.known)
  const declaration = findDeclaration(info.bytes, unit, sections, readUleb(entry))
  if (declaration === null) return null
  const found = readAttributes(entry, declaration, unit)
  if (found.split || found.nameForm === 0) return null
  const text = (at: number, form: number) =>
    readString(cursorOver(info.bytes, at, unit.known), form, unit, sections, found.strOffsetsBase)
  return {
    name: text(found.name, found.nameForm),
    directory: found.directoryForm === 0 ? '' : text(found.directory, found.directoryForm),
  }
}

/** A cursor on the attributes that the abbreviation `wanted` lists; null when it is not one of a compile unit. */
function findDeclaration(bytes: Uint8Array, unit: Unit, sections: DwarfSections, wanted: number): Cursor | null {
  const table = openSection(bytes, sections.abbrev)
  take(table, unit.abbreviations)
  table.end = Math.min(table.end, table.at + MAX_ABBREVIATIONS)
  for (;;) {
    const code = readUleb(table)
    if (code === 0) return null
    const tag = readUleb(table)
    take(table, 1)
    if (code === wanted) return tag === dw.DW_TAG_compile_unit ? table : null
    skipAttributes(table)
  }
}

function skipAttributes(table: Cursor): void {
  for (;;) {
    const attribute = readUleb(table)
    const form = readUleb(table)
    if (attribute === 0 && form === 0) return
    if (form === dw.DW_FORM_implicit_const) skipLeb(table)
  }
}

/** The first attribute of a kind counts. */
function readAttributes(entry: Cursor, declaration: Cursor, unit: Unit): UnitAttributes {
  const found: UnitAttributes = {
    name: 0,
    nameForm: 0,
    directory: 0,
    directoryForm: 0,
    strOffsetsBase: defaultStrOffsetsBase(unit),
    split: false,
  }
  for (;;) {
    const attribute = readUleb(declaration)
    let form = readUleb(declaration)
    if (attribute === 0 && form === 0) return found
    if (form === dw.DW_FORM_implicit_const) skipLeb(declaration)
    while (form === dw.DW_FORM_indirect) form = readIndirectForm(entry)
    noteAttribute(found, attribute, form, entry, unit)
    skipForm(entry, form, unit)
  }
}

/** A form in the entry itself has no room for an implicit constant. */
function readIndirectForm(entry: Cursor): number {
  const form = readUleb(entry)
  if (form !== dw.DW_FORM_implicit_const) return form
  throw new FormatError('dwarf-form', 'expected a form with a value, got DW_FORM_implicit_const', entry.at)
}

function noteAttribute(found: UnitAttributes, attribute: number, form: number, entry: Cursor, unit: Unit): void {
  if (attribute === dw.DW_AT_name && found.nameForm === 0) {
    found.name = entry.at
    found.nameForm = form
  } else if (attribute === dw.DW_AT_comp_dir && found.directoryForm === 0) {
    found.directory = entry.at
    found.directoryForm = form
  } else if (attribute === dw.DW_AT_str_offsets_base) {
    found.strOffsetsBase = readNumber(cursorOver(entry.bytes, entry.at, entry.end), form, unit)
  } else if (attribute === dw.DW_AT_dwo_name || attribute === dw.DW_AT_GNU_dwo_name) {
    found.split = true
  }
}

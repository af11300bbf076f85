import { FormatError } from '../../core/bytes.ts'
import { type Cursor, cursorOver, readByte, readUleb, skipCstring } from '../dyld/cursor.ts'
import { isAbsolutePath } from './compileUnit.ts'
import * as dw from './constants.ts'
import { defaultStrOffsetsBase, readNumber, readString, skipForm, skipLeb } from './forms.ts'
import { findLineRow, type LineTable, readLineTable } from './lineTable.ts'
import { type ByteRange, type DwarfSections, openSection, orNull, stringAt } from './sections.ts'

/** `file` as the table has it: with the table's directory unless absolute. A line of 0 is code without a line. */
export type SourceLine = { file: string; line: number }

/** Tables behind this much of __debug_line are not searched: a message is not worth more time. */
const MAX_LINE_BYTES = 1 << 24

/** A file entry before its directory is put in front. */
type FileEntry = { name: string; directory: number }

/**
 * File and line of the code at `address`, an address of the object (section address included), from __debug_line, versions 2 to 5.
 * Null when no table covers it (data, or no -g) or the tables are malformed; throws FormatError `dwarf-bounds` when a section lies
 * outside `bytes`. Time is linear in the size of the section, of which 16 MiB are read at most. Source: DWARF 5, section 6.2.
 */
export function sourceLine(
  bytes: Uint8Array,
  sections: DwarfSections & { readonly line: ByteRange },
  address: number,
): SourceLine | null {
  const section = openSection(bytes, sections.line)
  const limit = section.at + MAX_LINE_BYTES
  for (const range of [sections.str, sections.lineStr, sections.strOffsets]) openSection(bytes, range)
  return orNull(() => {
    while (section.at < section.end) {
      const table = readLineTable(section)
      if (section.at > limit) return null
      if (table === null || !isPlain(table)) continue
      const row = findLineRow(bytes, table, address)
      if (row === null) continue
      const file = filePath(bytes, table, sections, row.file, row.definedFiles)
      return file === null ? null : { file, line: row.line }
    }
    return null
  })
}

/** Several operations in an instruction are for VLIW machines; a line range of zero makes no rows. */
function isPlain({ maxOperations, lineRange }: LineTable): boolean {
  return maxOperations <= 1 && lineRange > 0
}

function filePath(
  bytes: Uint8Array,
  table: LineTable,
  sections: DwarfSections,
  file: number,
  definedFiles: readonly number[],
): string | null {
  const tables = cursorOver(bytes, table.files, table.program)
  if (table.version < 5) return oldFilePath(tables, table, file, definedFiles)
  const directories = cursorOver(bytes, tables.at, tables.end)
  readEntry(tables, table, sections, -1)
  const entry = readEntry(tables, table, sections, file)
  if (entry === null) return null
  return joinPath(readEntry(directories, table, sections, entry.directory)?.name ?? '', entry.name)
}

/** Path of a file of versions 2 to 4; files and directories count from 1, directory 0 is the unit's and not named. */
function oldFilePath(tables: Cursor, table: LineTable, file: number, definedFiles: readonly number[]): string | null {
  const directories = cursorOver(tables.bytes, tables.at, tables.end)
  while (readByte(tables) !== 0) skipCstring(tables)
  let left = file
  while (left > 1 && tables.bytes[tables.at] !== 0) {
    skipOldEntry(tables)
    left--
  }
  if (left < 1) return null
  let entry = tables
  if (readByte(tables) === 0) {
    const defined = definedFiles[left - 1]
    if (defined === undefined) return null
    entry = cursorOver(tables.bytes, defined, table.end)
  } else tables.at--
  const name = stringAt(entry.bytes, entry.at, entry.end)
  skipCstring(entry)
  return joinPath(oldDirectory(directories, readUleb(entry)), name)
}

function skipOldEntry(tables: Cursor): void {
  skipCstring(tables)
  for (let field = 0; field < 3; field++) skipLeb(tables)
}

function oldDirectory(directories: Cursor, index: number): string {
  if (index === 0) return ''
  for (let left = index; left > 1; left--) {
    if (directories.bytes[directories.at] === 0) return ''
    skipCstring(directories)
  }
  return stringAt(directories.bytes, directories.at, directories.end)
}

/**
 * The entry `wanted` of a table of version 5 (from 0; null when there is none), or none at all for -1, which leaves the cursor
 * behind the table. Forms take a byte or more each, so that the work is bounded by the bytes.
 */
function readEntry(tables: Cursor, table: LineTable, sections: DwarfSections, wanted: number): FileEntry | null {
  const formats: number[] = []
  for (let left = readByte(tables) * 2; left > 0; left--) formats.push(readUleb(tables))
  const count = readUleb(tables)
  if (formats.length === 0 && count > 0)
    throw new FormatError('dwarf-format', `${count} entries without a format`, tables.at)
  const entry: FileEntry = { name: '', directory: 0 }
  if (wanted >= count) return null
  for (let i = 0; i < count; i++) {
    for (let f = 0; f < formats.length; f += 2) {
      const form = formats[f + 1]
      if (i !== wanted) skipEntryForm(tables, form, table)
      else if (formats[f] === dw.DW_LNCT_path)
        entry.name = readString(tables, form, table, sections, defaultStrOffsetsBase(table))
      else if (formats[f] === dw.DW_LNCT_directory_index) entry.directory = readNumber(tables, form, table)
      else skipEntryForm(tables, form, table)
    }
    if (i === wanted) return entry
  }
  return null
}

function skipEntryForm(tables: Cursor, form: number, table: LineTable): void {
  const start = tables.at
  skipForm(tables, form, table)
  if (tables.at === start) throw new FormatError('dwarf-form', `form 0x${form.toString(16)} has no bytes`, start)
}

/** Directories of version 5 start with the unit's own, so that paths are absolute there; an absolute name stands alone. */
function joinPath(directory: string, name: string): string {
  if (directory === '' || isAbsolutePath(name)) return name
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`
}

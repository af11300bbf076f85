// DWARF of the synthetic objects: one compile unit with name and directory, and about as many other bytes as clang -g writes.
import * as C from '../../src/formats/macho/constants.ts'
import { addSection, type ObjectFile } from './objectFile.ts'

const DW_TAG_COMPILE_UNIT = 0x11
const DW_AT_NAME = 0x03
const DW_AT_COMP_DIR = 0x1b
const DW_FORM_STRING = 0x08
/** DWARF bytes for each byte of code. */
const BULK = 4

// .debug_abbrev: code | tag | children | (attribute, form)* | 0 0 | 0
const ABBREVIATIONS = [1, DW_TAG_COMPILE_UNIT, 0, DW_AT_NAME, DW_FORM_STRING, DW_AT_COMP_DIR, DW_FORM_STRING, 0, 0, 0]

/** Adds the sections behind all others; `unit` names the source file, less its ending. */
export function addDebugInfo(object: ObjectFile, unit: string, codeSize: number): void {
  const abbreviations = addSection(object, '__DWARF', '__debug_abbrev', C.S_ATTR_DEBUG, 0)
  for (const byte of ABBREVIATIONS) abbreviations.bytes.u8(byte)
  const { bytes } = addSection(object, '__DWARF', '__debug_info', C.S_ATTR_DEBUG, 0)
  const [name, directory] = [`${unit}.cpp`, '/src/bench']
  // .debug_info: length:32 | version:16 | abbreviations:32 | address size:8 | the unit's entry
  bytes.u32(2 + 4 + 1 + 1 + name.length + 1 + directory.length + 1)
  bytes.u16(4)
  bytes.u32(0)
  bytes.u8(8)
  bytes.u8(1)
  bytes.cstring(name)
  bytes.cstring(directory)
  const strings = addSection(object, '__DWARF', '__debug_str', C.S_ATTR_DEBUG, 0)
  for (let i = 0; strings.bytes.length < BULK * codeSize; i++) strings.bytes.cstring(`${unit}::member_${i}`)
}

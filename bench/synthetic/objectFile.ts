// Writes a relocatable Mach-O as clang lays it out: sections, relocations back to front, locals before externals before undefined.
import { alignUp } from '../../src/core/align.ts'
import { ByteSink, readU32, readU64, writeU32, writeU64 } from '../../src/core/bytes.ts'
import * as C from '../../src/formats/macho/constants.ts'
import type { Arch } from '../../src/types.ts'

// Layout of `relocations`, four numbers each:
//   offset in the section | symbol id, or section number when not external | length:2 << 1, pcrel:1, extern:1 << 3, type:4 << 4 | addend
export const R_PCREL = 1
export const R_WORD = 2 << 1
export const R_QUAD = 3 << 1
export const R_EXTERN = 8
const R_TYPE_SHIFT = 4
const RELOCATION_NUMBERS = 4

/** What a symbol is; the order is that of the symbol table. */
export const LOCAL = 0
export const GLOBAL = 1
export const PRIVATE = 2
export const UNDEFINED = 3

const BUILD_VERSION_SIZE = 24
const SYMTAB_SIZE = 24
const DYSYMTAB_SIZE = 80
const MACOS_13 = 0x000d0000
const X86_NOP = 0x90

export interface ObjectSection {
  segment: string
  name: string
  flags: number
  /** log2. */
  align: number
  bytes: ByteSink
  /** Size of a zerofill section. */
  zerofill: number
  relocations: number[]
  /** Offsets of 8-byte fields that hold an address and become its distance from the field (__eh_frame). */
  selfRelative: number[]
}

/** One object being made. Symbols are columns, sections are numbered from 1 in the order of `sections`. */
export interface ObjectFile {
  arch: Arch
  sections: ObjectSection[]
  strings: ByteSink
  names: number[]
  kinds: number[]
  sectionOf: number[]
  values: number[]
  descriptions: number[]
}

export function createObject(arch: Arch): ObjectFile {
  const strings = new ByteSink(4096)
  strings.u8(0)
  return { arch, sections: [], strings, names: [], kinds: [], sectionOf: [], values: [], descriptions: [] }
}

export function addSection(
  object: ObjectFile,
  segment: string,
  name: string,
  flags: number,
  align: number,
): ObjectSection {
  const bytes = new ByteSink(256)
  const section = { segment, name, flags, align, bytes, zerofill: 0, relocations: [], selfRelative: [] }
  object.sections.push(section)
  return section
}

/** Returns the id of the symbol; `section` is a number from 1, `value` an offset in it. */
export function addSymbol(object: ObjectFile, name: string, kind: number, section = 0, value = 0, desc = 0): number {
  object.names.push(object.strings.length)
  object.strings.cstring(name)
  object.kinds.push(kind)
  object.sectionOf.push(section)
  object.values.push(value)
  object.descriptions.push(desc)
  return object.names.length - 1
}

/** A relocation at the end of what the section holds so far. */
export function relocate(section: ObjectSection, target: number, bits: number, type: number, addend = 0): void {
  section.relocations.push(section.bytes.length, target, bits | (type << R_TYPE_SHIFT), addend)
}

interface Layout {
  addresses: number[]
  size: number
  /** File bytes of the sections: all but zerofill at the end. */
  fileSize: number
}

function sizeOf(section: ObjectSection): number {
  return section.zerofill > 0 ? section.zerofill : section.bytes.length
}

function layOut(sections: readonly ObjectSection[]): Layout {
  const layout: Layout = { addresses: [], size: 0, fileSize: 0 }
  for (const section of sections) {
    const address = alignUp(layout.size, 1 << section.align)
    layout.addresses.push(address)
    layout.size = address + sizeOf(section)
    if (section.zerofill === 0) layout.fileSize = layout.size
  }
  return layout
}

/** What is not external holds an offset in its target section until the addresses are known. */
function resolveSections(sections: readonly ObjectSection[], addresses: readonly number[]): void {
  for (let s = 0; s < sections.length; s++) {
    const { bytes, relocations, selfRelative } = sections[s]
    for (let r = 0; r < relocations.length; r += RELOCATION_NUMBERS) {
      const bits = relocations[r + 2]
      if ((bits & R_EXTERN) !== 0) continue
      const at = relocations[r]
      const base = addresses[relocations[r + 1] - 1]
      if ((bits & R_PCREL) !== 0) writeU32(bytes.bytes, at, base + readU32(bytes.bytes, at) - (addresses[s] + at + 4))
      else writeU64(bytes.bytes, at, base + readU64(bytes.bytes, at))
    }
    for (const at of selfRelative) writeU64(bytes.bytes, at, readU64(bytes.bytes, at) - (addresses[s] + at))
  }
}

interface SymbolOrder {
  /** Final index by symbol id. */
  index: Uint32Array
  locals: number
  externals: number
  undefined: number
}

function orderSymbols(object: ObjectFile): SymbolOrder {
  const counts = [0, 0, 0]
  const group = (kind: number) => (kind === LOCAL ? 0 : kind === UNDEFINED ? 2 : 1)
  for (const kind of object.kinds) counts[group(kind)]++
  const next = [0, counts[0], counts[0] + counts[1]]
  const index = new Uint32Array(object.kinds.length)
  for (let s = 0; s < index.length; s++) index[s] = next[group(object.kinds[s])]++
  return { index, locals: counts[0], externals: counts[1], undefined: counts[2] }
}

/** Relocation records of a section with the ADDEND that goes before a pair. */
function countRecords(section: ObjectSection): number {
  const { relocations } = section
  let count = relocations.length / RELOCATION_NUMBERS
  for (let r = 3; r < relocations.length; r += RELOCATION_NUMBERS) if (relocations[r] !== 0) count++
  return count
}

function writeRelocations(out: ByteSink, section: ObjectSection, index: Uint32Array): void {
  const { relocations } = section
  for (let r = relocations.length - RELOCATION_NUMBERS; r >= 0; r -= RELOCATION_NUMBERS) {
    const bits = relocations[r + 2]
    const addend = relocations[r + 3]
    if (addend !== 0) writeRecord(out, relocations[r], addend, R_WORD | (C.ARM64_RELOC_ADDEND << R_TYPE_SHIFT))
    const target = relocations[r + 1]
    writeRecord(out, relocations[r], (bits & R_EXTERN) !== 0 ? index[target] : target, bits)
  }
}

// struct relocation_info: r_address | r_symbolnum:24 r_pcrel:1 r_length:2 r_extern:1 r_type:4
function writeRecord(out: ByteSink, at: number, symbol: number, bits: number): void {
  out.u32(at)
  out.u32(((symbol & 0xffffff) | ((bits & 0xff) << 24)) >>> 0)
}

function fixed(out: ByteSink, name: string): void {
  const end = out.length + 16
  for (let i = 0; i < name.length; i++) out.u8(name.charCodeAt(i))
  while (out.length < end) out.u8(0)
}

function words(out: ByteSink, ...values: number[]): void {
  for (const value of values) out.u32(value)
}

function writeSegment(out: ByteSink, object: ObjectFile, layout: Layout, dataAt: number, relocationsAt: number): void {
  const { sections } = object
  words(out, C.LC_SEGMENT_64, C.SEGMENT_COMMAND_SIZE + C.SECTION_SIZE * sections.length)
  fixed(out, '')
  for (const value of [0, layout.size, dataAt, layout.fileSize]) out.u64(value)
  words(out, 7, 7, sections.length, 0)
  for (let s = 0; s < sections.length; s++) {
    const section = sections[s]
    const records = countRecords(section)
    fixed(out, section.name)
    fixed(out, section.segment)
    out.u64(layout.addresses[s])
    out.u64(sizeOf(section))
    words(out, section.zerofill > 0 ? 0 : dataAt + layout.addresses[s], section.align)
    words(out, records > 0 ? relocationsAt : 0, records, section.flags, 0, 0, 0)
    relocationsAt += records * C.RELOCATION_SIZE
  }
}

function writeSections(out: ByteSink, object: ObjectFile, layout: Layout, dataAt: number): void {
  for (let s = 0; s < object.sections.length; s++) {
    const section = object.sections[s]
    if (section.zerofill > 0) continue
    while (out.length < dataAt + layout.addresses[s]) out.u8(0)
    out.append(section.bytes.finish())
  }
}

// struct nlist_64: n_strx:32 n_type:8 n_sect:8 n_desc:16 n_value:64
function writeSymbols(out: ByteSink, object: ObjectFile, layout: Layout, index: Uint32Array): void {
  const start = out.length
  out.reserve(index.length * C.NLIST_SIZE)
  const { bytes } = out
  for (let s = 0; s < index.length; s++) {
    const at = start + index[s] * C.NLIST_SIZE
    const section = object.sectionOf[s]
    const kind = object.kinds[s]
    writeU32(bytes, at, object.names[s])
    bytes[at + 4] = TYPES[kind]
    bytes[at + 5] = section
    bytes[at + 6] = object.descriptions[s]
    bytes[at + 7] = object.descriptions[s] >> 8
    writeU64(bytes, at + 8, section === 0 ? 0 : layout.addresses[section - 1] + object.values[s])
  }
  out.length += index.length * C.NLIST_SIZE
}

/** n_type by kind. */
const TYPES = [C.N_SECT, C.N_SECT | C.N_EXT, C.N_SECT | C.N_EXT | C.N_PEXT, C.N_UNDF | C.N_EXT]

/** Bytes that stand between functions: no-operations on x86_64; arm64 functions need none. */
export function alignCode(arch: Arch, text: ObjectSection): void {
  if (arch === 'arm64') return
  while (text.bytes.length % 16 !== 0) text.bytes.u8(X86_NOP)
}

/** The file's bytes. Sections without content must not have been added; a zerofill section that is not the last leaves a hole. The object is used up. */
export function finishObject(object: ObjectFile): Uint8Array {
  const { arch, sections, strings } = object
  const layout = layOut(sections)
  resolveSections(sections, layout.addresses)
  const order = orderSymbols(object)
  const segment = C.SEGMENT_COMMAND_SIZE + C.SECTION_SIZE * sections.length
  const commands = segment + BUILD_VERSION_SIZE + SYMTAB_SIZE + DYSYMTAB_SIZE
  const dataAt = C.HEADER_SIZE + commands
  const relocationsAt = alignUp(dataAt + layout.fileSize, 8)
  const records = sections.reduce((sum, section) => sum + countRecords(section), 0)
  const symbolsAt = relocationsAt + records * C.RELOCATION_SIZE
  const stringsAt = symbolsAt + order.index.length * C.NLIST_SIZE
  strings.alignTo(8)

  const out = new ByteSink(stringsAt + strings.length)
  const cpu =
    arch === 'arm64' ? [C.CPU_TYPE_ARM64, C.CPU_SUBTYPE_ARM64_ALL] : [C.CPU_TYPE_X86_64, C.CPU_SUBTYPE_X86_64_ALL]
  words(out, C.MH_MAGIC_64, ...cpu, C.MH_OBJECT, 4, commands, C.MH_SUBSECTIONS_VIA_SYMBOLS, 0)
  writeSegment(out, object, layout, dataAt, relocationsAt)
  words(out, C.LC_BUILD_VERSION, BUILD_VERSION_SIZE, C.PLATFORM_MACOS, MACOS_13, 0, 0)
  words(out, C.LC_SYMTAB, SYMTAB_SIZE, symbolsAt, order.index.length, stringsAt, strings.length)
  const defined = order.locals + order.externals
  words(out, C.LC_DYSYMTAB, DYSYMTAB_SIZE, 0, order.locals, order.locals, order.externals, defined, order.undefined)
  for (let i = 0; i < 12; i++) out.u32(0)
  writeSections(out, object, layout, dataAt)
  while (out.length < relocationsAt) out.u8(0)
  for (const section of sections) writeRelocations(out, section, order.index)
  writeSymbols(out, object, layout, order.index)
  out.append(strings.finish())
  return out.finish()
}

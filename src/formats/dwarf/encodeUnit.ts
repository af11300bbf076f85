// DWARF 4 for functions of one source file: a unit, its line table and its ranges, each complete but for where the others stand.
import { ByteSink, fromText } from '../../core/bytes.ts'
import { sizeClass } from '../../core/sizeClass.ts'
import * as dw from './constants.ts'

/** `lines`: three numbers a row, in the order of offsets: offset in the function, line, column (0: none). */
export interface DebugFunction {
  /** As in the symbol table. */
  name: string
  external: boolean
  address: number
  size: number
  lines: Uint32Array
}

/**
 * `linesAt` and `rangesAt`: where 4 bytes of `info` say at which offset of their sections the others stand; UNIT_AT: where those of
 * `addresses` say it of `info`.
 */
export interface EncodedUnit {
  info: Uint8Array
  lines: Uint8Array
  ranges: Uint8Array
  /** Of .debug_aranges. */
  addresses: Uint8Array
  linesAt: number
  rangesAt: number
}

export const UNIT_AT = 6
const VERSION = 4
const ADDRESSES_VERSION = 2
const ADDRESS_SIZE = 8
const [UNIT, EXTERNAL_FUNCTION, LOCAL_FUNCTION] = [1, 2, 3]
const LINE_BASE = -5
const LINE_RANGE = 14
/** Operands of the standard opcodes from 1 on. */
const LENGTHS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]
const OPCODE_BASE = LENGTHS.length + 1

const FUNCTION: readonly (readonly [number, number])[] = [
  [dw.DW_AT_name, dw.DW_FORM_string],
  [dw.DW_AT_linkage_name, dw.DW_FORM_string],
  [dw.DW_AT_low_pc, dw.DW_FORM_addr],
  [dw.DW_AT_high_pc, dw.DW_FORM_data4],
  [dw.DW_AT_decl_file, dw.DW_FORM_data1],
  [dw.DW_AT_decl_line, dw.DW_FORM_data4],
]

/** The abbreviations (.debug_abbrev) of all units. */
export function encodeAbbreviations(): Uint8Array {
  const sink = new ByteSink()
  abbreviation(sink, UNIT, dw.DW_TAG_compile_unit, true, [
    [dw.DW_AT_producer, dw.DW_FORM_strp],
    [dw.DW_AT_language, dw.DW_FORM_data2],
    [dw.DW_AT_name, dw.DW_FORM_strp],
    [dw.DW_AT_stmt_list, dw.DW_FORM_sec_offset],
    [dw.DW_AT_low_pc, dw.DW_FORM_addr],
    [dw.DW_AT_ranges, dw.DW_FORM_sec_offset],
  ])
  const external = [dw.DW_AT_external, dw.DW_FORM_flag_present] as const
  abbreviation(sink, EXTERNAL_FUNCTION, dw.DW_TAG_subprogram, false, [...FUNCTION, external])
  abbreviation(sink, LOCAL_FUNCTION, dw.DW_TAG_subprogram, false, FUNCTION)
  sink.u8(0)
  return sink.finish()
}

function abbreviation(
  sink: ByteSink,
  code: number,
  tag: number,
  children: boolean,
  attributes: readonly (readonly [number, number])[],
): void {
  sink.uleb(code)
  sink.uleb(tag)
  sink.u8(children ? 1 : 0)
  for (const [attribute, form] of [...attributes, [0, 0]]) {
    sink.uleb(attribute)
    sink.uleb(form)
  }
}

/**
 * `path` stands at `name` of .debug_str, and the producer at `producer`; functions are in the order of addresses. Other lines and
 * addresses of the same functions seldom make a unit of other sizes.
 */
export function encodeUnit(
  path: string,
  name: number,
  producer: number,
  functions: readonly DebugFunction[],
): EncodedUnit {
  const sink = new ByteSink()
  sink.u32(0)
  sink.u16(VERSION)
  sink.u32(0)
  sink.u8(ADDRESS_SIZE)
  sink.uleb(UNIT)
  sink.u32(producer)
  sink.u16(dw.DW_LANG_C99)
  sink.u32(name)
  const linesAt = sink.length
  sink.u32(0)
  sink.u64(0)
  const rangesAt = sink.length
  sink.u32(0)
  for (const one of functions) appendFunction(sink, one)
  sink.u8(0)
  return {
    info: withLength(sink),
    lines: encodeLines(path, functions),
    ranges: encodeRanges(functions),
    addresses: encodeAddresses(functions),
    linesAt,
    rangesAt,
  }
}

function withLength(sink: ByteSink): Uint8Array {
  const bytes = sink.finish()
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, bytes.length - 4, true)
  return bytes
}

function appendFunction(sink: ByteSink, { name, external, address, size, lines }: DebugFunction): void {
  sink.uleb(external ? EXTERNAL_FUNCTION : LOCAL_FUNCTION)
  // As compilers have it: without the underscore that Mach-O puts before names. By the second one debuggers demangle.
  const plain = name.startsWith('_') ? name.slice(1) : name
  sink.cstring(plain)
  sink.cstring(plain)
  sink.u64(address)
  sink.u32(size)
  sink.u8(1)
  sink.u32(lines[1])
}

function encodeRanges(functions: readonly DebugFunction[]): Uint8Array {
  const sink = new ByteSink((functions.length + 1) * 2 * ADDRESS_SIZE)
  for (const { address, size } of functions) {
    sink.u64(address)
    sink.u64(address + size)
  }
  sink.u64(0)
  sink.u64(0)
  return sink.finish()
}

/** Pairs begin at a multiple of their size. */
function encodeAddresses(functions: readonly DebugFunction[]): Uint8Array {
  const sink = new ByteSink()
  sink.u32(0)
  sink.u16(ADDRESSES_VERSION)
  sink.u32(0)
  sink.u8(ADDRESS_SIZE)
  sink.u8(0)
  sink.u32(0)
  for (const { address, size } of functions) {
    sink.u64(address)
    sink.u64(size)
  }
  sink.u64(0)
  sink.u64(0)
  return withLength(sink)
}

function encodeLines(path: string, functions: readonly DebugFunction[]): Uint8Array {
  const sink = new ByteSink()
  sink.u32(0)
  sink.u16(VERSION)
  sink.u32(0)
  const start = sink.length
  for (const byte of [1, 1, 1, LINE_BASE & 255, LINE_RANGE, OPCODE_BASE, ...LENGTHS]) sink.u8(byte)
  const slash = path.lastIndexOf('/')
  if (slash > 0) sink.cstring(path.slice(0, slash))
  sink.u8(0)
  sink.cstring(path.slice(slash > 0 ? slash + 1 : 0))
  for (const number of [slash > 0 ? 1 : 0, 0, 0]) sink.uleb(number)
  sink.u8(0)
  const program = sink.length
  for (const one of functions) appendSequence(sink, one)
  // No row follows, so that what the opcode says of one is void.
  for (const end = sizeClass(sink.length + 1, 2, 64); sink.length < end; ) sink.u8(dw.DW_LNS_set_basic_block)
  const bytes = withLength(sink)
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(start - 4, program - start, true)
  return bytes
}

function appendSequence(sink: ByteSink, { address, size, lines }: DebugFunction): void {
  extended(sink, dw.DW_LNE_set_address, 1 + ADDRESS_SIZE)
  sink.u64(address)
  let [at, line, column] = [0, 1, 0]
  for (let i = 0; i < lines.length; i += 3) {
    if (lines[i + 2] !== column) {
      sink.u8(dw.DW_LNS_set_column)
      sink.uleb(lines[i + 2])
    }
    appendRow(sink, lines[i] - at, lines[i + 1] - line)
    at = lines[i]
    line = lines[i + 1]
    column = lines[i + 2]
  }
  sink.u8(dw.DW_LNS_advance_pc)
  sink.uleb(size - at)
  extended(sink, dw.DW_LNE_end_sequence, 1)
}

function extended(sink: ByteSink, opcode: number, length: number): void {
  sink.u8(0)
  sink.uleb(length)
  sink.u8(opcode)
}

/** Most rows are one byte, which says how far both go on. */
function appendRow(sink: ByteSink, distance: number, lines: number): void {
  if (lines >= LINE_BASE && lines < LINE_BASE + LINE_RANGE) {
    const special = lines - LINE_BASE + LINE_RANGE * distance + OPCODE_BASE
    if (special <= 255) return sink.u8(special)
  }
  sink.u8(dw.DW_LNS_advance_line)
  sink.sleb(lines)
  sink.u8(dw.DW_LNS_advance_pc)
  sink.uleb(distance)
  sink.u8(dw.DW_LNS_copy)
}

/** Strings of .debug_str, each with its NUL. */
export function encodeStrings(texts: readonly string[]): Uint8Array {
  const sink = new ByteSink()
  for (const text of texts) {
    sink.append(fromText(text))
    sink.u8(0)
  }
  return sink.finish()
}

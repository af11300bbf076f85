import * as C from '../../src/formats/macho/constants.ts'

// A reader of Mach-O objects and images of its own, so that what it finds does not lean on the linker's readers.
// Only little-endian 64-bit files. A DataView bounds every access: a damaged file ends in a RangeError.

export interface Section {
  index: number
  segment: string
  name: string
  address: number
  size: number
  offset: number
  align: number
  relocOffset: number
  relocCount: number
  flags: number
  type: number
  reserved1: number
  reserved2: number
}

export interface Segment {
  name: string
  address: number
  size: number
  fileOffset: number
  fileSize: number
  maxprot: number
  initprot: number
  flags: number
  sections: Section[]
}

export interface MachSymbol {
  index: number
  name: string
  type: number
  sect: number
  desc: number
  value: number
}

export interface Command {
  cmd: number
  offset: number
  size: number
}

export interface MachO {
  bytes: Uint8Array
  view: DataView
  cpu: number
  subtype: number
  filetype: number
  flags: number
  commands: Command[]
  segments: Segment[]
  sections: Section[]
  symbols: MachSymbol[]
  indirect: number[]
}

const utf8 = new TextDecoder('utf-8')

/** The text from `offset` to the next NUL or to `end`. */
export function textAt(bytes: Uint8Array, offset: number, end = bytes.length): string {
  let to = offset
  while (to < end && bytes[to] !== 0) to++
  return utf8.decode(bytes.subarray(offset, to))
}

/** The bytes from `offset` to the next NUL or to `end`, one character each: a string literal need not be UTF-8. */
export function bytesText(bytes: Uint8Array, offset: number, end: number): string {
  let to = offset
  while (to < end && bytes[to] !== 0) to++
  return Buffer.from(bytes.buffer, bytes.byteOffset + offset, to - offset).toString('latin1')
}

/** The size of an entry in a section of fixed-size literals, or 0. */
export function literalWidth(type: number): number {
  if (type === C.S_4BYTE_LITERALS) return 4
  return type === C.S_8BYTE_LITERALS ? 8 : type === C.S_16BYTE_LITERALS ? 16 : 0
}

/** A 64-bit field as a number, exact below 2^53. */
export function u64(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true))
}

/** True for sections whose bytes are not in the file. */
export function isZeroFill(type: number): boolean {
  return type === C.S_ZEROFILL || type === C.S_GB_ZEROFILL || type === C.S_THREAD_LOCAL_ZEROFILL
}

/** True for sections whose entries are merged by content. */
export function isLiteral(type: number): boolean {
  return (
    type === C.S_CSTRING_LITERALS ||
    type === C.S_4BYTE_LITERALS ||
    type === C.S_8BYTE_LITERALS ||
    type === C.S_16BYTE_LITERALS
  )
}

function readSection(bytes: Uint8Array, view: DataView, at: number, index: number): Section {
  const word = (offset: number) => view.getUint32(at + offset, true)
  return {
    index,
    name: textAt(bytes, at, at + 16),
    segment: textAt(bytes, at + 16, at + 32),
    address: u64(view, at + 32),
    size: u64(view, at + 40),
    offset: word(48),
    align: word(52),
    relocOffset: word(56),
    relocCount: word(60),
    flags: word(64),
    type: word(64) & C.SECTION_TYPE,
    reserved1: word(68),
    reserved2: word(72),
  }
}

function readSegment(file: MachO, at: number): void {
  const { bytes, view } = file
  const segment: Segment = {
    name: textAt(bytes, at + 8, at + 24),
    address: u64(view, at + 24),
    size: u64(view, at + 32),
    fileOffset: u64(view, at + 40),
    fileSize: u64(view, at + 48),
    maxprot: view.getUint32(at + 56, true),
    initprot: view.getUint32(at + 60, true),
    flags: view.getUint32(at + 68, true),
    sections: [],
  }
  const count = view.getUint32(at + 64, true)
  for (let i = 0; i < count; i++) {
    const where = at + C.SEGMENT_COMMAND_SIZE + i * C.SECTION_SIZE
    segment.sections.push(readSection(bytes, view, where, file.sections.length + i + 1))
  }
  file.segments.push(segment)
  file.sections.push(...segment.sections)
}

function readSymbols(file: MachO, at: number): void {
  const { bytes, view } = file
  const table = view.getUint32(at + 8, true)
  const count = view.getUint32(at + 12, true)
  const strings = view.getUint32(at + 16, true)
  const end = strings + view.getUint32(at + 20, true)
  for (let index = 0; index < count; index++) {
    const entry = table + index * C.NLIST_SIZE
    file.symbols.push({
      index,
      name: textAt(bytes, strings + view.getUint32(entry, true), end),
      type: view.getUint8(entry + 4),
      sect: view.getUint8(entry + 5),
      desc: view.getUint16(entry + 6, true),
      value: u64(view, entry + 8),
    })
  }
}

function readIndirect(file: MachO, at: number): void {
  const table = file.view.getUint32(at + 56, true)
  const count = file.view.getUint32(at + 60, true)
  for (let i = 0; i < count; i++) file.indirect.push(file.view.getUint32(table + i * 4, true))
}

/** True if `bytes` starts as a 64-bit little-endian Mach-O. */
export function isMachO(bytes: Uint8Array): boolean {
  if (bytes.length < C.HEADER_SIZE) return false
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === C.MH_MAGIC_64
}

/** Reads headers, sections, symbols and the indirect table (<mach-o/loader.h>); throws Error if not a 64-bit Mach-O. */
export function readMachO(given: Uint8Array): MachO {
  if (!isMachO(given)) throw new Error('not a 64-bit little-endian mach-o')
  // A Buffer's slice() would share the bytes.
  const bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const word = (offset: number) => view.getUint32(offset, true)
  const file: MachO = {
    bytes,
    view,
    cpu: word(4),
    subtype: word(8),
    filetype: word(12),
    flags: word(24),
    commands: [],
    segments: [],
    sections: [],
    symbols: [],
    indirect: [],
  }
  let at = C.HEADER_SIZE
  for (let i = word(16); i > 0; i--) {
    const cmd = word(at)
    const size = word(at + 4)
    if (size < 8) throw new Error(`load command at ${at} has size ${size}`)
    file.commands.push({ cmd, offset: at, size })
    if (cmd === C.LC_SEGMENT_64) readSegment(file, at)
    else if (cmd === C.LC_SYMTAB) readSymbols(file, at)
    else if (cmd === C.LC_DYSYMTAB) readIndirect(file, at)
    at += size
  }
  return file
}

/** The first load command of a kind, or undefined. */
export function findCommand(file: MachO, ...kinds: number[]): Command | undefined {
  return file.commands.find((command) => kinds.includes(command.cmd))
}

// The header and load commands of an object file (MH_OBJECT), bounds-checked, as plain values. Tables stay where they lie.
import { FormatError, readU32 } from '../../core/bytes.ts'
import * as macho from './constants.ts'

/** Positions are bytes from the start of the buffer; counts and sizes as in the load commands. */
export interface ObjectHeader {
  cputype: number
  cpusubtype: number
  filetype: number
  flags: number
  /** First section_64 and their number. */
  sections: number
  sectionCount: number
  nlist: number
  symbolCount: number
  strings: number
  stringsSize: number
  dataInCode: number
  dataInCodeSize: number
  hints: number
  hintsSize: number
  /** Position of the first LC_LINKER_OPTION (0 none). */
  options: number
  /** LC_BUILD_VERSION or LC_VERSION_MIN_*: platform number and packed versions, 0 when there is none. */
  platform: number
  minVersion: number
  sdkVersion: number
}

/** n_sect counts to 255; what lies beyond has no symbols and is looked through one by one. */
const MAX_SECTIONS = 4096

const VERSION_MIN_PLATFORMS: Record<number, number> = {
  [macho.LC_VERSION_MIN_MACOSX]: macho.PLATFORM_MACOS,
  [macho.LC_VERSION_MIN_IPHONEOS]: macho.PLATFORM_IOS,
  [macho.LC_VERSION_MIN_TVOS]: macho.PLATFORM_TVOS,
  [macho.LC_VERSION_MIN_WATCHOS]: macho.PLATFORM_WATCHOS,
}

/** Texts are made where they are needed: made for every check they took a third of the time of reading headers. */
function fail(id: string, text: string, offset: number): never {
  throw new FormatError(id, text, offset)
}

/**
 * Reads the object at bytes[at, at + size). `at` is a multiple of 8. Every table named is inside the object.
 * Throws FormatError, with the offset from the start of the object. Source: <mach-o/loader.h>.
 */
export function readObjectHeader(bytes: Uint8Array, at: number, size: number): ObjectHeader {
  if (size < macho.HEADER_SIZE)
    fail('truncated-header', `header is truncated: got ${size} bytes, expected ${macho.HEADER_SIZE}`, 0)
  const header = emptyHeader(bytes, at)
  const commands = readU32(bytes, at + 16)
  const commandsSize = readU32(bytes, at + 20)
  if (commandsSize > size - macho.HEADER_SIZE)
    fail('truncated-load-commands', 'load commands extend past the end of the file', 20)
  const end = at + macho.HEADER_SIZE + commandsSize
  let command = at + macho.HEADER_SIZE
  for (let i = 0; i < commands; i++) {
    if (command + 8 > end)
      fail('truncated-load-commands', `load command ${i} of ${commands} extends past sizeofcmds`, command - at)
    const length = readU32(bytes, command + 4)
    // Padding that sizeofcmds counts holds no commands; ld64.lld steps over it.
    if (length === 0 && readU32(bytes, command) === 0) break
    if (length < 8 || length % 4 !== 0 || length > end - command)
      fail('bad-load-command', `load command ${i} has size ${length}`, command - at)
    readCommand(header, bytes, at, size, command, length)
    command += length
  }
  return header
}

function emptyHeader(bytes: Uint8Array, at: number): ObjectHeader {
  return {
    cputype: readU32(bytes, at + 4),
    cpusubtype: readU32(bytes, at + 8),
    filetype: readU32(bytes, at + 12),
    flags: readU32(bytes, at + 24),
    sections: 0,
    sectionCount: 0,
    nlist: 0,
    symbolCount: 0,
    strings: 0,
    stringsSize: 0,
    dataInCode: 0,
    dataInCodeSize: 0,
    hints: 0,
    hintsSize: 0,
    options: 0,
    platform: 0,
    minVersion: 0,
    sdkVersion: 0,
  }
}

function readCommand(
  header: ObjectHeader,
  bytes: Uint8Array,
  at: number,
  size: number,
  command: number,
  length: number,
): void {
  const kind = readU32(bytes, command)
  switch (kind) {
    case macho.LC_SEGMENT_64:
      checkLength(kind, length, macho.SEGMENT_COMMAND_SIZE, command - at)
      return readSegment(header, bytes, at, size, command, length)
    case macho.LC_SYMTAB:
      checkLength(kind, length, 24, command - at)
      return readSymtab(header, bytes, at, size, command)
    case macho.LC_DATA_IN_CODE:
    case macho.LC_LINKER_OPTIMIZATION_HINT: {
      checkLength(kind, length, 16, command - at)
      const offset = readU32(bytes, command + 8)
      const bytesThere = readU32(bytes, command + 12)
      if (offset > size || bytesThere > size - offset)
        fail('table-past-end', 'data in __LINKEDIT extends past the end of the file', command + 8 - at)
      if (kind === macho.LC_DATA_IN_CODE) [header.dataInCode, header.dataInCodeSize] = [at + offset, bytesThere]
      else [header.hints, header.hintsSize] = [at + offset, bytesThere]
      return
    }
    case macho.LC_LINKER_OPTION:
      checkLength(kind, length, 12, command - at)
      if (header.options === 0) header.options = command
      return
    case macho.LC_BUILD_VERSION:
      checkLength(kind, length, 24, command - at)
      header.platform = readU32(bytes, command + 8)
      header.minVersion = readU32(bytes, command + 12)
      header.sdkVersion = readU32(bytes, command + 16)
      return
    default:
      if (VERSION_MIN_PLATFORMS[kind] === undefined) return
      checkLength(kind, length, 16, command - at)
      header.platform = VERSION_MIN_PLATFORMS[kind]
      header.minVersion = readU32(bytes, command + 8)
      header.sdkVersion = readU32(bytes, command + 12)
  }
}

function checkLength(kind: number, length: number, wanted: number, offset: number): void {
  if (length >= wanted) return
  fail(
    'bad-load-command',
    `load command 0x${kind.toString(16)} has size ${length}, expected at least ${wanted}`,
    offset,
  )
}

/** An object has one segment; ld64.lld reads the first and so do we. */
function readSegment(
  header: ObjectHeader,
  bytes: Uint8Array,
  at: number,
  size: number,
  command: number,
  length: number,
): void {
  if (header.sections !== 0) return
  const count = readU32(bytes, command + 64)
  const fitting = Math.floor((length - macho.SEGMENT_COMMAND_SIZE) / macho.SECTION_SIZE)
  if (count > fitting || count > MAX_SECTIONS)
    fail(
      'bad-section-count',
      `segment has ${count} sections, its load command has room for ${fitting}, at most ${MAX_SECTIONS} are possible`,
      command + 64 - at,
    )
  header.sections = command + macho.SEGMENT_COMMAND_SIZE
  header.sectionCount = count
  const room = { contents: size, relocations: size }
  for (let i = 0; i < count; i++) checkSection(bytes, at, size, header.sections + i * macho.SECTION_SIZE, room)
}

/** Sections share no bytes: what they claim together is bounded by the file, and so is all that is made of them. */
interface Room {
  contents: number
  relocations: number
}

function checkSection(bytes: Uint8Array, at: number, size: number, section: number, room: Room): void {
  const type = readU32(bytes, section + 64) & macho.SECTION_TYPE
  const isZeroFill = type === macho.S_ZEROFILL || type === macho.S_THREAD_LOCAL_ZEROFILL || type === macho.S_GB_ZEROFILL
  const sizeHigh = readU32(bytes, section + 44)
  const length = readU32(bytes, section + 40)
  const offset = readU32(bytes, section + 48)
  const here = section - at
  if (readU32(bytes, section + 36) >= 0x200000)
    fail('bad-section-address', 'section address is 2^53 or more', here + 32)
  if (isZeroFill && sizeHigh !== 0) fail('section-too-large', 'zero-fill section is 4 GiB or larger', here + 40)
  if (!isZeroFill && (sizeHigh !== 0 || offset > size || length > size - offset))
    fail(
      'section-past-end',
      `section contents (offset ${offset}, size ${length}) extend past the end of the file`,
      here + 40,
    )
  if (!isZeroFill) room.contents -= length
  if (room.contents < 0)
    fail('sections-overlap', 'contents of sections overlap: together they are larger than the file', here + 40)
  const relocations = readU32(bytes, section + 56)
  const count = readU32(bytes, section + 60)
  if (count === 0) return
  if (isZeroFill) fail('zero-fill-relocations', `zero-fill section has ${count} relocations`, here + 60)
  if (relocations > size || count > (size - relocations) / macho.RELOCATION_SIZE)
    fail(
      'relocations-past-end',
      `relocations (offset ${relocations}, count ${count}) extend past the end of the file`,
      here + 56,
    )
  if (relocations % 4 !== 0)
    fail('misaligned-relocations', `relocations at offset ${relocations} are not 4-byte aligned`, here + 56)
  room.relocations -= count * macho.RELOCATION_SIZE
  if (room.relocations < 0)
    fail('relocations-overlap', 'relocations of sections overlap: together they are larger than the file', here + 56)
}

function readSymtab(header: ObjectHeader, bytes: Uint8Array, at: number, size: number, command: number): void {
  const symbols = readU32(bytes, command + 8)
  const count = readU32(bytes, command + 12)
  const strings = readU32(bytes, command + 16)
  const stringsSize = readU32(bytes, command + 20)
  if (symbols > size || count > (size - symbols) / macho.NLIST_SIZE)
    fail(
      'symbols-past-end',
      `symbol table (offset ${symbols}, count ${count}) extends past the end of the file`,
      command + 8 - at,
    )
  if (count !== 0 && symbols % 4 !== 0)
    fail('misaligned-symbols', `symbol table at offset ${symbols} is not 4-byte aligned`, command + 8 - at)
  if (strings > size || stringsSize > size - strings)
    fail(
      'strings-past-end',
      `string table (offset ${strings}, size ${stringsSize}) extends past the end of the file`,
      command + 16 - at,
    )
  header.nlist = at + symbols
  header.symbolCount = count
  header.strings = at + strings
  header.stringsSize = stringsSize
}

/** The words of each LC_LINKER_OPTION, in order: `-lfoo` or `-framework`, `Foo`. */
export function readLinkerOptions(
  bytes: Uint8Array,
  at: number,
  header: ObjectHeader,
  text: (from: number, to: number) => string,
): string[][] {
  if (header.options === 0) return []
  const all: string[][] = []
  let command = at + macho.HEADER_SIZE
  for (let left = readU32(bytes, at + 16); left > 0; left--) {
    const length = readU32(bytes, command + 4)
    if (length === 0) break
    if (readU32(bytes, command) === macho.LC_LINKER_OPTION) all.push(readWords(bytes, command, at, text))
    command += length
  }
  return all
}

function readWords(
  bytes: Uint8Array,
  command: number,
  at: number,
  text: (from: number, to: number) => string,
): string[] {
  const words: string[] = []
  const end = command + readU32(bytes, command + 4)
  const count = readU32(bytes, command + 8)
  let from = command + 12
  for (let i = 0; i < count; i++) {
    let to = from
    while (to < end && bytes[to] !== 0) to++
    if (to >= end) fail('bad-linker-option', `linker option ${i} of ${count} is not terminated`, command - at)
    words.push(text(from, to))
    from = to + 1
  }
  return words
}

// Header and load commands of a linked 64-bit image as plain values. For signing, checking and tools; the linker reads its inputs elsewhere.
import { FormatError, cstringEnd, fixedName, readU32, readU64, toText } from '../../core/bytes.ts'
import * as C from './constants.ts'

export interface LoadCommand {
  cmd: number
  /** Offset of the command from the header, and its size. */
  at: number
  size: number
}

/** struct section_64. Addresses are exact below 2^53. */
export interface ImageSection {
  name: string
  segment: string
  address: number
  size: number
  offset: number
  align: number
  relocationsAt: number
  relocations: number
  flags: number
  reserved1: number
  reserved2: number
}

/** struct segment_command_64. */
export interface ImageSegment {
  at: number
  name: string
  vmAddress: number
  vmSize: number
  fileOffset: number
  fileSize: number
  maxProtection: number
  initProtection: number
  flags: number
  sections: ImageSection[]
}

export interface ImageDylib {
  cmd: number
  at: number
  name: string
}

/** A table in __LINKEDIT: file offset and size in bytes. */
export interface TableRange {
  offset: number
  size: number
}

export interface ImageDysymtab {
  localIndex: number
  localCount: number
  definedIndex: number
  definedCount: number
  undefinedIndex: number
  undefinedCount: number
  indirectOffset: number
  indirectCount: number
  externalRelocations: number
  localRelocations: number
}

export interface Image {
  /** The image's bytes, from its header to the end of its file or slice; every offset is from here. */
  bytes: Uint8Array
  cpuType: number
  cpuSubtype: number
  fileType: number
  flags: number
  commandsSize: number
  commands: LoadCommand[]
  segments: ImageSegment[]
  /** All sections in load command order: symbol table section n is sections[n - 1]. */
  sections: ImageSection[]
  /** The dylibs it loads: library ordinal n is dylibs[n - 1]. */
  dylibs: ImageDylib[]
  id: ImageDylib | null
  symtab: { symbolOffset: number; symbolCount: number; stringOffset: number; stringSize: number } | null
  dysymtab: ImageDysymtab | null
  dyldInfo: {
    rebase: TableRange
    bind: TableRange
    weakBind: TableRange
    lazyBind: TableRange
    exports: TableRange
  } | null
  /** The commands of struct linkedit_data_command, by command number. */
  tables: Map<number, TableRange>
  uuid: Uint8Array | null
  /** Offset of the entry point in __TEXT, of LC_MAIN. */
  mainOffset: number | null
}

/** Commands whose body is `dataoff`, `datasize` (struct linkedit_data_command). */
const LINKEDIT_DATA: readonly number[] = [
  C.LC_CODE_SIGNATURE,
  C.LC_SEGMENT_SPLIT_INFO,
  C.LC_FUNCTION_STARTS,
  C.LC_DATA_IN_CODE,
  C.LC_DYLIB_CODE_SIGN_DRS,
  C.LC_LINKER_OPTIMIZATION_HINT,
  C.LC_DYLD_EXPORTS_TRIE,
  C.LC_DYLD_CHAINED_FIXUPS,
]

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

/** The smallest valid size of each command that is read here. */
function leastSize(cmd: number): number {
  switch (cmd) {
    case C.LC_SEGMENT_64:
      return C.SEGMENT_COMMAND_SIZE
    case C.LC_SYMTAB:
    case C.LC_UUID:
    case C.LC_MAIN:
      return 24
    case C.LC_DYSYMTAB:
      return 80
    case C.LC_DYLD_INFO:
    case C.LC_DYLD_INFO_ONLY:
      return 48
    default:
      return LINKEDIT_DATA.includes(cmd) ? 16 : 8
  }
}

function readSection(b: Uint8Array, at: number): ImageSection {
  return {
    name: fixedName(b, at),
    segment: fixedName(b, at + 16),
    address: readU64(b, at + 32),
    size: readU64(b, at + 40),
    offset: readU32(b, at + 48),
    align: readU32(b, at + 52),
    relocationsAt: readU32(b, at + 56),
    relocations: readU32(b, at + 60),
    flags: readU32(b, at + 64),
    reserved1: readU32(b, at + 68),
    reserved2: readU32(b, at + 72),
  }
}

function readSegment(b: Uint8Array, at: number, size: number): ImageSegment {
  const count = readU32(b, at + 64)
  if (C.SEGMENT_COMMAND_SIZE + count * C.SECTION_SIZE > size) {
    throw new FormatError('bad-load-command', `LC_SEGMENT_64: ${count} sections do not fit in ${size} bytes`, at)
  }
  const sections: ImageSection[] = []
  for (let i = 0; i < count; i++) sections.push(readSection(b, at + C.SEGMENT_COMMAND_SIZE + i * C.SECTION_SIZE))
  return {
    at,
    name: fixedName(b, at + 8),
    vmAddress: readU64(b, at + 24),
    vmSize: readU64(b, at + 32),
    fileOffset: readU64(b, at + 40),
    fileSize: readU64(b, at + 48),
    maxProtection: readU32(b, at + 56),
    initProtection: readU32(b, at + 60),
    flags: readU32(b, at + 68),
    sections,
  }
}

function readDylib(b: Uint8Array, cmd: number, at: number, size: number): ImageDylib {
  const offset = size < 24 ? size : readU32(b, at + 8)
  if (offset >= size) {
    throw new FormatError('bad-load-command', `dylib command: name at ${hex(offset)} is past its ${size} bytes`, at)
  }
  return { cmd, at, name: toText(b, at + offset, cstringEnd(b, at + offset, at + size)) }
}

function range(b: Uint8Array, at: number): TableRange {
  return { offset: readU32(b, at), size: readU32(b, at + 4) }
}

function readDyldInfo(b: Uint8Array, at: number): NonNullable<Image['dyldInfo']> {
  return {
    rebase: range(b, at + 8),
    bind: range(b, at + 16),
    weakBind: range(b, at + 24),
    lazyBind: range(b, at + 32),
    exports: range(b, at + 40),
  }
}

function readDysymtab(b: Uint8Array, at: number): ImageDysymtab {
  return {
    localIndex: readU32(b, at + 8),
    localCount: readU32(b, at + 12),
    definedIndex: readU32(b, at + 16),
    definedCount: readU32(b, at + 20),
    undefinedIndex: readU32(b, at + 24),
    undefinedCount: readU32(b, at + 28),
    indirectOffset: readU32(b, at + 56),
    indirectCount: readU32(b, at + 60),
    externalRelocations: readU32(b, at + 68),
    localRelocations: readU32(b, at + 76),
  }
}

function readSymtab(b: Uint8Array, at: number): NonNullable<Image['symtab']> {
  const symbols = range(b, at + 8)
  const strings = range(b, at + 16)
  return {
    symbolOffset: symbols.offset,
    symbolCount: symbols.size,
    stringOffset: strings.offset,
    stringSize: strings.size,
  }
}

function readCommand(image: Image, cmd: number, at: number, size: number): void {
  const b = image.bytes
  switch (cmd) {
    case C.LC_SEGMENT_64: {
      const segment = readSegment(b, at, size)
      image.segments.push(segment)
      for (const section of segment.sections) image.sections.push(section)
      break
    }
    case C.LC_SYMTAB:
      image.symtab = readSymtab(b, at)
      break
    case C.LC_DYSYMTAB:
      image.dysymtab = readDysymtab(b, at)
      break
    case C.LC_DYLD_INFO:
    case C.LC_DYLD_INFO_ONLY:
      image.dyldInfo = readDyldInfo(b, at)
      break
    case C.LC_LOAD_DYLIB:
    case C.LC_LOAD_WEAK_DYLIB:
    case C.LC_REEXPORT_DYLIB:
    case C.LC_LOAD_UPWARD_DYLIB:
      image.dylibs.push(readDylib(b, cmd, at, size))
      break
    case C.LC_ID_DYLIB:
      image.id = readDylib(b, cmd, at, size)
      break
    case C.LC_UUID:
      image.uuid = b.subarray(at + 8, at + 24)
      break
    case C.LC_MAIN:
      image.mainOffset = readU64(b, at + 8)
      break
    default:
      if (LINKEDIT_DATA.includes(cmd)) image.tables.set(cmd, range(b, at + 8))
  }
}

function readCommands(image: Image, count: number): void {
  const b = image.bytes
  const end = C.HEADER_SIZE + image.commandsSize
  let at = C.HEADER_SIZE
  for (let i = 0; i < count; i++) {
    const cmd = at + 8 <= end ? readU32(b, at) : 0
    const size = at + 8 <= end ? readU32(b, at + 4) : 0
    if (size < leastSize(cmd) || size > end - at || size % 4 !== 0) {
      const text = `load command ${i} (${hex(cmd)}) has ${size} bytes, ${end - at} are left`
      throw new FormatError('bad-load-command', text, at)
    }
    image.commands.push({ cmd, at, size })
    readCommand(image, cmd, at, size)
    at += size
  }
}

/**
 * Reads the header and the load commands of a 64-bit little-endian Mach-O of any file type. Offsets and sizes that the
 * commands hold are not checked against the file. Throws FormatError: `not-mach-o`, `not-64-bit`, `truncated-header`,
 * `bad-load-command`. Source: <mach-o/loader.h>.
 */
export function readImage(bytes: Uint8Array): Image {
  const magic = bytes.length < 4 ? 0 : readU32(bytes, 0)
  if (magic === C.MH_MAGIC) throw new FormatError('not-64-bit', 'got a 32-bit Mach-O, expected a 64-bit one', 0)
  if (magic !== C.MH_MAGIC_64)
    throw new FormatError('not-mach-o', `got magic ${hex(magic)}, expected ${hex(C.MH_MAGIC_64)}`, 0)
  const commandsSize = bytes.length < C.HEADER_SIZE ? 0 : readU32(bytes, 20)
  if (bytes.length < C.HEADER_SIZE + commandsSize) {
    const text = `got ${bytes.length} bytes, header and load commands need ${C.HEADER_SIZE + commandsSize}`
    throw new FormatError('truncated-header', text, 0)
  }
  const image: Image = {
    bytes,
    cpuType: readU32(bytes, 4),
    cpuSubtype: readU32(bytes, 8),
    fileType: readU32(bytes, 12),
    flags: readU32(bytes, 24),
    commandsSize,
    commands: [],
    segments: [],
    sections: [],
    dylibs: [],
    id: null,
    symtab: null,
    dysymtab: null,
    dyldInfo: null,
    tables: new Map(),
    uuid: null,
    mainOffset: null,
  }
  readCommands(image, readU32(bytes, 16))
  return image
}

export function findSegment(image: Image, name: string): ImageSegment | null {
  return image.segments.find((segment) => segment.name === name) ?? null
}

// What a link needs to know of a dylib, from the binary itself. Stubs (`.tbd`) are read into the same value.
import { cstringEnd, FormatError, readU32, toText } from '../core/bytes.ts'
import type { PackedVersion, PlatformName } from '../types.ts'
import { walkExportTrie } from './dyld/exportTrie.ts'
import {
  addExport,
  createExportTable,
  createExportTableBuilder,
  EXPORT_ABSOLUTE,
  EXPORT_REEXPORT,
  EXPORT_THREAD_LOCAL,
  EXPORT_WEAK,
  type ExportTable,
  type ExportTableBuilder,
} from './exportTable.ts'
import {
  CPU_SUBTYPE_MASK,
  CPU_TYPE_X86_64,
  EXPORT_SYMBOL_FLAGS_KIND_ABSOLUTE,
  EXPORT_SYMBOL_FLAGS_KIND_MASK,
  EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL,
  EXPORT_SYMBOL_FLAGS_REEXPORT,
  EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION,
  HEADER_SIZE,
  LC_BUILD_VERSION,
  LC_DYLD_EXPORTS_TRIE,
  LC_DYLD_INFO,
  LC_DYLD_INFO_ONLY,
  LC_ID_DYLIB,
  LC_LOAD_DYLIB,
  LC_REEXPORT_DYLIB,
  LC_RPATH,
  LC_SEGMENT_64,
  LC_SUB_CLIENT,
  LC_SUB_FRAMEWORK,
  LC_SYMTAB,
  LC_VERSION_MIN_IPHONEOS,
  LC_VERSION_MIN_MACOSX,
  LC_VERSION_MIN_TVOS,
  LC_VERSION_MIN_WATCHOS,
  MH_APP_EXTENSION_SAFE,
  MH_BUNDLE,
  MH_DEAD_STRIPPABLE_DYLIB,
  MH_DYLIB,
  MH_DYLIB_STUB,
  MH_EXECUTE,
  MH_MAGIC_64,
  MH_NO_REEXPORTED_DYLIBS,
  N_ABS,
  N_EXT,
  N_INDR,
  N_PEXT,
  N_STAB,
  N_TYPE,
  N_UNDF,
  N_WEAK_DEF,
  NLIST_SIZE,
  S_THREAD_LOCAL_VARIABLES,
  SECTION_SIZE,
  SECTION_TYPE,
  SEGMENT_COMMAND_SIZE,
} from './macho/constants.ts'
import { platformNumbered } from './tbd/platforms.ts'

export interface DylibPlatform {
  name: PlatformName
  minVersion: PackedVersion
  sdkVersion: PackedVersion
}

/** A dylib, a stub of one, or the executable behind `-bundle_loader`, as plain data. */
export interface DylibFile {
  /** null when the file has none, which only executables and bundles may. */
  installName: string | null
  currentVersion: PackedVersion
  compatibilityVersion: PackedVersion
  /** Platforms that are not known are left out; two in a zippered dylib. */
  platforms: DylibPlatform[]
  exports: ExportTable
  /** Exported `$ld$...` names, which are orders to the linker (applyLdDirectives) and never symbols. */
  directives: string[]
  /** Install names whose exports count as this dylib's; empty under MH_NO_REEXPORTED_DYLIBS. */
  reexports: string[]
  /** LC_LOAD_DYLIB, for `-flat_namespace`; a stub does not tell. */
  dependents: string[]
  rpaths: string[]
  /** Client names that may link a dylib that has an umbrella. */
  allowableClients: string[]
  umbrella: string | null
  appExtensionSafe: boolean
  deadStrippable: boolean
}

/** What one pass over the load commands collects. */
interface Reading {
  bytes: Uint8Array
  from: number
  length: number
  cputype: number
  fileType: number
  dylib: DylibFile
  trieOffset: number
  trieSize: number
  trieCommand: number
  symbolOffset: number
  symbolCount: number
  stringOffset: number
  stringSize: number
  /** Low byte of each section's flags, in order. */
  sectionTypes: number[]
}

const VERSION_MIN_PLATFORMS: Readonly<Record<number, PlatformName>> = {
  [LC_VERSION_MIN_MACOSX]: 'macos',
  [LC_VERSION_MIN_IPHONEOS]: 'ios',
  [LC_VERSION_MIN_TVOS]: 'tvos',
  [LC_VERSION_MIN_WATCHOS]: 'watchos',
}

function fail(id: string, text: string, offset: number): never {
  throw new FormatError(id, text, offset)
}

/** lc_str: a u32 offset in the command at `field`, to text that ends at a NUL or with the command. */
function commandText(reading: Reading, at: number, size: number, field: number): string {
  const offset = size >= field + 4 ? readU32(reading.bytes, reading.from + at + field) : size
  if (offset >= size) fail('dylib-command', 'string of load command extends beyond the command', at)
  const start = reading.from + at + offset
  return toText(reading.bytes, start, cstringEnd(reading.bytes, start, reading.from + at + size))
}

/** The u32 at `field` of the command at `at`. */
function commandWord(reading: Reading, at: number, size: number, field: number): number {
  if (field + 4 > size) fail('dylib-command', `load command of ${size} bytes is too small`, at)
  return readU32(reading.bytes, reading.from + at + field)
}

function readPlatform(reading: Reading, at: number, size: number, command: number): void {
  const isBuild = command === LC_BUILD_VERSION
  let name = isBuild ? platformNumbered(commandWord(reading, at, size, 8)) : VERSION_MIN_PLATFORMS[command]
  // LC_VERSION_MIN_* has no simulators of its own; on an Intel processor only they exist.
  if (!isBuild && name !== 'macos' && reading.cputype === CPU_TYPE_X86_64) name = `${name}-simulator` as PlatformName
  if (name === null) return
  const first = isBuild ? 12 : 8
  reading.dylib.platforms.push({
    name,
    minVersion: commandWord(reading, at, size, first),
    sdkVersion: commandWord(reading, at, size, first + 4),
  })
}

function readTrieCommand(reading: Reading, at: number, size: number, offsetField: number): void {
  if (reading.trieCommand >= 0)
    fail('dylib-exports', 'has both LC_DYLD_INFO_ONLY and LC_DYLD_EXPORTS_TRIE, or one of them twice', at)
  reading.trieCommand = at
  reading.trieOffset = commandWord(reading, at, size, offsetField)
  reading.trieSize = commandWord(reading, at, size, offsetField + 4)
}

/**
 * section_64: char sectname[16], segname[16]; u64 addr, size; u32 offset, align, reloff, nreloc, flags (at 64), ...
 */
function readSectionTypes(reading: Reading, at: number, size: number): void {
  const count = commandWord(reading, at, size, 64)
  if (SEGMENT_COMMAND_SIZE + count * SECTION_SIZE > size)
    fail('dylib-command', 'sections extend beyond their segment command', at)
  for (let i = 0, field = SEGMENT_COMMAND_SIZE + 64; i < count; i++, field += SECTION_SIZE)
    reading.sectionTypes.push(commandWord(reading, at, size, field) & SECTION_TYPE)
}

function readIdentity(reading: Reading, at: number, size: number): void {
  reading.dylib.installName = commandText(reading, at, size, 8)
  reading.dylib.currentVersion = commandWord(reading, at, size, 16)
  reading.dylib.compatibilityVersion = commandWord(reading, at, size, 20)
}

function readSymtabCommand(reading: Reading, at: number, size: number): void {
  reading.symbolOffset = commandWord(reading, at, size, 8)
  reading.symbolCount = commandWord(reading, at, size, 12)
  reading.stringOffset = commandWord(reading, at, size, 16)
  reading.stringSize = commandWord(reading, at, size, 20)
}

function readCommand(reading: Reading, command: number, at: number, size: number): void {
  const { dylib } = reading
  switch (command) {
    case LC_ID_DYLIB:
      return readIdentity(reading, at, size)
    case LC_REEXPORT_DYLIB:
      dylib.reexports.push(commandText(reading, at, size, 8))
      return
    case LC_LOAD_DYLIB:
      dylib.dependents.push(commandText(reading, at, size, 8))
      return
    case LC_RPATH:
      dylib.rpaths.push(commandText(reading, at, size, 8))
      return
    case LC_SUB_CLIENT:
      dylib.allowableClients.push(commandText(reading, at, size, 8))
      return
    case LC_SUB_FRAMEWORK:
      dylib.umbrella = commandText(reading, at, size, 8)
      return
    case LC_BUILD_VERSION:
    case LC_VERSION_MIN_MACOSX:
    case LC_VERSION_MIN_IPHONEOS:
    case LC_VERSION_MIN_TVOS:
    case LC_VERSION_MIN_WATCHOS:
      return readPlatform(reading, at, size, command)
    case LC_DYLD_INFO:
    case LC_DYLD_INFO_ONLY:
      return readTrieCommand(reading, at, size, 40)
    case LC_DYLD_EXPORTS_TRIE:
      return readTrieCommand(reading, at, size, 8)
    case LC_SYMTAB:
      return readSymtabCommand(reading, at, size)
    case LC_SEGMENT_64:
      return readSectionTypes(reading, at, size)
  }
}

/** load_command: u32 cmd, cmdsize; sizes are multiples of 8. */
function readCommands(reading: Reading): void {
  const { bytes, from, length } = reading
  const count = readU32(bytes, from + 16)
  const end = HEADER_SIZE + readU32(bytes, from + 20)
  if (end > length) fail('dylib-commands', 'load commands extend beyond end of file', 20)
  let at = HEADER_SIZE
  for (let i = 0; i < count; i++) {
    const size = at + 8 <= end ? readU32(bytes, from + at + 4) : 0
    if (size < 8 || at + size > end) fail('dylib-commands', 'load command extends beyond the load commands', at)
    readCommand(reading, readU32(bytes, from + at), at, size)
    at += size
  }
}

/** EXPORT_* of the EXPORT_SYMBOL_FLAGS_* of a trie. */
function trieFlags(flags: number): number {
  const kind = flags & EXPORT_SYMBOL_FLAGS_KIND_MASK
  let mapped = 0
  if ((flags & EXPORT_SYMBOL_FLAGS_WEAK_DEFINITION) !== 0) mapped |= EXPORT_WEAK
  if ((flags & EXPORT_SYMBOL_FLAGS_REEXPORT) !== 0) mapped |= EXPORT_REEXPORT
  if (kind === EXPORT_SYMBOL_FLAGS_KIND_THREAD_LOCAL) mapped |= EXPORT_THREAD_LOCAL
  if (kind === EXPORT_SYMBOL_FLAGS_KIND_ABSOLUTE) mapped |= EXPORT_ABSOLUTE
  return mapped
}

/** `$ld$` */
function isDirective(bytes: Uint8Array, at: number, length: number): boolean {
  return length > 4 && bytes[at] === 0x24 && bytes[at + 1] === 0x6c && bytes[at + 2] === 0x64 && bytes[at + 3] === 0x24
}

function addName(
  dylib: DylibFile,
  builder: ExportTableBuilder,
  bytes: Uint8Array,
  from: number,
  length: number,
  flags: number,
): void {
  if (isDirective(bytes, from, length)) dylib.directives.push(toText(bytes, from, from + length))
  else addExport(builder, bytes, from, length, flags)
}

function readTrie(reading: Reading): ExportTable {
  const { trieOffset, trieSize, length, bytes, from, dylib } = reading
  if (trieOffset + trieSize > length)
    fail('dylib-exports', 'export trie extends beyond end of file', reading.trieCommand)
  const builder = createExportTableBuilder(trieSize >>> 4, trieSize * 2)
  const trie = bytes.subarray(from + trieOffset, from + trieOffset + trieSize)
  try {
    walkExportTrie(trie, (name, nameLength, flags) => addName(dylib, builder, name, 0, nameLength, trieFlags(flags)))
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    fail(error.id, error.message, trieOffset + Math.min(error.offset, trieSize))
  }
  return createExportTable(builder)
}

/** nlist_64: u32 n_strx; u8 n_type, n_sect; u16 n_desc; u64 n_value. */
function readSymtab(reading: Reading): ExportTable {
  const { bytes, from, length, symbolOffset, symbolCount, stringOffset, stringSize, dylib } = reading
  if (symbolOffset + symbolCount * NLIST_SIZE > length || stringOffset + stringSize > length)
    fail('dylib-symtab', 'symbol table extends beyond end of file', symbolOffset)
  const builder = createExportTableBuilder(symbolCount, stringSize)
  const stringsEnd = from + stringOffset + stringSize
  for (let i = 0, at = from + symbolOffset; i < symbolCount; i++, at += NLIST_SIZE) {
    const type = bytes[at + 4]
    const kind = type & N_TYPE
    if ((type & (N_STAB | N_PEXT)) !== 0 || (type & N_EXT) === 0 || kind === N_UNDF) continue
    const name = from + stringOffset + readU32(bytes, at)
    if (name >= stringsEnd) fail('dylib-symtab', 'symbol name lies outside the string table', at - from)
    let flags = (bytes[at + 6] & N_WEAK_DEF) !== 0 ? EXPORT_WEAK : 0
    if (kind === N_ABS) flags |= EXPORT_ABSOLUTE
    else if (kind === N_INDR) flags |= EXPORT_REEXPORT
    else if (reading.sectionTypes[bytes[at + 5] - 1] === S_THREAD_LOCAL_VARIABLES) flags |= EXPORT_THREAD_LOCAL
    addName(dylib, builder, bytes, name, cstringEnd(bytes, name, stringsEnd) - name, flags)
  }
  return createExportTable(builder)
}

/** A DylibFile that exports nothing yet. */
export function createDylibFile(): DylibFile {
  return {
    installName: null,
    currentVersion: 0x10000,
    compatibilityVersion: 0x10000,
    platforms: [],
    exports: createExportTable(createExportTableBuilder(0)),
    directives: [],
    reexports: [],
    dependents: [],
    rpaths: [],
    allowableClients: [],
    umbrella: null,
    appExtensionSafe: true,
    deadStrippable: false,
  }
}

/** mach_header_64: u32 magic, cputype, cpusubtype, filetype, ncmds, sizeofcmds, flags, reserved. */
function startReading(bytes: Uint8Array, from: number, to: number): Reading {
  if (to - from < HEADER_SIZE || readU32(bytes, from) !== MH_MAGIC_64)
    fail('not-dylib', 'not a 64-bit little-endian Mach-O file', 0)
  const fileType = readU32(bytes, from + 12)
  if (fileType !== MH_DYLIB && fileType !== MH_DYLIB_STUB && fileType !== MH_EXECUTE && fileType !== MH_BUNDLE)
    fail('not-dylib', `Mach-O file type is ${fileType}, expected a dylib`, 12)
  return {
    bytes,
    from,
    length: to - from,
    cputype: readU32(bytes, from + 4),
    fileType,
    dylib: createDylibFile(),
    trieOffset: 0,
    trieSize: 0,
    trieCommand: -1,
    symbolOffset: 0,
    symbolCount: 0,
    stringOffset: 0,
    stringSize: 0,
    sectionTypes: [],
  }
}

/** Processor of the Mach-O at `from`: what the caller compares before reading on. */
export function dylibCpu(bytes: Uint8Array, from: number): { cputype: number; cpusubtype: number } {
  return { cputype: readU32(bytes, from + 4), cpusubtype: (readU32(bytes, from + 8) & ~CPU_SUBTYPE_MASK) >>> 0 }
}

/**
 * The dylib (MH_DYLIB, MH_DYLIB_STUB), or the executable or bundle of `-bundle_loader`, at bytes[from, to).
 * Exports come from the export trie, or from LC_SYMTAB where there is none (old files and stubs).
 * Throws FormatError `not-dylib`, `dylib-no-id`, `dylib-command(s)`, `dylib-exports`, `dylib-symtab` and those of
 * walkExportTrie; offsets count from `from`.
 */
export function readDylib(bytes: Uint8Array, from = 0, to = bytes.length): DylibFile {
  const reading = startReading(bytes, from, to)
  const { dylib, fileType } = reading
  const flags = readU32(bytes, from + 24)
  readCommands(reading)
  if (dylib.installName === null && (fileType === MH_DYLIB || fileType === MH_DYLIB_STUB))
    fail('dylib-no-id', 'dylib missing LC_ID_DYLIB load command', HEADER_SIZE)
  const hasTrie = reading.trieCommand >= 0 && (reading.trieSize > 0 || fileType !== MH_DYLIB_STUB)
  dylib.exports = hasTrie ? readTrie(reading) : readSymtab(reading)
  if ((flags & MH_NO_REEXPORTED_DYLIBS) !== 0) dylib.reexports = []
  dylib.appExtensionSafe = (flags & MH_APP_EXTENSION_SAFE) !== 0
  dylib.deadStrippable = (flags & MH_DEAD_STRIPPABLE_DYLIB) !== 0
  return dylib
}

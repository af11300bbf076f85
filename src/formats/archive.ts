// Static libraries (`ar`): BSD and Darwin, GNU, and thin. Offsets are u32 from the start of the archive.
import { cstringEnd, FormatError, readU32, readU32be, readU64, toText } from '../core/bytes.ts'

const MAGIC = '!<arch>\n'
const THIN_MAGIC = '!<thin>\n'
const MAGIC_SIZE = 8
/** char name[16], date[12], uid[6], gid[6], mode[8], size[10], fmag[2] = "`\n" */
const MEMBER_HEADER_SIZE = 60
const SPACE = 0x20
const SLASH = 0x2f
const NEWLINE = 0x0a
const NO_TABLE = -1
/** PATH_MAX of Linux, the longest of the hosts' */
const MAX_NAME = 4096
/** How often, on average, a byte of the symbol index may be part of a name: ranlib entries may share their strings. */
const MAX_SHARING = 64

/**
 * The symbol index (`__.SYMDEF`, `/` and their like): a row for each defined symbol.
 *
 * nameOffset, nameLength   u32: the name, without NUL
 * member                   u32: row of the member that defines it
 */
export interface ArchiveIndex {
  count: number
  nameOffset: Uint32Array
  nameLength: Uint32Array
  member: Uint32Array
}

/**
 * An archive in columns, a row for each member that is not a table of the archive itself.
 *
 * headerOffset             u32: of the 60-byte header; ascending
 * offset, size             u32: the data, BSD extended name left out; in a thin archive `offset` is 0 (the data is in
 *                          the file of that name, relative to the archive's directory) and `size` is that file's
 * nameStart, nameLength    u32: the name, padding left out
 * mtime                    f64: seconds
 */
export interface Archive {
  bytes: Uint8Array
  from: number
  thin: boolean
  count: number
  headerOffset: Uint32Array
  offset: Uint32Array
  size: Uint32Array
  nameStart: Uint32Array
  nameLength: Uint32Array
  mtime: Float64Array
  hasIndex: boolean
  index: ArchiveIndex
}

function startsWith(bytes: Uint8Array, at: number, end: number, text: string): boolean {
  if (end - at < text.length) return false
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false
  return true
}

/** Whether bytes[at, end) starts like an archive, thin or not. */
export function isArchive(bytes: Uint8Array, at = 0, end = bytes.length): boolean {
  return startsWith(bytes, at, end, MAGIC) || startsWith(bytes, at, end, THIN_MAGIC)
}

/** Decimal digits padded with spaces; blank is 0, anything else is -1. */
function readDecimal(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  let i = at
  const end = at + width
  while (i < end && bytes[i] >= 0x30 && bytes[i] <= 0x39) value = value * 10 + bytes[i++] - 0x30
  while (i < end && bytes[i] === SPACE) i++
  return i === end ? value : -1
}

/** What one pass over the headers knows; the offsets of the tables count from the archive's start. */
interface Walk {
  bytes: Uint8Array
  from: number
  length: number
  thin: boolean
  namesStart: number
  namesEnd: number
  indexStart: number
  indexEnd: number
  indexKind: 'bsd' | 'bsd64' | 'gnu' | 'gnu64'
  /** Bytes of names the symbol index may still spell. */
  budget: number
  // The member just read:
  dataStart: number
  dataEnd: number
  nameStart: number
  nameLength: number
  isTable: boolean
}

function fail(id: string, text: string, offset: number): never {
  throw new FormatError(id, text, offset)
}

/** `#1/n`: the name is the first n bytes of the data, padded with NULs. */
function takeExtendedName(walk: Walk, header: number): void {
  const { bytes, from } = walk
  const length = readDecimal(bytes, from + header + 3, 13)
  if (length < 0 || walk.dataStart + length > walk.dataEnd)
    fail('archive-name', 'name of archive member extends beyond its data', header)
  walk.nameStart = walk.dataStart
  walk.nameLength = length
  walk.dataStart += length
  while (walk.nameLength > 0 && bytes[from + walk.nameStart + walk.nameLength - 1] === 0) walk.nameLength--
}

/** `/n`: the name stands at n in the `//` table, up to a newline, with a slash before it that is not part of it. */
function takeLongName(walk: Walk, header: number): void {
  const { bytes, from } = walk
  const at = readDecimal(bytes, from + header + 1, 15)
  if (at < 0 || walk.namesStart + at >= walk.namesEnd)
    fail('archive-name', 'name of archive member lies outside the table of long names', header)
  let end = walk.namesStart + at
  walk.nameStart = end
  const limit = Math.min(walk.namesEnd, end + MAX_NAME)
  while (end < limit && bytes[from + end] !== NEWLINE && bytes[from + end] !== 0) end++
  if (end === limit && limit < walk.namesEnd)
    fail('archive-name', `name of archive member is longer than ${MAX_NAME} bytes`, header)
  if (end > walk.nameStart && bytes[from + end - 1] === SLASH) end--
  walk.nameLength = end - walk.nameStart
}

function takeShortName(walk: Walk, header: number): void {
  const { bytes, from } = walk
  let length = 16
  while (length > 0 && bytes[from + header + length - 1] === SPACE) length--
  if (length > 1 && bytes[from + header + length - 1] === SLASH && bytes[from + header] !== SLASH) length--
  walk.nameStart = header
  walk.nameLength = length
}

function nameIs(walk: Walk, text: string): boolean {
  return (
    walk.nameLength === text.length && startsWith(walk.bytes, walk.from + walk.nameStart, walk.from + walk.length, text)
  )
}

function indexKindOf(walk: Walk, header: number): Walk['indexKind'] | null {
  if (nameIs(walk, '/')) return 'gnu'
  if (nameIs(walk, '/SYM64/')) return 'gnu64'
  if (header !== MAGIC_SIZE) return null
  if (nameIs(walk, '__.SYMDEF') || nameIs(walk, '__.SYMDEF SORTED')) return 'bsd'
  if (nameIs(walk, '__.SYMDEF_64') || nameIs(walk, '__.SYMDEF_64 SORTED')) return 'bsd64'
  return null
}

function noteTables(walk: Walk, header: number): void {
  const kind = indexKindOf(walk, header)
  walk.isTable = true
  if (kind !== null) {
    if (walk.indexStart !== NO_TABLE) return
    walk.indexKind = kind
    walk.indexStart = walk.dataStart
    walk.indexEnd = walk.dataEnd
  } else if (nameIs(walk, '//')) {
    walk.namesStart = walk.dataStart
    walk.namesEnd = walk.dataEnd
  } else {
    walk.isTable = false
  }
}

/** Reads the member at `header` into the walk; the offset of the next header. */
function readMember(walk: Walk, header: number): number {
  const { bytes, from } = walk
  if (header + MEMBER_HEADER_SIZE > walk.length)
    fail(
      'archive-header',
      `remaining size of archive too small for next archive member header at offset ${header}`,
      header,
    )
  const at = from + header
  if (bytes[at + 58] !== 0x60 || bytes[at + 59] !== NEWLINE)
    fail('archive-header', 'header of archive member does not end in "`\\n"', header)
  const size = readDecimal(bytes, at + 48, 10)
  if (size < 0) fail('archive-size', 'size of archive member is not a decimal number', header)
  walk.dataStart = header + MEMBER_HEADER_SIZE
  walk.dataEnd = walk.dataStart + size
  const isLong = bytes[at] === SLASH && bytes[at + 1] >= 0x30 && bytes[at + 1] <= 0x39
  const isExtended = startsWith(bytes, at, at + 16, '#1/')
  const inline = !walk.thin || (bytes[at] === SLASH && !isLong)
  if (walk.dataEnd > walk.length && inline)
    fail('archive-size', `archive member of ${size} bytes extends beyond end of file`, header)
  if (isExtended && inline) takeExtendedName(walk, header)
  else if (isLong) takeLongName(walk, header)
  else takeShortName(walk, header)
  noteTables(walk, header)
  if (!inline && !walk.isTable) return header + MEMBER_HEADER_SIZE
  return walk.dataEnd + (walk.dataEnd % 2)
}

function startWalk(bytes: Uint8Array, from: number, to: number): Walk {
  return {
    bytes,
    from,
    length: to - from,
    thin: startsWith(bytes, from, to, THIN_MAGIC),
    namesStart: 0,
    namesEnd: 0,
    indexStart: NO_TABLE,
    indexEnd: 0,
    indexKind: 'bsd',
    budget: 0,
    dataStart: 0,
    dataEnd: 0,
    nameStart: 0,
    nameLength: 0,
    isTable: false,
  }
}

function countMembers(walk: Walk): number {
  let count = 0
  for (let at = MAGIC_SIZE; at < walk.length; ) {
    at = readMember(walk, at)
    if (!walk.isTable) count++
  }
  return count
}

function fillMembers(walk: Walk, archive: Archive): void {
  let row = 0
  for (let at = MAGIC_SIZE; at < walk.length; ) {
    const next = readMember(walk, at)
    if (!walk.isTable) {
      archive.headerOffset[row] = at
      archive.offset[row] = walk.thin ? 0 : walk.dataStart
      archive.size[row] = walk.dataEnd - walk.dataStart
      archive.nameStart[row] = walk.nameStart
      archive.nameLength[row] = walk.nameLength
      archive.mtime[row] = Math.max(0, readDecimal(walk.bytes, walk.from + at + 16, 12))
      row++
    }
    at = next
  }
}

/** Row of the member whose header is at `header`, or -1. `guess` is tried first: indices mostly run in member order. */
function memberAt(headerOffset: Uint32Array, header: number, guess: number): number {
  if (headerOffset[guess] === header) return guess
  let low = 0
  let high = headerOffset.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    if (headerOffset[middle] === header) return middle
    if (headerOffset[middle] < header) low = middle + 1
    else high = middle - 1
  }
  return -1
}

function createIndex(count: number): ArchiveIndex {
  return {
    count,
    nameOffset: new Uint32Array(count),
    nameLength: new Uint32Array(count),
    member: new Uint32Array(count),
  }
}

/** Length of the NUL-terminated name at `at`, which must end before `end`. */
function nameLengthAt(walk: Walk, at: number, end: number): number {
  const stop = at < end ? cstringEnd(walk.bytes, walk.from + at, walk.from + end) - walk.from : end
  if (stop >= end)
    fail('archive-index', 'name in the symbol index of the archive lies outside its string table', Math.min(at, end))
  walk.budget -= stop - at
  if (walk.budget < 0) fail('archive-index', 'names in the symbol index of the archive overlap too often', at)
  return stop - at
}

function setIndexRow(walk: Walk, archive: Archive, row: number, name: number, end: number, header: number): void {
  const { index } = archive
  const member = memberAt(archive.headerOffset, header, row === 0 ? 0 : index.member[row - 1])
  if (member < 0)
    fail(
      'archive-index',
      `symbol index of the archive names offset ${header}, where no member starts`,
      Math.min(name, end),
    )
  index.nameOffset[row] = name
  index.nameLength[row] = nameLengthAt(walk, name, end)
  index.member[row] = member
}

/**
 * __.SYMDEF      u32 bytes of ranlibs; { u32 strx, u32 header }[]; u32 bytes of strings; strings (little-endian)
 * __.SYMDEF_64   the same in u64
 */
function readBsdIndex(walk: Walk, archive: Archive, word: 4 | 8): void {
  const { bytes, from, indexStart, indexEnd } = walk
  const read = word === 4 ? readU32 : readU64
  const tableSize = indexStart + word <= indexEnd ? read(bytes, from + indexStart) : Number.POSITIVE_INFINITY
  const table = indexStart + word
  const strings = table + tableSize + word
  if (strings > indexEnd || tableSize % (2 * word) !== 0)
    fail('archive-index', 'symbol index of the archive extends beyond its member', indexStart)
  const stringsEnd = Math.min(indexEnd, strings + read(bytes, from + table + tableSize))
  archive.index = createIndex(tableSize / (2 * word))
  for (let row = 0, at = from + table; row < archive.index.count; row++, at += 2 * word)
    setIndexRow(walk, archive, row, strings + read(bytes, at), stringsEnd, read(bytes, at + word))
}

/** `/` is u32 count; u32 header[]; NUL-terminated names in that order (big-endian); `/SYM64/` the same in u64. */
function readGnuIndex(walk: Walk, archive: Archive, word: 4 | 8): void {
  const { bytes, from, indexStart, indexEnd } = walk
  const read = (at: number): number =>
    word === 4 ? readU32be(bytes, at) : readU32be(bytes, at) * 4294967296 + readU32be(bytes, at + 4)
  const count = indexStart + word <= indexEnd ? read(from + indexStart) : Number.POSITIVE_INFINITY
  let name = indexStart + word + count * word
  if (name > indexEnd) fail('archive-index', 'symbol index of the archive extends beyond its member', indexStart)
  archive.index = createIndex(count)
  for (let row = 0, at = from + indexStart + word; row < count; row++, at += word) {
    setIndexRow(walk, archive, row, name, indexEnd, read(at))
    name += archive.index.nameLength[row] + 1
  }
}

function readIndex(walk: Walk, archive: Archive): void {
  walk.budget = (walk.indexEnd - walk.indexStart) * MAX_SHARING
  if (walk.indexKind === 'bsd') readBsdIndex(walk, archive, 4)
  else if (walk.indexKind === 'bsd64') readBsdIndex(walk, archive, 8)
  else readGnuIndex(walk, archive, walk.indexKind === 'gnu' ? 4 : 8)
}

/**
 * The archive bytes[from, to): its members and its symbol index, no data copied.
 * Throws FormatError `not-archive`, `archive-header`, `archive-size`, `archive-name`, `archive-index`; offsets count
 * from `from`.
 */
export function readArchive(bytes: Uint8Array, from = 0, to = bytes.length): Archive {
  if (!isArchive(bytes, from, to)) fail('not-archive', 'not an archive', 0)
  const count = countMembers(startWalk(bytes, from, to))
  const walk = startWalk(bytes, from, to)
  const archive: Archive = {
    bytes,
    from,
    thin: walk.thin,
    count,
    headerOffset: new Uint32Array(count),
    offset: new Uint32Array(count),
    size: new Uint32Array(count),
    nameStart: new Uint32Array(count),
    nameLength: new Uint32Array(count),
    mtime: new Float64Array(count),
    hasIndex: false,
    index: createIndex(0),
  }
  fillMembers(walk, archive)
  archive.hasIndex = walk.indexStart !== NO_TABLE
  if (archive.hasIndex) readIndex(walk, archive)
  return archive
}

/** Name of a member, as a message shows it; in a thin archive the path of its file. */
export function memberName(archive: Archive, member: number): string {
  const start = archive.from + archive.nameStart[member]
  return toText(archive.bytes, start, start + archive.nameLength[member])
}

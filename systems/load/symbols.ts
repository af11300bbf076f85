// Symbols of one object, straight from its nlist records; external names are measured and hashed here, once.
import { FILE_HIDDEN } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { locate } from '../../components/link.ts'
import { MAX_NAME_LENGTH } from '../../components/names.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL } from '../../components/symbols.ts'
import { error } from '../../src/core/messages.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'
import { tablesArena, tablesOf } from '../kernels/symbolTables.ts'
import type { Room } from './room.ts'

/** How often, on average, a byte of the string table may be part of a name. */
const MAX_SHARING = 64

/**
 * Reads the symbols of `file` into `room`, and sorts them by section. Their flags, and addresses in the input (sizes of common symbols), stay
 * there until blocks are split. Symbols in sections that are not linked (bitcode metadata, DWARF) define nothing.
 * @returns the number of externals, whose mentions are `room.mentions`, or -1 when a record is wrong (reported)
 */
export function loadSymbols(link: Link, file: number, header: ObjectHeader, room: Room): number {
  enter(link, file, header, room)
  const { inner, records, text, content, flags, offset, mentions, odd } = room
  const { symbolCount: count, stringsSize, sectionCount } = header
  const hidden = link.files.Source.flags[file] & FILE_HIDDEN
  const { row, start } = mentions
  const externals = inner.readSymbols(
    records,
    count,
    text,
    stringsSize,
    hidden,
    content,
    sectionCount,
    flags,
    offset,
    row,
    start,
    odd,
  )
  if (externals < 0) return badRecord(link, file, header, -1 - externals)
  for (let i = 1; i <= odd[0]; i++) if (!loadAbsolute(link, file, odd[i], flags[odd[i]])) return -1
  inner.groupSymbols(records, count, flags, offset, room.bases, room.starts, room.fill, room.order)
  return measure(link, file, header, room, externals) ? externals : -1
}

function enter(link: Link, file: number, header: ObjectHeader, room: Room): void {
  const { bytes, words } = tablesOf(link, file)
  const { records, text, content, bases, flags, offset, block, odd } = room
  const { nlist, strings, symbolCount: count, stringsSize } = header
  const section = link.files.Ranges.section[file]
  records.set(words.subarray(nlist / 4, nlist / 4 + count * 4))
  text.set(bytes.subarray(strings, strings + stringsSize))
  text.fill(0, stringsSize, stringsSize + 4)
  // n_sect is a byte.
  const sections = Math.min(header.sectionCount, 255)
  content.set(link.sections.Header.content.subarray(section, section + sections), 1)
  for (let i = 0; i < sections; i++) bases[i + 1] = link.sections.Header.address[section + i]
  flags.fill(0, 0, count)
  offset.fill(0, 0, count)
  block.fill(0, 0, count)
  odd[0] = 0
}

function loadAbsolute(link: Link, file: number, index: number, flags: number): boolean {
  const { address } = link.symbols.Reference
  const { words } = tablesOf(link, file)
  const at = link.files.Tables.nlist[file] / 4 + index * 4
  const symbol = link.files.Ranges.symbol[file] + index
  const refuse = (text: string) => {
    badSymbol(link, file, index, text)
    return false
  }
  if ((flags & SYMBOL_DEFINED) === 0) {
    link.indirects.push(file, symbol)
    return true
  }
  // Constants below zero keep their sign.
  address[symbol] = words[at + 2] + (words[at + 3] | 0) * 4294967296
  if (!Number.isSafeInteger(address[symbol])) return refuse('has an absolute value of 2^53 or more')
  if (flags & SYMBOL_EXTERNAL && words[at + 3] >>> 31 !== 0)
    return refuse('is external and has a negative absolute value, which no export can hold')
  return true
}

/** Place and hash of each external's name. */
function measure(link: Link, file: number, header: ObjectHeader, room: Room, count: number): boolean {
  const { row, start, place, hash } = room.mentions
  const first = link.files.Ranges.symbol[file]
  const arena = tablesArena(link, file)
  const { strings, stringsSize: size } = header
  const most = size * MAX_SHARING
  const spelled = room.inner.measureNames(
    room.textView,
    size,
    count,
    most,
    arena,
    strings,
    first,
    row,
    start,
    place,
    hash,
  )
  if (spelled >= 0) {
    link.visited.hashed += spelled
    return true
  }
  const at = -1 - spelled
  const end = room.text.indexOf(0, start[at])
  badSymbol(link, file, row[at], nameTrouble(start[at], end < 0 ? size : end - start[at], size))
  return false
}

function nameTrouble(from: number, size: number, end: number): string {
  if (from + size >= end) return 'name is not terminated'
  if (size === 0) return 'is external and has no name'
  if (size > MAX_NAME_LENGTH) return `has a name of ${size} bytes, at most ${MAX_NAME_LENGTH} are possible`
  return 'shares its name with too many others'
}

function badSymbol(link: Link, file: number, index: number, text: string): -1 {
  const offset = link.files.Tables.nlist[file] - link.files.Source.position[file] + index * macho.NLIST_SIZE
  error(
    link.messages,
    'bad-symbol',
    `${locate(link, file).file}: symbol ${index} ${text}`,
    locate(link, file, { offset }),
  )
  return -1
}

function badRecord(link: Link, file: number, { nlist, stringsSize, sectionCount }: ObjectHeader, index: number): -1 {
  const { words } = tablesOf(link, file)
  const at = nlist / 4 + index * 4
  const type = words[at + 1] & 0xff
  const section = (words[at + 1] >>> 8) & 0xff
  let text = `has type 0x${type.toString(16)}, which is not supported`
  if (words[at] >= stringsSize && stringsSize + words[at] > 0)
    text = `string index ${words[at]} is past the end of the string table`
  else if ((type & macho.N_TYPE) === macho.N_SECT && (section === 0 || section > sectionCount))
    text = `section index ${section} is out of range: the file has ${sectionCount}`
  return badSymbol(link, file, index, text)
}

// Room for load commands in a file that was linked without: the header gets pages of its own in front, and all behind it stands as much
// further, in the file and in memory. Code is relative to itself; what counts from the header, or holds addresses, is corrected. The old
// header stays where it was, as what code finds that asks for its own: its addresses are right from its own place. What is not
// position-independent keeps its addresses: the pages are taken from those in front of it, of __PAGEZERO.
import { FormatError, fromText, readU16, readU32, readU64, writeU32, writeU64 } from '../../core/bytes.ts'
import * as macho from '../../formats/macho/constants.ts'
import type { Image, ImageSection, ImageSegment, LoadCommand } from '../../formats/macho/image.ts'
import {
  UNWIND_INDEX_ENTRY_SIZE,
  UNWIND_LSDA_ENTRY_SIZE,
  UNWIND_REGULAR_ENTRY_SIZE,
  UNWIND_SECOND_LEVEL_REGULAR,
} from '../../formats/unwind/constants.ts'
import { decodeUnwindInfo } from '../../formats/unwind/decodeUnwindInfo.ts'
import { EMPTY_UNWIND_SIZE, unwindSectionOf } from './base.ts'
import { type LinkedFile, readSymbol } from './readLinked.ts'

/** Offsets of file offsets in commands of __LINKEDIT. */
export const OFFSETS: Readonly<Record<number, readonly number[]>> = {
  [macho.LC_SYMTAB]: [8, 16],
  [macho.LC_DYSYMTAB]: [32, 40, 48, 56, 64, 72],
  [macho.LC_DYLD_INFO]: [8, 16, 24, 32, 40],
  [macho.LC_DYLD_INFO_ONLY]: [8, 16, 24, 32, 40],
  [macho.LC_CODE_SIGNATURE]: [8],
  [macho.LC_SEGMENT_SPLIT_INFO]: [8],
  [macho.LC_FUNCTION_STARTS]: [8],
  [macho.LC_DATA_IN_CODE]: [8],
  [macho.LC_DYLIB_CODE_SIGN_DRS]: [8],
  [macho.LC_LINKER_OPTIMIZATION_HINT]: [8],
  [macho.LC_DYLD_EXPORTS_TRIE]: [8],
  [macho.LC_DYLD_CHAINED_FIXUPS]: [8],
  [macho.LC_ENCRYPTION_INFO_64]: [8],
}
const LEAST_PAGEZERO = 0x4000
const SECTIONS_START = macho.SEGMENT_COMMAND_SIZE
const SYMBOL_VALUE = 8
/** Rows of the debug map whose value is an address. */
const WITH_ADDRESS: readonly number[] = [macho.N_FUN, macho.N_STSYM, macho.N_LCSYM, macho.N_BNSYM]
/** Rows of the debug map that name a section. */
const WITH_SECTION: readonly number[] = [...WITH_ADDRESS, macho.N_ENSYM]
const SYMBOL_SECTION = 5

/**
 * The file with `room` bytes in front, a multiple of a page. `unwindFirst`: the section of its unwind information becomes the first, as
 * it will stand in that room; where there is none, an empty one in the last bytes of it. @throws FormatError where that is not possible.
 */
export function makeRoom({ image, text, fixed }: LinkedFile, room: number, unwindFirst = false): Uint8Array {
  const thread = image.commands.some(({ cmd }) => cmd === macho.LC_UNIXTHREAD || cmd === macho.LC_ROUTINES_64)
  if (fixed ? room > freeBelow(image, text) : thread)
    throw new FormatError('no-header-room', `the load commands of edits need ${room} bytes: link it with headerPad`, 0)
  const bytes = new Uint8Array(room + image.bytes.length)
  bytes.set(image.bytes, room)
  bytes.set(image.bytes.subarray(0, macho.HEADER_SIZE + image.commandsSize))
  for (const command of image.commands) moveCommand(bytes, command, { textAt: text.at, room, fixed })
  if (fixed) shrinkBelow(bytes, image, text.vmAddress - room)
  moveSymbols(bytes, image, room, text.vmAddress, fixed)
  for (const section of image.sections) moveSection(bytes, image, section, room)
  if (!unwindFirst) return bytes
  if (unwindSectionOf(image) === null) addUnwindSection(bytes, image, text, room, fixed)
  else putUnwindFirst(bytes, image, text, room)
  return bytes
}

interface Move {
  textAt: number
  room: number
  fixed: boolean
}

/** Bytes of memory in front of __TEXT that nothing needs; a page of __PAGEZERO is left. */
function freeBelow({ segments }: Image, text: ImageSegment): number {
  const below = segments[segments.indexOf(text) - 1]
  if (below === undefined) return text.vmAddress
  const empty = below.fileSize === 0 && below.maxProtection === 0
  return text.vmAddress - below.vmAddress - (empty ? LEAST_PAGEZERO : below.vmSize)
}

function shrinkBelow(bytes: Uint8Array, { segments }: Image, end: number): void {
  for (const { at, vmAddress, vmSize } of segments)
    if (vmAddress < end && vmAddress + vmSize > end) writeU64(bytes, at + 32, end - vmAddress)
}

/** The first of __TEXT: its place is in the room, and there are no bytes yet. */
function addUnwindSection(bytes: Uint8Array, image: Image, text: ImageSegment, room: number, fixed: boolean): void {
  const start = text.at + SECTIONS_START
  bytes.copyWithin(start + macho.SECTION_SIZE, start, macho.HEADER_SIZE + image.commandsSize)
  bytes.fill(0, start, start + macho.SECTION_SIZE)
  bytes.set(fromText('__unwind_info'), start)
  bytes.set(fromText('__TEXT'), start + 16)
  writeU64(bytes, start + 32, text.vmAddress + (fixed ? 0 : room) - EMPTY_UNWIND_SIZE)
  writeU64(bytes, start + 40, EMPTY_UNWIND_SIZE)
  writeU32(bytes, start + 48, room - EMPTY_UNWIND_SIZE)
  writeU32(bytes, start + 52, 2)
  for (const at of [text.at + 4, 20]) add32(bytes, at, macho.SECTION_SIZE)
  add32(bytes, text.at + 64, 1)
  const before = image.segments.slice(0, image.segments.indexOf(text))
  const first = before.reduce((count, { sections }) => count + sections.length, 0) + 1
  renumber(bytes, image, room, (section) => (section < first ? section : section + 1))
}

/** In the symbol table, which stands `room` bytes further. */
function renumber(bytes: Uint8Array, { symtab }: Image, room: number, numberOf: (section: number) => number): void {
  const { symbolOffset, symbolCount } = symtab!
  for (let i = 0; i < symbolCount; i++) {
    const symbol = symbolOffset + room + i * macho.NLIST_SIZE
    const { type, section } = readSymbol(bytes, symbol)
    if (type & macho.N_STAB ? !WITH_SECTION.includes(type) : (type & macho.N_TYPE) !== macho.N_SECT) continue
    if (section !== 0) bytes[symbol + SYMBOL_SECTION] = numberOf(section)
  }
}

/** Among the headers of __TEXT, and in the numbers that symbols have for sections. */
function putUnwindFirst(bytes: Uint8Array, image: Image, text: ImageSegment, room: number): void {
  const unwind = text.sections.indexOf(unwindSectionOf(image)!)
  const start = text.at + SECTIONS_START
  const at = start + unwind * macho.SECTION_SIZE
  const header = bytes.slice(at, at + macho.SECTION_SIZE)
  bytes.copyWithin(start + macho.SECTION_SIZE, start, at)
  bytes.set(header, start)
  const first = image.sections.indexOf(text.sections[0]) + 1
  renumber(bytes, image, room, (section) => {
    if (section < first || section > first + unwind) return section
    return section === first + unwind ? first : section + 1
  })
}

function add32(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, readU32(bytes, at) + value)
}

function add64(bytes: Uint8Array, at: number, value: number): void {
  writeU64(bytes, at, readU64(bytes, at) + value)
}

function moveCommand(bytes: Uint8Array, { cmd, at }: LoadCommand, move: Move): void {
  const { room } = move
  if (cmd === macho.LC_SEGMENT_64) moveSegment(bytes, at, move)
  if (cmd === macho.LC_MAIN) add64(bytes, at + 8, room)
  for (const offset of OFFSETS[cmd] ?? []) if (readU32(bytes, at + offset) !== 0) add32(bytes, at + offset, room)
}

/** __TEXT grows at its start, what is behind it moves; __PAGEZERO is in front. */
function moveSegment(bytes: Uint8Array, at: number, { textAt, room, fixed }: Move): void {
  if (at < textAt) return
  const [address, size, offset, fileSize] = [24, 32, 40, 48].map((field) => at + field)
  if (at === textAt) for (const field of [size, fileSize]) add64(bytes, field, room)
  else add64(bytes, offset, room)
  if (fixed === (at === textAt)) add64(bytes, address, fixed ? -room : room)
  for (let i = 0, section = at + SECTIONS_START; i < readU32(bytes, at + 64); i++, section += macho.SECTION_SIZE) {
    if (!fixed) add64(bytes, section + 32, room)
    if (readU32(bytes, section + 48) !== 0) add32(bytes, section + 48, room)
  }
}

/** The header's own name stays with the header. */
function moveSymbols(bytes: Uint8Array, { symtab }: Image, room: number, base: number, fixed: boolean): void {
  const start = symtab!.symbolOffset + room
  for (let at = start; at < start + symtab!.symbolCount * macho.NLIST_SIZE; at += macho.NLIST_SIZE) {
    const { type, section, string } = readSymbol(bytes, at)
    const stab =
      type & macho.N_STAB ? WITH_ADDRESS.includes(type) && string > 1 : (type & macho.N_TYPE) === macho.N_SECT
    if (!stab || section === 0 || (readU64(bytes, at + SYMBOL_VALUE) === base) !== fixed) continue
    add64(bytes, at + SYMBOL_VALUE, fixed ? -room : room)
  }
}

function moveSection(bytes: Uint8Array, image: Image, section: ImageSection, room: number): void {
  const { name, segment, flags, offset, size } = section
  const at = offset + room
  if ((flags & macho.SECTION_TYPE) === macho.S_INIT_FUNC_OFFSETS) {
    checkEnd(bytes, at, size, name)
    for (let place = at; place + 4 <= at + size; place += 4) add32(bytes, place, room)
  }
  if (segment !== '__TEXT' || name !== '__unwind_info' || size === 0) return
  checkEnd(bytes, at, size, name)
  const old = image.bytes.subarray(offset, offset + size)
  // Decoded for its checks: what is walked below is in bounds.
  decodeUnwindInfo(old)
  moveUnwind(old, bytes.subarray(at, at + size), room)
}

function checkEnd(bytes: Uint8Array, at: number, size: number, name: string): void {
  if (at + size > bytes.length) throw new FormatError('not-editable', `${name} is past the end of the file`, 0)
}

/**
 * Functions, personalities and language-specific data count from the header; compressed entries from their page. All is read from `old`,
 * which has been checked: lists that overlap in a damaged file would lead elsewhere in what is written.
 */
function moveUnwind(old: Uint8Array, bytes: Uint8Array, room: number): void {
  const [personalities, count, index, pages] = [12, 16, 20, 24].map((at) => readU32(old, at))
  moveWords(old, bytes, personalities, 4, count, room)
  moveWords(old, bytes, index, UNWIND_INDEX_ENTRY_SIZE, pages, room)
  const lsdas = readU32(old, index + 8)
  const lsdaCount = (readU32(old, index + (pages - 1) * UNWIND_INDEX_ENTRY_SIZE + 8) - lsdas) / UNWIND_LSDA_ENTRY_SIZE
  moveWords(old, bytes, lsdas, UNWIND_LSDA_ENTRY_SIZE, lsdaCount, room)
  moveWords(old, bytes, lsdas + 4, UNWIND_LSDA_ENTRY_SIZE, lsdaCount, room)
  for (let i = 0; i < pages - 1; i++) {
    const page = readU32(old, index + i * UNWIND_INDEX_ENTRY_SIZE + 4)
    if (readU32(old, page) !== UNWIND_SECOND_LEVEL_REGULAR) continue
    const [start, entries] = [readU16(old, page + 4), readU16(old, page + 6)]
    moveWords(old, bytes, page + start, UNWIND_REGULAR_ENTRY_SIZE, entries, room)
  }
}

/** The first word of each of `count` entries of `size` bytes. */
function moveWords(old: Uint8Array, bytes: Uint8Array, at: number, size: number, count: number, room: number): void {
  for (let i = 0, place = at; i < count; i++, place += size) writeU32(bytes, place, readU32(old, place) + room)
}

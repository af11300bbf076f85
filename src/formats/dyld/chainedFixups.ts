import { alignUp } from '../../core/align.ts'
import {
  ByteSink,
  cstringEnd,
  FormatError,
  readI32,
  readU16,
  readU32,
  readU64,
  toText,
  writeU16,
  writeU32,
  writeU64,
} from '../../core/bytes.ts'
import {
  DYLD_CHAINED_IMPORT,
  DYLD_CHAINED_IMPORT_ADDEND,
  DYLD_CHAINED_IMPORT_ADDEND64,
  DYLD_CHAINED_PTR_64,
  DYLD_CHAINED_PTR_64_OFFSET,
  DYLD_CHAINED_PTR_START_NONE,
} from '../macho/constants.ts'
import { appendName, type NameTable } from './bind.ts'

// Layout of a pointer in DYLD_CHAINED_PTR_64 and DYLD_CHAINED_PTR_64_OFFSET (<mach-o/fixup-chains.h>), bits from the
// lowest; `next` counts strides of 4 bytes, 0 ends the chain.
//   rebase   target:36 high8:8 reserved:7 next:12 bind:1 = 0
//   bind     ordinal:24 addend:8 reserved:19 next:12 bind:1 = 1
const WORD = 4294967296
const STRIDE = 4
const NEXT_SHIFT = 19
const NEXT_MASK = 0xfff
const BIND_BIT = 0x80000000
const POINTER_SIZE = 8
const HEADER_SIZE = 32
const SEGMENT_HEADER_SIZE = 22

/**
 * Writes a rebase entry with next = 0. `target` is an address without its top byte, which `high8` is; in
 * DYLD_CHAINED_PTR_64_OFFSET the distance from `imageBase` is stored. False, with nothing written, when the value does
 * not fit 36 bits (64 GiB).
 */
export function writeChainedRebase(
  view: DataView,
  at: number,
  target: number,
  high8: number,
  pointerFormat: number,
  imageBase: number,
): boolean {
  const value = pointerFormat === DYLD_CHAINED_PTR_64_OFFSET ? target - imageBase : target
  if (value < 0 || value >= 16 * WORD) return false
  view.setUint32(at, value, true)
  view.setUint32(at + 4, Math.floor(value / WORD) | (high8 << 4), true)
  return true
}

/** Writes a bind entry with next = 0. False, with nothing written, unless ordinal < 2^24 and 0 <= addend <= 255. */
export function writeChainedBind(view: DataView, at: number, ordinal: number, addend: number): boolean {
  if (ordinal > 0xffffff || addend < 0 || addend > 0xff) return false
  view.setUint32(at, (ordinal | (addend << 24)) >>> 0, true)
  view.setUint32(at + 4, BIND_BIT, true)
  return true
}

/** Whether the entry at `at` is a bind whose first word, ordinal and addend, is `word`. */
export function isChainedBind(view: DataView, at: number, word: number): boolean {
  return (
    view.getUint32(at, true) === word && (view.getUint32(at + 4, true) & ~(NEXT_MASK << NEXT_SHIFT)) >>> 0 === BIND_BIT
  )
}

/** Makes the entry at `at` a bind whose first word is `word`; its next entry stays. */
export function rewriteChainedBind(view: DataView, at: number, word: number): void {
  view.setUint32(at, word, true)
  view.setUint32(at + 4, ((view.getUint32(at + 4, true) & (NEXT_MASK << NEXT_SHIFT)) | BIND_BIT) >>> 0, true)
}

/** Gives the entry at `at` the same next entry as the one at from[start]. */
export function copyChainLink(from: DataView, start: number, view: DataView, at: number): void {
  const mask = NEXT_MASK << NEXT_SHIFT
  const link = from.getInt32(start + 4, true) & mask
  view.setInt32(at + 4, (view.getInt32(at + 4, true) & ~mask) | link, true)
}

/** Makes the entry at `at` the last of its chain. */
export function clearChainLink(view: DataView, at: number): void {
  view.setInt32(at + 4, view.getInt32(at + 4, true) & ~(NEXT_MASK << NEXT_SHIFT), true)
}

/** Page starts for `segmentSize` bytes, all of them DYLD_CHAINED_PTR_START_NONE, for `linkChains` to fill. */
export function newPageStarts(segmentSize: number, pageSize: number): Uint16Array {
  return new Uint16Array(Math.ceil(segmentSize / pageSize)).fill(DYLD_CHAINED_PTR_START_NONE)
}

/**
 * Chains the entries at the segment offsets offsets[from, to), sorted, page by page: fills `next` in place and the
 * start of each page touched. Threads may take ranges that do not share a page. Returns the index of the first offset
 * that cannot follow the one before it in its page (less than 8 bytes on, or not a multiple of the stride of 4), else -1.
 */
export function linkChains(
  view: DataView,
  segmentFileStart: number,
  offsets: Uint32Array,
  from: number,
  to: number,
  pageSize: number,
  pageStarts: Uint16Array,
): number {
  let pageEnd = -1
  for (let i = from; i < to; i++) {
    const offset = offsets[i]
    if (offset >= pageEnd) {
      const page = Math.floor(offset / pageSize)
      pageEnd = (page + 1) * pageSize
      pageStarts[page] = offset - page * pageSize
      continue
    }
    const distance = offset - offsets[i - 1]
    if (distance < POINTER_SIZE || distance % STRIDE !== 0) return i
    const at = segmentFileStart + offsets[i - 1] + 4
    view.setInt32(at, view.getInt32(at, true) | ((distance / STRIDE) << NEXT_SHIFT), true)
  }
  return -1
}

/** One segment's chains: `offset` from the image base; `pageStarts` per page, trailing empty pages may be left out. */
export type ChainedSegment = { offset: number; pageSize: number; pageStarts: Uint16Array }

/**
 * Imports, one row each: library `ordinals` (special ones negative), `weak` 0 or 1, `names` rows, `addends` in bytes. A
 * row with `holes` 1 has the name of the first row that has 0 there.
 */
export type ChainedImports = {
  ordinals: Int32Array
  weak: Uint8Array
  names: Uint32Array
  addends: Float64Array
  holes?: Uint8Array
  count: number
}

/** What LC_DYLD_CHAINED_FIXUPS holds; a segment without fixups has no page starts. `maxPointer` is 0 on 64 bits. */
export type ChainedFixupsInput = {
  segments: ChainedSegment[]
  pointerFormat: number
  maxPointer: number
  imports: ChainedImports
  names: NameTable
  /** Segments with fixups list all their pages, else those up to the last one with fixups. */
  everyPage?: boolean
}

/**
 * The data of LC_DYLD_CHAINED_FIXUPS as ld64.lld 22 lays it out: header, starts, imports, names (one for each import).
 * Addends from 0 to 255 stand in the pointers; the import format is the smallest that holds the other ones. Unpadded.
 * Throws RangeError when the names pass 4 GiB.
 */
export function encodeChainedFixups(input: ChainedFixupsInput): Uint8Array {
  const { imports, names } = input
  const format = importFormat(imports, names)
  const starts = encodeStarts(input)
  const importsAt = HEADER_SIZE + starts.length
  const symbolsAt = importsAt + importSize(format) * imports.count
  const sink = new ByteSink(symbolsAt + 256)
  const header = [0, HEADER_SIZE, importsAt, symbolsAt, imports.count, format, 0, 0]
  for (const field of header) sink.u32(field)
  sink.append(starts)
  appendImports(sink, imports, names, format)
  for (let i = 0; i < imports.count; i++) if (!isHole(imports, i)) appendName(sink, names, imports.names[i])
  return sink.finish()
}

function outlineAddend(addend: number): number {
  return addend < 0 || addend > 0xff ? addend : 0
}

function isHole({ holes }: ChainedImports, row: number): boolean {
  return holes !== undefined && holes[row] === 1
}

function importSize(format: number): number {
  return format === DYLD_CHAINED_IMPORT ? 4 : format === DYLD_CHAINED_IMPORT_ADDEND ? 8 : 16
}

// Ordinals 0xf1 to 0xff are the special ones in eight bits. The 32-bit addend is used for 23 bits only, as lld does.
function importFormat(imports: ChainedImports, names: NameTable): number {
  let symbols = 0
  let wide = false
  let addends = false
  for (let i = 0; i < imports.count; i++) {
    const addend = outlineAddend(imports.addends[i])
    symbols += isHole(imports, i) ? 0 : names.length[imports.names[i]] + 1
    if (addend < -0x400000 || addend > 0x3fffff || imports.ordinals[i] > 0xf0) wide = true
    if (addend !== 0) addends = true
  }
  if (symbols >= WORD) throw new RangeError(`expected import names below 4 GiB, got ${symbols} bytes`)
  if (wide || symbols >= 0x800000) return DYLD_CHAINED_IMPORT_ADDEND64
  return addends ? DYLD_CHAINED_IMPORT_ADDEND : DYLD_CHAINED_IMPORT
}

function appendImports(sink: ByteSink, imports: ChainedImports, names: NameTable, format: number): void {
  const { ordinals, weak, addends, count } = imports
  let nameAt = 0
  for (let i = 0; i < count; i++) {
    const place = isHole(imports, i) ? 0 : nameAt
    if (format === DYLD_CHAINED_IMPORT_ADDEND64) {
      sink.u32(((ordinals[i] & 0xffff) | (weak[i] << 16)) >>> 0)
      sink.u32(place)
      sink.u64(outlineAddend(addends[i]))
    } else {
      sink.u32(((ordinals[i] & 0xff) | (weak[i] << 8) | (place << 9)) >>> 0)
      if (format === DYLD_CHAINED_IMPORT_ADDEND) sink.u32(outlineAddend(addends[i]))
    }
    if (!isHole(imports, i)) nameAt += names.length[imports.names[i]] + 1
  }
}

// Pages up to the last one with fixups; dyld takes the missing ones for empty.
function usedPages(starts: Uint16Array, everyPage: boolean): number {
  if (everyPage) return starts.length
  let count = starts.length
  while (count > 0 && starts[count - 1] === DYLD_CHAINED_PTR_START_NONE) count--
  return count
}

// lld's size of the starts of one segment: a struct of 24 bytes with room for one page, 2 more for each further page.
function encodeStarts(input: ChainedFixupsInput): Uint8Array {
  const { segments } = input
  const pages = segments.map((segment) => usedPages(segment.pageStarts, input.everyPage === true))
  const sizes = pages.map((count) => (count === 0 ? 0 : alignUp(24 + 2 * (count - 1), 8)))
  let at = alignUp(4 + 4 * segments.length, 8)
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, at))
  writeU32(bytes, 0, segments.length)
  for (let i = 0; i < segments.length; i++) {
    if (pages[i] === 0) continue
    writeU32(bytes, 4 + 4 * i, at)
    writeU32(bytes, at, sizes[i])
    writeU16(bytes, at + 4, segments[i].pageSize)
    writeU16(bytes, at + 6, input.pointerFormat)
    writeU64(bytes, at + 8, segments[i].offset)
    writeU32(bytes, at + 16, input.maxPointer)
    writeU16(bytes, at + 20, pages[i])
    for (let p = 0; p < pages[i]; p++) writeU16(bytes, at + SEGMENT_HEADER_SIZE + 2 * p, segments[i].pageStarts[p])
    at += sizes[i]
  }
  return bytes
}

/** Chains of one segment as read; null in `ChainedFixups.segments` where a segment has none. */
export type ChainedStarts = ChainedSegment & { pointerFormat: number; maxPointer: number }

/** LC_DYLD_CHAINED_FIXUPS as read: starts for each segment, and the imports with their names as text. */
export type ChainedFixups = {
  segments: (ChainedStarts | null)[]
  importFormat: number
  imports: { ordinals: Int32Array; weak: Uint8Array; addends: Float64Array; names: string[]; count: number }
}

/**
 * Reads the data of LC_DYLD_CHAINED_FIXUPS in the formats we write. Throws FormatError: `chained-truncated`,
 * `chained-version`, `chained-symbols-format`, `chained-import-format`, `chained-pointer-format`, `chained-page-size`,
 * `chained-page-start`, `chained-starts`, `chained-name`.
 */
export function decodeChainedFixups(bytes: Uint8Array): ChainedFixups {
  need(bytes, 0, 28)
  if (readU32(bytes, 0) !== 0)
    throw new FormatError('chained-version', `expected version 0, got ${readU32(bytes, 0)}`, 0)
  if (readU32(bytes, 24) !== 0)
    throw new FormatError('chained-symbols-format', `expected plain names, got format ${readU32(bytes, 24)}`, 24)
  const importFormat = readU32(bytes, 20)
  if (importFormat < DYLD_CHAINED_IMPORT || importFormat > DYLD_CHAINED_IMPORT_ADDEND64)
    throw new FormatError('chained-import-format', `expected an import format from 1 to 3, got ${importFormat}`, 20)
  return { segments: decodeStarts(bytes, readU32(bytes, 4)), importFormat, imports: decodeImports(bytes, importFormat) }
}

function need(bytes: Uint8Array, at: number, size: number): void {
  if (at + size > bytes.length)
    throw new FormatError('chained-truncated', `expected ${size} bytes at ${at}, got ${bytes.length} in all`, at)
}

function decodeStarts(bytes: Uint8Array, at: number): (ChainedStarts | null)[] {
  need(bytes, at, 4)
  const count = readU32(bytes, at)
  need(bytes, at + 4, 4 * count)
  const segments: (ChainedStarts | null)[] = []
  let room = bytes.length
  for (let i = 0; i < count; i++) {
    const start = readU32(bytes, at + 4 + 4 * i)
    const segment = start === 0 ? null : decodeSegment(bytes, at + start)
    segments.push(segment)
    if (segment === null) continue
    room -= SEGMENT_HEADER_SIZE + 2 * segment.pageStarts.length
    if (room < 0) throw new FormatError('chained-starts', 'expected starts apart from each other, got overlaps', at)
  }
  return segments
}

function decodeSegment(bytes: Uint8Array, at: number): ChainedStarts {
  need(bytes, at, SEGMENT_HEADER_SIZE)
  const size = readU32(bytes, at)
  const pageSize = readU16(bytes, at + 4)
  const pointerFormat = readU16(bytes, at + 6)
  const count = readU16(bytes, at + 20)
  if (pageSize !== 0x1000 && pageSize !== 0x4000)
    throw new FormatError('chained-page-size', `expected 4096 or 16384, got ${pageSize}`, at + 4)
  if (pointerFormat !== DYLD_CHAINED_PTR_64 && pointerFormat !== DYLD_CHAINED_PTR_64_OFFSET)
    throw new FormatError('chained-pointer-format', `expected pointer format 2 or 6, got ${pointerFormat}`, at + 6)
  if (size < SEGMENT_HEADER_SIZE + 2 * count)
    throw new FormatError('chained-starts', `expected room for ${count} pages, got ${size} bytes`, at)
  need(bytes, at, SEGMENT_HEADER_SIZE + 2 * count)
  const pageStarts = new Uint16Array(count)
  for (let i = 0; i < count; i++) {
    const start = readU16(bytes, at + SEGMENT_HEADER_SIZE + 2 * i)
    if (start !== DYLD_CHAINED_PTR_START_NONE && start >= pageSize)
      throw new FormatError('chained-page-start', `expected a start in the page, got ${start}`, at)
    pageStarts[i] = start
  }
  return { offset: readU64(bytes, at + 8), pageSize, pageStarts, pointerFormat, maxPointer: readU32(bytes, at + 16) }
}

function decodeImports(bytes: Uint8Array, format: number): ChainedFixups['imports'] {
  const importsAt = readU32(bytes, 8)
  const symbolsAt = readU32(bytes, 12)
  const count = readU32(bytes, 16)
  const size = importSize(format)
  need(bytes, importsAt, size * count)
  const ordinals = new Int32Array(count)
  const weak = new Uint8Array(count)
  const addends = new Float64Array(count)
  const nameOf = nameReader(bytes, symbolsAt)
  const names: string[] = []
  const wide = format === DYLD_CHAINED_IMPORT_ADDEND64
  for (let i = 0; i < count; i++) {
    const at = importsAt + size * i
    const word = readU32(bytes, at)
    ordinals[i] = wide ? (word << 16) >> 16 : narrowOrdinal(word & 0xff)
    weak[i] = (wide ? word >>> 16 : word >>> 8) & 1
    if (format === DYLD_CHAINED_IMPORT_ADDEND) addends[i] = readI32(bytes, at + 4)
    if (wide) addends[i] = readI32(bytes, at + 12) * WORD + readU32(bytes, at + 8)
    names.push(nameOf(wide ? readU32(bytes, at + 4) : word >>> 9))
  }
  return { ordinals, weak, addends, names, count }
}

function narrowOrdinal(ordinal: number): number {
  return ordinal > 0xf0 ? ordinal - 256 : ordinal
}

// Imports may share a name, but names that all run to one far NUL would make quadratic text: a budget refuses them.
function nameReader(bytes: Uint8Array, symbolsAt: number): (offset: number) => string {
  const known = new Map<number, string>()
  let room = 4 * bytes.length
  return (offset) => {
    const seen = known.get(offset)
    if (seen !== undefined) return seen
    const at = symbolsAt + offset
    const end = cstringEnd(bytes, at, bytes.length)
    room -= end - at
    if (end >= bytes.length || room < 0)
      throw new FormatError('chained-name', 'expected a NUL-terminated name, got none', at)
    const name = toText(bytes, at, end)
    known.set(offset, name)
    return name
  }
}

/**
 * Walks the chains of one segment whose `segmentSize` bytes begin at `segmentFileStart`. Calls `visit` for each
 * pointer with its segment offset, then for a bind `true`, import index, inline addend; for a rebase `false`, target
 * (as stored), top byte. Throws FormatError `chained-chain` when a chain leaves its page or segment, or its entries
 * overlap.
 */
export function walkChain(
  view: DataView,
  segmentFileStart: number,
  segmentSize: number,
  starts: ChainedStarts,
  visit: (offset: number, bind: boolean, value: number, extra: number) => void,
): void {
  const { pageSize, pageStarts } = starts
  const end = Math.min(segmentSize, view.byteLength - segmentFileStart)
  let free = 0
  for (let page = 0; page < pageStarts.length; page++) {
    if (pageStarts[page] === DYLD_CHAINED_PTR_START_NONE) continue
    const pageEnd = (page + 1) * pageSize
    let offset = page * pageSize + pageStarts[page]
    for (let next = -1; next !== 0; offset += next * STRIDE) {
      if (offset < free || offset >= pageEnd || offset + POINTER_SIZE > end)
        throw new FormatError('chained-chain', `expected the next pointer in its page, got ${offset}`, offset)
      free = offset + POINTER_SIZE
      const low = view.getUint32(segmentFileStart + offset, true)
      const high = view.getUint32(segmentFileStart + offset + 4, true)
      next = (high >>> NEXT_SHIFT) & NEXT_MASK
      if (high >= BIND_BIT) visit(offset, true, low & 0xffffff, low >>> 24)
      else visit(offset, false, low + (high & 0xf) * WORD, (high >>> 4) & 0xff)
    }
  }
}

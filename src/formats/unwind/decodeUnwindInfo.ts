import { FormatError, readU16, readU32 } from '../../core/bytes.ts'
import {
  UNWIND_COMPRESSED_HEADER_SIZE,
  UNWIND_COMPRESSED_OFFSET_MASK,
  UNWIND_HEADER_SIZE,
  UNWIND_INDEX_ENTRY_SIZE,
  UNWIND_LSDA_ENTRY_SIZE,
  UNWIND_PERSONALITY_MASK,
  UNWIND_PERSONALITY_SHIFT,
  UNWIND_REGULAR_ENTRY_SIZE,
  UNWIND_REGULAR_HEADER_SIZE,
  UNWIND_SECOND_LEVEL_COMPRESSED,
  UNWIND_SECOND_LEVEL_REGULAR,
  UNWIND_SECTION_VERSION,
} from './constants.ts'

/** What a __unwind_info section says. All offsets are from the image base. */
export interface UnwindInfo {
  /** Number of entries, which ascend by `start`. */
  count: number
  start: Uint32Array
  /** As in the section: mode, personality index and LSDA flag. */
  encoding: Uint32Array
  /** 1-based index into `personalities`, 0 for none. */
  personality: Uint8Array
  /** Offset of the entry's LSDA, 0 for none. */
  lsda: Uint32Array
  /** Offsets of the personalities' GOT slots. */
  personalities: Uint32Array
  common: Uint32Array
  /** Kind and first entry of every second-level page. */
  pageKind: Uint8Array
  pageFirst: Uint32Array
  /** End of the covered range (the sentinel). */
  end: number
}

/** Reads a whole __TEXT,__unwind_info section (compact_unwind_encoding.h). Throws FormatError with offsets in `bytes`. */
export function decodeUnwindInfo(bytes: Uint8Array): UnwindInfo {
  if (bytes.length < UNWIND_HEADER_SIZE) {
    throw new FormatError('unwind-info-truncated', `expected a header of 28 bytes, got ${bytes.length}`, 0)
  }
  const version = readU32(bytes, 0)
  if (version !== UNWIND_SECTION_VERSION) {
    throw new FormatError('unwind-info-version', `expected unwind info of version 1, got ${version}`, 0)
  }
  const common = readWords(bytes, 4)
  const personalities = readWords(bytes, 12)
  const info = reserve(bytes, common, personalities)
  const pages = info.pageKind.length
  const index = readU32(bytes, 20)
  for (let p = 0; p < pages; p++) {
    const at = index + p * UNWIND_INDEX_ENTRY_SIZE
    const before = info.count
    info.pageFirst[p] = before
    info.pageKind[p] = readPage(info, bytes, readU32(bytes, at + 4), readU32(bytes, at))
    if (info.count > before && info.start[before] !== readU32(bytes, at)) {
      throw new FormatError('unwind-info-page', `page starts at ${info.start[before]}, not where the index says`, at)
    }
  }
  info.end = readU32(bytes, index + pages * UNWIND_INDEX_ENTRY_SIZE)
  if (info.count > 0 && info.end < info.start[info.count - 1]) {
    throw new FormatError('unwind-info-order', `covered range ends at ${info.end}, before its last function`, index)
  }
  trim(info)
  readLsdas(info, bytes, index)
  return info
}

/** The array of words whose section offset and count stand at `at` in the header. */
function readWords(bytes: Uint8Array, at: number): Uint32Array {
  const from = readU32(bytes, at)
  const count = readU32(bytes, at + 4)
  requireRange(bytes, from, count, 4, at)
  const words = new Uint32Array(count)
  for (let i = 0; i < count; i++) words[i] = readU32(bytes, from + i * 4)
  return words
}

function requireRange(bytes: Uint8Array, from: number, count: number, width: number, at: number): void {
  if (from + count * width > bytes.length) {
    const text = `${count} items of ${width} bytes at ${from} do not fit in ${bytes.length} bytes of unwind info`
    throw new FormatError('unwind-info-bounds', text, at)
  }
}

// An entry takes at least four bytes, so pages that do not overlap cannot hold more entries than the section has words.
function reserve(bytes: Uint8Array, common: Uint32Array, personalities: Uint32Array): UnwindInfo {
  const indexes = readU32(bytes, 24)
  if (indexes === 0) throw new FormatError('unwind-info-index', 'expected an index with a sentinel, got none', 24)
  requireRange(bytes, readU32(bytes, 20), indexes, UNWIND_INDEX_ENTRY_SIZE, 20)
  const most = bytes.length >>> 2
  return {
    count: 0,
    start: new Uint32Array(most),
    encoding: new Uint32Array(most),
    personality: new Uint8Array(0),
    lsda: new Uint32Array(0),
    personalities,
    common,
    pageKind: new Uint8Array(indexes - 1),
    pageFirst: new Uint32Array(indexes - 1),
    end: 0,
  }
}

function readPage(info: UnwindInfo, bytes: Uint8Array, page: number, base: number): number {
  requireRange(bytes, page, 1, UNWIND_REGULAR_HEADER_SIZE, page)
  const kind = readU32(bytes, page)
  const entries = page + readU16(bytes, page + 4)
  const count = readU16(bytes, page + 6)
  if (count > info.start.length - info.count) {
    throw new FormatError('unwind-info-page', `pages hold more entries than ${bytes.length} bytes can`, page)
  }
  if (kind === UNWIND_SECOND_LEVEL_REGULAR) readRegular(info, bytes, entries, count)
  else if (kind === UNWIND_SECOND_LEVEL_COMPRESSED) readCompressed(info, bytes, page, entries, count, base)
  else throw new FormatError('unwind-info-page', `expected a page of kind 2 or 3, got ${kind}`, page)
  return kind
}

function readRegular(info: UnwindInfo, bytes: Uint8Array, from: number, count: number): void {
  requireRange(bytes, from, count, UNWIND_REGULAR_ENTRY_SIZE, from)
  for (let i = 0, at = from; i < count; i++, at += UNWIND_REGULAR_ENTRY_SIZE) {
    addEntry(info, readU32(bytes, at), readU32(bytes, at + 4), at)
  }
}

function readCompressed(
  info: UnwindInfo,
  bytes: Uint8Array,
  page: number,
  from: number,
  count: number,
  base: number,
): void {
  requireRange(bytes, page, 1, UNWIND_COMPRESSED_HEADER_SIZE, page)
  requireRange(bytes, from, count, 4, from)
  const encodings = page + readU16(bytes, page + 8)
  const locals = readU16(bytes, page + 10)
  requireRange(bytes, encodings, locals, 4, page + 8)
  const { common } = info
  for (let i = 0, at = from; i < count; i++, at += 4) {
    const word = readU32(bytes, at)
    const index = word >>> 24
    if (index >= common.length + locals) {
      throw new FormatError('unwind-info-encoding', `encoding ${index} of ${common.length + locals} is none`, at)
    }
    const own = encodings + (index - common.length) * 4
    const encoding = index < common.length ? common[index] : readU32(bytes, own)
    addEntry(info, base + (word & UNWIND_COMPRESSED_OFFSET_MASK), encoding, at)
  }
}

function addEntry(info: UnwindInfo, start: number, encoding: number, at: number): void {
  const { count } = info
  if (start > 0xffffffff || (count > 0 && start < info.start[count - 1])) {
    throw new FormatError('unwind-info-order', `function offset ${start} follows ${info.start[count - 1]}`, at)
  }
  const personality = (encoding & UNWIND_PERSONALITY_MASK) >>> UNWIND_PERSONALITY_SHIFT
  if (personality > info.personalities.length) {
    const text = `personality ${personality} of ${info.personalities.length} is none`
    throw new FormatError('unwind-info-personality', text, at)
  }
  info.start[count] = start
  info.encoding[count] = encoding
  info.count = count + 1
}

function trim(info: UnwindInfo): void {
  const { count } = info
  info.start = info.start.slice(0, count)
  info.encoding = info.encoding.slice(0, count)
  info.lsda = new Uint32Array(count)
  info.personality = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    info.personality[i] = (info.encoding[i] & UNWIND_PERSONALITY_MASK) >>> UNWIND_PERSONALITY_SHIFT
  }
}

/** Gives every record of the LSDA index to the entry of that function; the sentinel says where the array ends. */
function readLsdas(info: UnwindInfo, bytes: Uint8Array, index: number): void {
  const pages = info.pageKind.length
  const from = readU32(bytes, index + 8)
  const to = readU32(bytes, index + pages * UNWIND_INDEX_ENTRY_SIZE + 8)
  if (to > bytes.length) throw new FormatError('unwind-info-lsda', `lsda index ends at ${to}, past the section`, index)
  let place = from
  for (let p = 0; p <= pages; p++) {
    const at = index + p * UNWIND_INDEX_ENTRY_SIZE + 8
    const next = readU32(bytes, at)
    if (next < place || (next - from) % UNWIND_LSDA_ENTRY_SIZE !== 0) {
      throw new FormatError('unwind-info-lsda', `lsda index of a page at ${next} follows one at ${place}`, at)
    }
    place = next
  }
  const { count, start, encoding, lsda } = info
  let entry = 0
  for (let at = from; at < to; at += UNWIND_LSDA_ENTRY_SIZE) {
    const wanted = readU32(bytes, at)
    while (entry < count && start[entry] < wanted) entry++
    while (entry + 1 < count && encoding[entry] === 0 && start[entry + 1] === wanted) entry++
    if (entry === count || start[entry] !== wanted || lsda[entry] !== 0) {
      throw new FormatError('unwind-info-lsda', `lsda for function offset ${wanted}, which has no free entry`, at)
    }
    lsda[entry] = readU32(bytes, at + 4)
  }
}

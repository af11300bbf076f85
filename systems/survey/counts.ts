// How many rows an object can need at most, from its headers (and the bytes of its literal sections).
import { readU32 } from '../../src/core/bytes.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import type { ObjectHeader } from '../../src/formats/macho/object.ts'

/** The smallest FDE: length, CIE pointer, function, length. */
const SMALLEST_FRAME = 12

/** Words of an object's counts. */
export const COUNT_SECTIONS = 0
export const COUNT_SYMBOLS = 1
export const COUNT_BLOCKS = 2
export const COUNT_UNWINDS = 3
/** Bytes of the string table. */
export const COUNT_STRINGS = 4
/** 1: there is a section of debug information. */
export const COUNT_DEBUG = 5
/** 1: there are linker options. */
export const COUNT_OPTIONS = 6
export const COUNTS = 7

/** Writes the counts of an object to into[to .. to + COUNTS), its symbols lying in `tables`: a block for each section and symbol in one, literal, and frame record. */
export function countObject(
  bytes: Uint8Array,
  at: number,
  header: ObjectHeader,
  into: Float64Array,
  to: number,
  tables = bytes,
): void {
  let blocks = countDefined(tables, header)
  let unwinds = 0
  let debug = 0
  for (let i = 0; i < header.sectionCount; i++) {
    const section = header.sections + i * macho.SECTION_SIZE
    const size = readU32(bytes, section + 40)
    blocks += 1 + countLiterals(bytes, at, section, size)
    if (isFrameSection(bytes, section)) {
      const frames = countFrames(bytes, at + readU32(bytes, section + 48), size)
      blocks += frames
      unwinds += frames
    }
    if (isCompactUnwind(bytes, section)) unwinds += Math.ceil(size / 32)
    if (readU32(bytes, section + 64) & macho.S_ATTR_DEBUG && bytes[section + 16] === 0x5f) debug = 1
  }
  into[to + COUNT_SECTIONS] = header.sectionCount
  into[to + COUNT_SYMBOLS] = header.symbolCount
  into[to + COUNT_BLOCKS] = Math.ceil(blocks)
  into[to + COUNT_UNWINDS] = unwinds
  into[to + COUNT_STRINGS] = header.stringsSize
  into[to + COUNT_DEBUG] = debug
  into[to + COUNT_OPTIONS] = header.options === 0 ? 0 : 1
}

/** Symbols that lie in sections. Most of an object's are undefined: rows for them too would spread those there are over twice the pages. */
function countDefined(bytes: Uint8Array, header: ObjectHeader): number {
  const end = header.nlist + header.symbolCount * macho.NLIST_SIZE
  let count = 0
  for (let type = header.nlist + 4; type < end; type += macho.NLIST_SIZE)
    if ((bytes[type] & (macho.N_STAB | macho.N_TYPE)) === macho.N_SECT) count++
  return count
}

/** As many as the loader can find in the section: by their lengths, or by its size where those lead nowhere. */
function countFrames(bytes: Uint8Array, from: number, size: number): number {
  let count = 0
  let at = 0
  for (; at <= size - 4; count++) {
    const length = readU32(bytes, from + at)
    if (length === 0) return count
    at += length + 4
  }
  return at === size ? count : Math.ceil(size / SMALLEST_FRAME)
}

function countLiterals(bytes: Uint8Array, at: number, section: number, size: number): number {
  const type = readU32(bytes, section + 64) & macho.SECTION_TYPE
  if (type === macho.S_4BYTE_LITERALS) return size / 4 + 1
  if (type === macho.S_8BYTE_LITERALS) return size / 8 + 1
  if (type === macho.S_16BYTE_LITERALS) return size / 16 + 1
  if (type === macho.S_CSTRING_LITERALS) return countNuls(bytes, at + readU32(bytes, section + 48), size) + 1
  // Records of 32 bytes: __cfstring; pointers where literals are deduplicated: selector and class references.
  if (bytes[section] === 0x5f && (isNamed(bytes, section, '__cfstring') || isNamed(bytes, section, '__objc_')))
    return size / 8 + 1
  return 0
}

/** 0x80808080, as an integer that needs no allocation. */
const HIGH_BITS = -0x7f7f7f80

/** NUL bytes, four at a time: a word without one (most) is passed over by one test. */
function countNuls(bytes: Uint8Array, from: number, size: number): number {
  const end = from + size
  let count = 0
  let at = from
  const absolute = bytes.byteOffset + from
  while (at < end && (absolute + at - from) % 4 !== 0) if (bytes[at++] === 0) count++
  if (at === end) return count
  if (at >= end) return count
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2)
  for (let i = 0; i < words.length; i++) {
    const word = words[i]
    if (((word - 0x01010101) & ~word & HIGH_BITS) === 0) continue
    if ((word & 0xff) === 0) count++
    if ((word & 0xff00) === 0) count++
    if ((word & 0xff0000) === 0) count++
    if (word >>> 24 === 0) count++
  }
  for (at += words.length * 4; at < end; at++) if (bytes[at] === 0) count++
  return count
}

function isNamed(bytes: Uint8Array, at: number, prefix: string): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix.charCodeAt(i)) return false
  return true
}

function isFrameSection(bytes: Uint8Array, section: number): boolean {
  return isNamed(bytes, section, '__eh_frame\0') && isNamed(bytes, section + 16, '__TEXT\0')
}

function isCompactUnwind(bytes: Uint8Array, section: number): boolean {
  return isNamed(bytes, section, '__compact_unwind') && isNamed(bytes, section + 16, '__LD\0')
}

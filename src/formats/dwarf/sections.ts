import { cstringEnd, FormatError, readU16, readU32, readU64, toText } from '../../core/bytes.ts'
import { type Cursor, cursorOver } from '../dyld/cursor.ts'

/** Bytes [from, to) of the buffer; empty for a section that the object does not have. */
export type ByteRange = { readonly from: number; readonly to: number }

/** __debug_info, __debug_abbrev, __debug_str, __debug_line_str and __debug_str_offs of the segment __DWARF. */
export type DwarfSections = {
  readonly info: ByteRange
  readonly abbrev: ByteRange
  readonly str: ByteRange
  readonly lineStr: ByteRange
  readonly strOffsets: ByteRange
}

/** Start of a unit in __debug_info or __debug_line: its last byte and the width of its offsets (8 in 64-bit DWARF). */
export type UnitExtent = { end: number; offsetSize: 4 | 8 }

/** No path is longer; keeps a missing NUL from costing a walk over the whole string section. */
const MAX_STRING = 1 << 16

/** A cursor over a section that the caller found; throws `dwarf-bounds` when the buffer does not hold it. */
export function openSection(bytes: Uint8Array, { from, to }: ByteRange): Cursor {
  if (!(from >= 0 && from <= to && to <= bytes.length)) {
    throw new FormatError('dwarf-bounds', `section from ${from} to ${to} in ${bytes.length} bytes`, from)
  }
  return cursorOver(bytes, from, to)
}

/** What `read` returns, or null when it meets malformed DWARF, which costs a link nothing but a stab or a line number. */
export function orNull<T>(read: () => T | null): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}

/** Moves `count` bytes on and returns where they start. */
export function take(cursor: Cursor, count: number): number {
  const start = cursor.at
  if (!(count >= 0 && count <= cursor.end - start)) {
    throw new FormatError('dwarf-truncated', `expected ${count} bytes, got ${cursor.end - start}`, start)
  }
  cursor.at = start + count
  return start
}

/** An unsigned number of 1, 2, 3, 4 or 8 bytes; rounded from 2^53. */
export function readFixed(cursor: Cursor, width: number): number {
  const at = take(cursor, width)
  const { bytes } = cursor
  if (width === 8) return readU64(bytes, at)
  if (width === 4) return readU32(bytes, at)
  if (width === 1) return bytes[at]
  return width === 2 ? readU16(bytes, at) : readU16(bytes, at) | (bytes[at + 2] << 16)
}

/** The initial length of a unit. */
export function readExtent(cursor: Cursor): UnitExtent {
  const start = cursor.at
  let length = readFixed(cursor, 4)
  const wide = length === 0xffffffff
  if (wide) length = readFixed(cursor, 8)
  const room = cursor.end - cursor.at
  if (length > room) throw new FormatError('dwarf-length', `unit of ${length} bytes, expected at most ${room}`, start)
  return { end: cursor.at + length, offsetSize: wide ? 8 : 4 }
}

/** The NUL-terminated text at bytes[at], which ends before `end`. */
export function stringAt(bytes: Uint8Array, at: number, end: number): string {
  const limit = Math.min(end, at + MAX_STRING)
  const stop = cstringEnd(bytes, at, limit)
  if (stop >= limit) throw new FormatError('dwarf-string', 'expected a NUL, got the end of the data', at)
  return toText(bytes, at, stop)
}

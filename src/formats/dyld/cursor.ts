import { type ByteSink, cstringEnd, FormatError } from '../../core/bytes.ts'

/** A place in untrusted bytes: `at` moves forward, never past `end`. */
export type Cursor = { bytes: Uint8Array; at: number; end: number }

/** A cursor over bytes[from, to). */
export function cursorOver(bytes: Uint8Array, from = 0, to = bytes.length): Cursor {
  return { bytes, at: from, end: to }
}

/** The next byte; throws `truncated` at the end. */
export function readByte(cursor: Cursor): number {
  if (cursor.at >= cursor.end) throw new FormatError('truncated', 'expected a byte, got the end of the data', cursor.at)
  return cursor.bytes[cursor.at++]
}

/**
 * An unsigned LEB128 of at most 64 bits as a number: exact below 2^53, rounded above, and negative (two's complement)
 * when it lies less than 2^53 below 2^64. Throws `truncated` or `leb-too-long`.
 */
export function readRoundedUleb(cursor: Cursor): number {
  const start = cursor.at
  let value = 0
  let complement = 0
  let scale = 1
  for (let size = 1; size <= 10; size++) {
    const byte = readByte(cursor)
    if (size === 10 && byte > 1) break
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return size === 10 && byte === 1 && complement < Number.MAX_SAFE_INTEGER ? -complement - 1 : value
    complement += (0x7f - (byte & 0x7f)) * scale
    scale *= 128
  }
  throw new FormatError('leb-too-long', 'expected a number of at most 64 bits, got more', start)
}

/** As `readRoundedUleb`, but throws `leb-too-large` where the number would not be exact. */
export function readUleb64(cursor: Cursor): number {
  const start = cursor.at
  const value = readRoundedUleb(cursor)
  if (Number.isSafeInteger(value)) return value
  throw new FormatError('leb-too-large', `expected a number below 2^53, got ${value}`, start)
}

/** An unsigned LEB128 below 2^53; throws `truncated`, `leb-too-long` or `leb-too-large`. */
export function readUleb(cursor: Cursor): number {
  const start = cursor.at
  const value = readUleb64(cursor)
  if (value >= 0) return value
  throw new FormatError('leb-too-large', `expected a number below 2^53, got 2^64${value}`, start)
}

/** A signed LEB128 of magnitude below 2^53; throws `truncated`, `leb-too-long` or `leb-too-large`. */
export function readSleb(cursor: Cursor): number {
  const start = cursor.at
  let value = 0
  let complement = 0
  let scale = 1
  for (let size = 1; size <= 10; size++) {
    const byte = readByte(cursor)
    value += (byte & 0x7f) * scale
    complement += (0x7f - (byte & 0x7f)) * scale
    scale *= 128
    if (byte >= 0x80) continue
    const result = (byte & 0x40) === 0 ? value : -complement - 1
    if (Number.isSafeInteger(result)) return result
    throw new FormatError('leb-too-large', `expected a magnitude below 2^53, got ${result}`, start)
  }
  throw new FormatError('leb-too-long', 'expected a number of at most 64 bits, got more', start)
}

/** Moves past a NUL-terminated string and returns where it ended; throws `unterminated-string`. */
export function skipCstring(cursor: Cursor): number {
  const end = cstringEnd(cursor.bytes, cursor.at, cursor.end)
  if (end === cursor.end) throw new FormatError('unterminated-string', 'expected a NUL, got the end of the data', end)
  cursor.at = end + 1
  return end
}

/** Unsigned LEB128 of |value| < 2^53; a negative value is written as 2^64 + value, ten bytes. */
export function appendUleb64(sink: ByteSink, value: number): void {
  if (value >= 0) {
    sink.uleb(value)
    return
  }
  for (let i = 0; i < 9; i++) {
    sink.u8((((value % 128) + 128) % 128) | 0x80)
    value = Math.floor(value / 128)
  }
  sink.u8(1)
}

// A position in a byte range, with the variable-length numbers of DWARF and dyld info.

export interface Cursor {
  bytes: Uint8Array
  view: DataView
  at: number
  end: number
}

/** A cursor over [from, to) of `bytes`. */
export function cursorOver(bytes: Uint8Array, from: number, to: number): Cursor {
  if (from < 0 || to > bytes.length || from > to) throw new RangeError(`range ${from}..${to} of ${bytes.length} bytes`)
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: from, end: to }
}

export function nextByte(c: Cursor): number {
  if (c.at >= c.end) throw new RangeError(`read past ${c.end}`)
  return c.bytes[c.at++]!
}

/** An unsigned LEB128, modulo 2^64. */
export function nextUleb(c: Cursor): bigint {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = nextByte(c)
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return BigInt.asUintN(64, value)
  }
}

/** A signed LEB128 as a number. */
export function nextSleb(c: Cursor): number {
  let value = 0n
  for (let shift = 7n, bits = 0n; ; shift += 7n, bits += 7n) {
    const byte = nextByte(c)
    value |= BigInt(byte & 0x7f) << bits
    if (byte < 0x80) return Number(BigInt.asIntN(Number(shift), value))
  }
}

export function nextText(c: Cursor): string {
  let to = c.at
  while (to < c.end && c.bytes[to] !== 0) to++
  const text = new TextDecoder().decode(c.bytes.subarray(c.at, to))
  c.at = to + 1
  return text
}

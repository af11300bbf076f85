// Bounds-checked little-endian reading and growing byte output. For cold paths; hot loops use typed-array views.

const decoder = new TextDecoder('utf-8')
const encoder = new TextEncoder()

/** Thrown by readers of input bytes. `offset` is where in the input the trouble is; the caller adds the file. */
export class FormatError extends Error {
  readonly id: string
  readonly offset: number
  constructor(id: string, text: string, offset: number) {
    super(text)
    this.name = 'FormatError'
    this.id = id
    this.offset = offset
  }
}

/** Bytes as text; copies when the bytes are shared between threads, which TextDecoder refuses. */
export function toText(bytes: Uint8Array, from = 0, to = bytes.length): string {
  const part = bytes.subarray(from, to)
  return decoder.decode(part.buffer instanceof ArrayBuffer ? part : new Uint8Array(part))
}

export function fromText(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Index of the NUL that ends the string at `at`, or `end` when there is none. */
export function cstringEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== 0) at++
  return at
}

/** A fixed-width name field (segname, sectname): up to `width` bytes, NUL-padded. */
export function fixedName(bytes: Uint8Array, at: number, width = 16): string {
  return toText(bytes, at, cstringEnd(bytes, at, at + width))
}

export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8)
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

export function readI32(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
}

export function readU32be(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
}

/** Exact below 2^53; callers that need all 64 bits read two words. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * 4294967296
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

export function writeU32be(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** Takes -2^53 < value < 2^53; negative values are written in two's complement. */
export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value % 4294967296)
  writeU32(bytes, at + 4, Math.floor(value / 4294967296))
}

/** A growing byte output for tables whose size is known only when they are made. */
export class ByteSink {
  bytes: Uint8Array
  length = 0
  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity)
  }
  reserve(extra: number): void {
    if (this.length + extra <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + extra))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
  u8(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1)
    this.bytes[this.length++] = value
  }
  u16(value: number): void {
    this.reserve(2)
    writeU16(this.bytes, this.length, value)
    this.length += 2
  }
  u32(value: number): void {
    this.reserve(4)
    writeU32(this.bytes, this.length, value)
    this.length += 4
  }
  u64(value: number): void {
    this.reserve(8)
    writeU64(this.bytes, this.length, value)
    this.length += 8
  }
  /** Unsigned LEB128 of 0 <= value < 2^53. */
  uleb(value: number): void {
    while (value > 127) {
      this.u8((value % 128) | 0x80)
      value = Math.floor(value / 128)
    }
    this.u8(value)
  }
  /** Signed LEB128 of |value| < 2^53. */
  sleb(value: number): void {
    for (;;) {
      const low = ((value % 128) + 128) % 128
      value = Math.floor(value / 128)
      if ((value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0)) return this.u8(low)
      this.u8(low | 0x80)
    }
  }
  append(part: Uint8Array): void {
    this.reserve(part.length)
    this.bytes.set(part, this.length)
    this.length += part.length
  }
  cstring(text: string): void {
    this.append(fromText(text))
    this.u8(0)
  }
  alignTo(alignment: number): void {
    while (this.length % alignment !== 0) this.u8(0)
  }
  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
}

export function ulebSize(value: number): number {
  let size = 1
  for (; value > 0x7fffffff; value = Math.floor(value / 128)) size++
  for (let low = value | 0; low > 127; low >>>= 7) size++
  return size
}

import { mix, step } from './words.ts'

/**
 * Hash of bytes[from, to), 0 <= hash < 2^31 (a larger one would be allocated when handed on): multiply and fold, four bytes a step (a step is one
 * multiplication's latency; byte by byte took three times as long on names of 30 bytes), the length last, with a final avalanche.
 */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0
  let at = from
  for (const last = to - 4; at <= last; at += 4)
    hash = step(hash, bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24))
  let tail = 0
  for (let shift = 0; at < to; at++, shift += 8) tail |= bytes[at] << shift
  return mix(step(hash, tail) ^ (to - from))
}

/** As hashBytes, with one access a step: for literals, which are all hashed in one loop. */
export function hashText(view: DataView, from: number, to: number): number {
  let hash = 0
  let at = from
  for (const last = to - 4; at <= last; at += 4) hash = step(hash, view.getInt32(at, true))
  let tail = 0
  for (let shift = 0; at < to; at++, shift += 8) tail |= view.getUint8(at) << shift
  return mix(step(hash, tail) ^ (to - from))
}

export function sameBytes(a: Uint8Array, from: number, b: Uint8Array, start: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[from + i] !== b[start + i]) return false
  return true
}

/** As sameBytes, four bytes a step: for names, which are compared in full once for each mention. */
export function sameText(a: DataView, from: number, b: DataView, start: number, length: number): boolean {
  let i = 0
  for (; i + 4 <= length; i += 4) if (a.getInt32(from + i, true) !== b.getInt32(start + i, true)) return false
  for (; i < length; i++) if (a.getUint8(from + i) !== b.getUint8(start + i)) return false
  return true
}

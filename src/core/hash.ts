/**
 * Hash of bytes[from, to), 0 <= hash < 2^31 (a larger one would be allocated when handed on): multiply and fold, four bytes a step (a step is one multiplication's
 * latency; byte by byte took three times as long on names of 30 bytes), with a final avalanche.
 */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = (to - from) | 0
  let at = from
  for (const last = to - 4; at <= last; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    hash = Math.imul(hash ^ word, 0x9e3779b1)
    hash ^= hash >>> 15
  }
  let tail = 0
  for (let shift = 0; at < to; at++, shift += 8) tail |= bytes[at] << shift
  return mix(Math.imul(hash ^ tail, 0x9e3779b1))
}

/** Finalizer of MurmurHash3: spreads the entropy of all bits over the word. */
export function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 1
}

export function sameBytes(a: Uint8Array, from: number, b: Uint8Array, start: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[from + i] !== b[start + i]) return false
  return true
}

/** Bytes before the NUL at or after `from`; to `end` when there is none. */
export function nameLength(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && bytes[at] !== 0) at++
  return at - from
}

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

function step(hash: number, word: number): number {
  const next = Math.imul(hash ^ word, 0x9e3779b1)
  return next ^ (next >>> 15)
}

/**
 * For strings first .. last - 1 that begin at `start[i]` and end with a NUL: the bytes before it and their hash, as hashBytes has it. A string that
 * has no NUL before `end` gets a length that reaches to `end` or past it. Three bytes past `end` must be readable.
 */
export function measureStrings(
  view: DataView,
  start: Uint32Array,
  first: number,
  last: number,
  end: number,
  length: Uint32Array,
  hashes: Uint32Array,
): void {
  for (let i = first; i < last; i++) {
    const from = start[i]
    let at = from
    let hash = 0
    for (; at < end; at += 4) {
      const word = view.getUint32(at, true) | 0
      // The lowest set bit marks the first NUL byte of the word, if any.
      const nul = (word - 0x01010101) & ~word & 0x80808080
      if (nul !== 0) {
        const bits = 24 - (Math.clz32(nul & -nul) & 0x18)
        hash = step(hash, word & ((1 << bits) - 1))
        at += bits >> 3
        break
      }
      hash = step(hash, word)
    }
    length[i] = at - from
    hashes[i] = mix(hash ^ (at - from))
  }
}

/** Spreads the entropy of all bits over the word, 0 <= hash < 2^31. */
export function mix(hash: number): number {
  return avalanche(hash) >>> 1
}

/** Finalizer of MurmurHash3. */
export function avalanche(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return word ^ (word >>> 16)
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

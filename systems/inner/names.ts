// Names of one object: lengths and hashes of externals, and those of locals side by side.
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_OMITTED } from '../../components/symbols.ts'
import { MAX_NAME_LENGTH } from '../../components/names.ts'
import type { f64, i32, u32, U16, U32, U8, View } from '../../src/core/widths.ts'
import { mix, step } from '../../src/core/words.ts'

/** 0x80808080, as an integer that needs no allocation. */
const HIGH_BITS = -0x7f7f7f80

/**
 * Lengths and hashes (as hashBytes in src/core/hash.ts has them) of `count` names that begin at `start[i]` in `strings` and end with a NUL. The
 * lengths are `place`'s lower bits, `arena` its upper ones; then `position` is added to `start`, and `first` to `row`. Three
 * bytes behind `size` must be readable.
 * @returns the bytes of all names, or -1 - i when name i is empty, too long, not terminated, or more than `most` bytes have been spelled
 */
export function measureNames(
  strings: View,
  size: i32,
  count: i32,
  most: f64,
  arena: i32,
  position: u32,
  first: u32,
  row: U32,
  start: U32,
  place: U32,
  hash: U32,
): f64 {
  let spelled = 0.0
  for (let i = 0; i < count; i++) {
    const from = start[i] as i32
    let at = from
    let mixed = 0
    for (; at < size; at += 4) {
      const word = strings.getInt32(at, true)
      // The lowest set bit marks the first NUL byte of the word, if any.
      const nul = (word - 0x01010101) & ~word & HIGH_BITS
      if (nul !== 0) {
        const bits = 24 - (Math.clz32(nul & -nul) & 0x18)
        mixed = step(mixed, word & ((1 << bits) - 1))
        at += bits >> 3
        break
      }
      mixed = step(mixed, word)
    }
    const length = at - from
    spelled += length as f64
    if (length === 0 || at >= size || length > MAX_NAME_LENGTH || spelled > most) return (-1 - i) as f64
    place[i] = length | (arena << 24)
    hash[i] = mix(mixed ^ length)
    start[i] += position
    row[i] += first
  }
  return spelled
}

/**
 * Puts the names of local symbols that the output may have into `names`, each with a NUL. Three bytes behind `size` must be readable.
 * @returns how many bytes they are, or -1 when they are more than `most`
 */
export function gatherLocals(
  records: U32,
  count: i32,
  flags: U16,
  strings: View,
  bytes: U8,
  size: i32,
  names: View,
  into: U8,
  most: i32,
): i32 {
  let to = 0
  for (let i = 0; i < count; i++) {
    if ((flags[i] & (SYMBOL_DEFINED | SYMBOL_OMITTED | SYMBOL_EXTERNAL)) !== SYMBOL_DEFINED) continue
    let at = records[i * 4] as i32
    for (; at + 4 <= size && to < most; at += 4, to += 4) {
      const four = strings.getInt32(at, true)
      if (((four - 0x01010101) & ~four & HIGH_BITS) !== 0) break
      names.setInt32(to, four, true)
    }
    for (; at < size && bytes[at] !== 0 && to < most; at++) into[to++] = bytes[at]
    if (to >= most) return -1
    into[to++] = 0
  }
  return to
}

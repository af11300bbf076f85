// The blocks of one section that is split at its symbols.
import { SYMBOL_ALT_ENTRY } from '../../components/symbols.ts'
import type { f64, i32, u32, U16, U32, U8 } from '../../src/core/widths.ts'
import { trailingZeros } from '../../src/core/words.ts'

/**
 * One block, or, where `split` is set, one from each symbol to the next, alternative entries left out. The symbols are
 * order[from] .. order[to - 1]; they get their block, counted from `block`, the offset in it, and `marks`. `address` and `size` are the section's.
 * `starts`, `sizes` and `aligns` get the blocks' offsets in the section, sizes, and log2 of alignments, at most `alignPow2`.
 * @returns how many blocks there are, or -1 - i when record i lies outside of the section
 */
export function splitAtSymbols(
  records: U32,
  order: U32,
  from: i32,
  to: i32,
  address: f64,
  size: f64,
  split: i32,
  alignPow2: i32,
  marks: i32,
  block: i32,
  flags: U16,
  blockOf: U32,
  offsetOf: U32,
  starts: U32,
  sizes: U32,
  aligns: U8,
): i32 {
  let last = 0
  let begin = 0.0
  starts[0] = 0
  aligns[0] = alignPow2
  for (let i = from; i < to; i++) {
    const symbol = order[i] as i32
    const offset = (records[symbol * 4 + 2] as f64) + (records[symbol * 4 + 3] as f64) * 4294967296.0 - address
    if (offset < 0.0 || offset > size) return -1 - symbol
    if (split !== 0 && offset !== begin && (flags[symbol] & SYMBOL_ALT_ENTRY) === 0) {
      sizes[last++] = (offset - begin) as u32
      begin = offset
      starts[last] = offset as u32
      aligns[last] = trailingZeros((records[symbol * 4 + 2] | 0) as i32, alignPow2)
    }
    blockOf[symbol] = block + last
    offsetOf[symbol] = (offset - begin) as u32
    flags[symbol] = flags[symbol] | marks
  }
  sizes[last] = (size - begin) as u32
  return last + 1
}

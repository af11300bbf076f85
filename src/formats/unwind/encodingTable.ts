import { mix } from '../../core/words.ts'
import { UNWIND_COMMON_ENCODINGS_MAX } from './constants.ts'

/** The distinct encodings, numbered from 0 in order of first use. `id[i]` is the number of `encoding[i]`. */
export interface EncodingTable {
  count: number
  id: Uint32Array
  value: Uint32Array
  uses: Uint32Array
}

export function encodingTable(encoding: Uint32Array): EncodingTable {
  let capacity = 16
  while (capacity < encoding.length * 2) capacity *= 2
  const slots = new Uint32Array(capacity)
  const id = new Uint32Array(encoding.length)
  const value = new Uint32Array(encoding.length)
  const uses = new Uint32Array(encoding.length)
  let count = 0
  for (let i = 0; i < encoding.length; i++) {
    const wanted = encoding[i]
    let slot = mix(wanted) & (capacity - 1)
    while (slots[slot] !== 0 && value[slots[slot] - 1] !== wanted) slot = (slot + 1) & (capacity - 1)
    if (slots[slot] === 0) {
      value[count] = wanted
      slots[slot] = ++count
    }
    id[i] = slots[slot] - 1
    uses[id[i]]++
  }
  return { count, id, value, uses }
}

/** Ids of the most used encodings, at most 127; equal use is ordered by the larger encoding, as ld64.lld does. */
export function commonEncodings(table: EncodingTable): Uint32Array {
  const { value, uses } = table
  const best = new Uint32Array(Math.min(table.count, UNWIND_COMMON_ENCODINGS_MAX))
  let filled = 0
  const before = (a: number, b: number): boolean => uses[a] > uses[b] || (uses[a] === uses[b] && value[a] > value[b])
  // DWARF encodings ascend with the address and are used once: from the back they arrive in order and move nothing.
  for (let id = table.count - 1; id >= 0; id--) {
    if (filled === best.length && !before(id, best[filled - 1])) continue
    let at = filled === best.length ? filled - 1 : filled++
    for (; at > 0 && before(id, best[at - 1]); at--) best[at] = best[at - 1]
    best[at] = id
  }
  return best
}

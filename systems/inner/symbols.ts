// Symbols of one object: flags and values from its nlist records, names of externals, and which lie in which section.
import {
  SYMBOL_ABSOLUTE,
  SYMBOL_ALT_ENTRY,
  SYMBOL_AUTO_HIDE,
  SYMBOL_COLD,
  SYMBOL_COMMON,
  SYMBOL_DEFINED,
  SYMBOL_EXTERNAL,
  SYMBOL_NO_DEAD_STRIP,
  SYMBOL_OMITTED,
  SYMBOL_PRIVATE,
  SYMBOL_REFERENCED_DYNAMICALLY,
  SYMBOL_WEAK_DEF,
  SYMBOL_WEAK_REF,
} from '../../components/symbols.ts'
import { CONTENT_DROPPED } from '../../components/sections.ts'
import {
  N_ABS,
  N_COLD_FUNC,
  N_EXT,
  N_INDR,
  N_NO_DEAD_STRIP,
  N_PEXT,
  N_SECT,
  N_STAB,
  N_TYPE,
  N_UNDF,
  N_WEAK_DEF,
  N_WEAK_REF,
  N_ALT_ENTRY,
  REFERENCED_DYNAMICALLY,
} from '../../src/formats/macho/constants.ts'
import type { i32, u32, U16, U32, U8 } from '../../src/core/widths.ts'

const LOWER_L = 0x6c
const UPPER_L = 0x4c

/**
 * Flags and values (the low words of addresses; sizes of common symbols) of symbols 0 .. count - 1, which are zero before. `row` and `start` get the
 * externals and the places of their names in `strings`; `odd`, behind its first element, which counts them, those with absolute values
 * or other names. `content` is that of the sections, from 1 on.
 * @returns how many externals there are, or -1 - i when record i is wrong
 */
export function readSymbols(
  records: U32,
  count: i32,
  strings: U8,
  stringsSize: u32,
  hidden: i32,
  content: U8,
  sections: i32,
  flags: U16,
  offset: U32,
  row: U32,
  start: U32,
  odd: U32,
): i32 {
  let externals = 0
  for (let i = 0; i < count; i++) {
    const strx = records[i * 4]
    const word = records[i * 4 + 1]
    const type = (word & 0xff) as i32
    if (type & N_STAB) continue
    if (strx >= stringsSize && !(strx === 0 && stringsSize === 0)) return -1 - i
    const low = records[i * 4 + 2]
    const is = symbolFlags(type, (word >>> 16) as i32, low, records[i * 4 + 3], hidden)
    if (is < 0) return -1 - i
    if ((is & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) === SYMBOL_DEFINED) {
      const section = ((word >>> 8) & 0xff) as i32
      if (section === 0 || section > sections) return -1 - i
      if (content[section] === CONTENT_DROPPED) continue
    }
    if (type & N_EXT) {
      row[externals] = i
      start[externals++] = strx
    }
    const first = strx < stringsSize ? strings[strx as i32] : 0
    const local = !(type & N_EXT) && (first === LOWER_L || first === UPPER_L)
    flags[i] = local ? is | SYMBOL_OMITTED : is
    offset[i] = low
    if (is & SYMBOL_ABSOLUTE) {
      odd[0]++
      odd[odd[0] as i32] = i
    }
  }
  return externals
}

/** Flags of a record, or -1 for one that cannot be linked. */
function symbolFlags(type: i32, desc: i32, low: u32, high: u32, hidden: i32): i32 {
  const external = type & N_EXT ? SYMBOL_EXTERNAL : 0
  const priv = external && (type & N_PEXT || hidden) ? SYMBOL_PRIVATE : 0
  const kind = type & N_TYPE
  if (kind === N_SECT) return external | priv | sectionFlags(desc, external, priv)
  if (kind === N_UNDF) {
    if (!external) return low === 0 && high === 0 ? 0 : -1
    if (low !== 0 || high !== 0) return high === 0 ? external | priv | SYMBOL_COMMON : -1
    return external | (desc & N_WEAK_REF ? SYMBOL_WEAK_REF : 0)
  }
  if (kind === N_ABS)
    return external | priv | SYMBOL_DEFINED | SYMBOL_ABSOLUTE | (desc & N_NO_DEAD_STRIP ? SYMBOL_NO_DEAD_STRIP : 0)
  if (kind === N_INDR) return external | priv | (external ? SYMBOL_ABSOLUTE : 0)
  return -1
}

function sectionFlags(desc: i32, external: i32, priv: i32): i32 {
  let flags = SYMBOL_DEFINED
  if (desc & N_WEAK_DEF) flags |= SYMBOL_WEAK_DEF
  // ld64.lld: an auto-hidden definition is private extern unless something exports it; both at once is just private.
  if (external && (desc & (N_WEAK_DEF | N_WEAK_REF)) === (N_WEAK_DEF | N_WEAK_REF))
    flags |= priv ? 0 : SYMBOL_AUTO_HIDE | SYMBOL_PRIVATE
  if (desc & N_ALT_ENTRY) flags |= SYMBOL_ALT_ENTRY
  if (desc & N_NO_DEAD_STRIP) flags |= SYMBOL_NO_DEAD_STRIP
  if (desc & REFERENCED_DYNAMICALLY) flags |= SYMBOL_REFERENCED_DYNAMICALLY
  if (desc & N_COLD_FUNC) flags |= SYMBOL_COLD
  return flags
}

/**
 * Counting sort of the symbols that lie in sections by section, each group by (place in the section, place among the records): those of section s
 * are order[starts[s]] .. order[starts[s + 1] - 1]. `address` and `bases`, those of the sections from 1 on, are low words: a section
 * of less than 4 GiB may begin below a multiple of that and end above. `bases`, `starts` and `fill` have 258 elements.
 */
export function groupSymbols(
  records: U32,
  count: i32,
  flags: U16,
  address: U32,
  bases: U32,
  starts: U32,
  fill: U32,
  order: U32,
): void {
  for (let section = 0; section < 258; section++) starts[section] = 0
  for (let i = 0; i < count; i++) if (isInSection(flags[i])) starts[(((records[i * 4 + 1] >>> 8) & 0xff) as i32) + 1]++
  for (let section = 1; section < 258; section++) {
    starts[section] += starts[section - 1]
    fill[section - 1] = starts[section - 1]
  }
  for (let i = 0; i < count; i++)
    if (isInSection(flags[i])) {
      const section = ((records[i * 4 + 1] >>> 8) & 0xff) as i32
      order[fill[section] as i32] = i
      fill[section]++
    }
  for (let section = 1; section < 256; section++)
    sortByAddress(address, bases[section], order, starts[section] as i32, starts[section + 1] as i32)
}

function isInSection(flags: i32): boolean {
  return (flags & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE | SYMBOL_COMMON)) === SYMBOL_DEFINED
}

/** Compilers write symbols nearly in order: looked at first, put on a heap when not. */
function sortByAddress(address: U32, base: u32, order: U32, from: i32, to: i32): void {
  let sorted = true
  for (let i = from + 1; i < to; i++) if (isBehind(address, base, order[i - 1], order[i])) sorted = false
  if (sorted) return
  const count = to - from
  for (let i = (count >> 1) - 1; i >= 0; i--) sink(address, base, order, from, i, count)
  for (let last = count - 1; last > 0; last--) {
    const top = order[from]
    order[from] = order[from + last]
    order[from + last] = top
    sink(address, base, order, from, 0, last)
  }
}

function isBehind(address: U32, base: u32, a: u32, b: u32): boolean {
  const first = (address[a as i32] - base) >>> 0
  const second = (address[b as i32] - base) >>> 0
  return first > second || (first === second && a > b)
}

/** Puts element `i` of the heap order[from] .. order[from + count - 1], whose first is the last by address, to its place. */
function sink(address: U32, base: u32, order: U32, from: i32, i: i32, count: i32): void {
  const own = order[from + i]
  for (let child = i * 2 + 1; child < count; child = i * 2 + 1) {
    if (child + 1 < count && isBehind(address, base, order[from + child + 1], order[from + child])) child++
    if (!isBehind(address, base, order[from + child], own)) break
    order[from + i] = order[from + child]
    i = child
  }
  order[from + i] = own
}

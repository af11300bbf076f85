// Equal names once in the string table, as ld64.lld has it: the first row with a name brings it, later ones refer there. A pass over a
// finished table, so that links which do not ask for it have no part of it.
import type { ByteSink } from '../../src/core/bytes.ts'
import { hashBytes, sameBytes } from '../../src/core/hash.ts'
import { NLIST_SIZE } from '../../src/formats/macho/constants.ts'

const NLIST_WORDS = NLIST_SIZE / 4

/*
 * Open addressing with linear probing over the names of a string table, by slot:
 *   place  u32  where the name begins, 0 for a free slot (a blank stands there)
 *   hash   u32
 */
export interface NameSlots {
  place: Uint32Array
  hash: Uint32Array
  mask: number
  /** Slots looked at past the first of each search. */
  probes: number
}

/**
 * Leaves in `strings` what stands before `start`, and behind it each name of the rows words[from, to) once, in order; the rows get its
 * place. Room for `more` names that come later.
 */
export function shareNames(
  words: Uint32Array,
  from: number,
  to: number,
  strings: ByteSink,
  start: number,
  more: number,
): NameSlots {
  const slots = createSlots((to - from) / NLIST_WORDS + more)
  const names = strings.bytes.slice(0, strings.length)
  strings.bytes.fill(0, start, strings.length)
  strings.length = start
  for (let at = from; at < to; at += NLIST_WORDS) {
    const name = words[at]
    words[at] = shareName(slots, strings, names, name, names.indexOf(0, name))
  }
  return slots
}

function createSlots(names: number): NameSlots {
  let size = 16
  while (size < names * 2) size *= 2
  return { place: new Uint32Array(size), hash: new Uint32Array(size), mask: size - 1, probes: 0 }
}

/** The place of the name bytes[from, to), which `strings` gets when it does not have it. */
export function shareName(slots: NameSlots, strings: ByteSink, bytes: Uint8Array, from: number, to: number): number {
  const { place, hash: hashes, mask } = slots
  const hash = hashBytes(bytes, from, to)
  let slot = hash & mask
  while (place[slot] !== 0) {
    if (hashes[slot] === hash && isName(strings, place[slot], bytes, from, to)) return place[slot]
    slot = (slot + 1) & mask
    slots.probes++
  }
  const at = strings.length
  strings.append(bytes.subarray(from, to))
  strings.u8(0)
  place[slot] = at
  hashes[slot] = hash
  return at
}

function isName(strings: ByteSink, at: number, bytes: Uint8Array, from: number, to: number): boolean {
  const end = at + to - from
  return end < strings.length && strings.bytes[end] === 0 && sameBytes(strings.bytes, at, bytes, from, to - from)
}

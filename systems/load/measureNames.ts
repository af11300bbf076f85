// Length and hash of names in a string table, and how many bytes they have in all: records may share their strings.
import { measureStrings } from '../../src/core/hash.ts'

/** How often, on average, a byte of the string table may be part of a name. */
const MAX_SHARING = 64
/** Names between two looks at how much has been spelled, each of which may be as long as the table. */
const NAMES_A_CHECK = 128

export function mostSpelled(stringsSize: number): number {
  return stringsSize * MAX_SHARING
}

/**
 * As measureStrings, of names first .. last - 1 in the string table that ends at `end`.
 * @returns their bytes; once they are more than `most`, the rest is not measured
 */
export function measureNames(
  view: DataView,
  start: Uint32Array,
  first: number,
  last: number,
  end: number,
  most: number,
  length: Uint32Array,
  hash: Uint32Array,
): number {
  let spelled = 0
  for (let from = first; from < last && spelled <= most; from += NAMES_A_CHECK) {
    const to = Math.min(from + NAMES_A_CHECK, last)
    measureStrings(view, start, from, to, end, length, hash)
    for (let i = from; i < to; i++) spelled += length[i]
  }
  return spelled
}

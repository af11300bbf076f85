// Names by parts of their hashes, as load has found them: a few lookups go without an index, which takes as long to fill as
// some hundred thousand of them.
import type { NameId } from './ids.ts'

/** The names of part p have the numbers from base[p] + 1 on, counts[p] of them: ids and hashes by number. */
export interface NameParts {
  bits: number
  base: Uint32Array
  counts: Uint32Array
  ids: Uint32Array
  hashes: Uint32Array
  /** Names up to here are in the parts. */
  covered: NameId
  /** Lookups so far. */
  sought: number
}

/** A lookup reads some thousand hashes: in so many, about as long as the index takes. */
const MOST_LOOKUPS = 20_000
/** Names behind those that are covered, which each lookup reads too. */
const MOST_BEHIND = 4096

/** Whether one more is better looked up here than in an index made for it. */
export function isWorthSeeking(parts: NameParts, count: number): boolean {
  return ++parts.sought <= MOST_LOOKUPS && count - parts.covered <= MOST_BEHIND
}

/** The first name with this hash for which `isIt`, or 0; `hashBits` are those of all hashes. */
export function seekInPart(
  { bits, base, counts, ids, hashes }: NameParts,
  hash: number,
  hashBits: number,
  isIt: (name: NameId) => boolean,
): NameId {
  const part = hash >>> (hashBits - bits)
  const ofPart = hashes.subarray(base[part] + 1, base[part] + 1 + counts[part])
  for (let at = ofPart.indexOf(hash); at >= 0; at = ofPart.indexOf(hash, at + 1)) {
    const name = ids[base[part] + 1 + at]
    if (isIt(name)) return name
  }
  return 0
}

// Places of fixups, segment by segment in ascending order.
import { SEGMENT_STRIDE } from '../../components/fixups.ts'
import type { Link } from '../../components/link.ts'
import { sortNumbers } from '../../src/core/sortNumbers.ts'

/** By segment id: offsets in the segment. */
export type Locations = Uint32Array[]

/** Pointers are places of this many bytes at least. */
const GRAIN = 4
/** Bits are worth it from one pointer in so many words on. */
const SPARSEST = 16

/** Of the first `rebases` and `binds` rows. Relocations come from high to low within a block, blocks and tables in any order. */
export function sortedLocations(link: Link, rebases: number, binds: number): Locations {
  return locationsByBits(link, rebases, binds) ?? locationsByDigits(link, rebases, binds)
}

/** A bit for each place where a pointer can be: null where there are few, where one does not lie at such a place, or two at one. */
function locationsByBits(link: Link, rebases: number, binds: number): Locations | null {
  const { Rebase, Bind } = link.fixups
  const { fileSize } = link.segments.Extent
  const count = link.segments.count + 1
  const [starts, counts] = [new Float64Array(count + 1), new Uint32Array(count)]
  for (let segment = 0; segment < count; segment++)
    starts[segment + 1] = starts[segment] + Math.ceil(fileSize[segment] / (GRAIN * 32))
  if (starts[count] > (rebases + binds) * SPARSEST) return null
  const words = new Uint32Array(starts[count])
  const odd =
    markLocations(Rebase.location, rebases, words, starts, counts) |
    markLocations(Bind.location, binds, words, starts, counts)
  if ((odd & (GRAIN - 1)) !== 0) return null
  const locations: Locations = []
  for (let segment = 0; segment < count; segment++) {
    const offsets = new Uint32Array(counts[segment])
    locations.push(offsets)
    if (offsets.length === 0) continue
    if (listLocations(words, starts[segment], starts[segment + 1], offsets) !== offsets.length) return null
  }
  return locations
}

/** Counts by segment, and returns the offsets' bits or'ed. */
function markLocations(
  locations: Float64Array,
  rows: number,
  words: Uint32Array,
  starts: Float64Array,
  counts: Uint32Array,
): number {
  let odd = 0
  for (let row = 1; row <= rows; row++) {
    const segment = (locations[row] * (1 / SEGMENT_STRIDE)) | 0
    const offset = locations[row] >>> 0
    odd |= offset
    counts[segment]++
    words[starts[segment] + (offset >>> 7)] |= 1 << ((offset >>> 2) & 31)
  }
  return odd
}

function listLocations(words: Uint32Array, from: number, to: number, offsets: Uint32Array): number {
  let count = 0
  for (let i = from; i < to; i++)
    for (let left = words[i]; left !== 0; left &= left - 1)
      offsets[count++] = ((i - from) * 32 + 31 - Math.clz32(left & -left)) * GRAIN
  return count
}

function locationsByDigits(link: Link, rebases: number, binds: number): Locations {
  const { Rebase, Bind } = link.fixups
  const counts = new Uint32Array(link.segments.count + 1)
  countLocations(Rebase.location, rebases, counts)
  countLocations(Bind.location, binds, counts)
  const offsets = Array.from(counts, (count) => new Uint32Array(count))
  placeLocations(Rebase.location, rebases, offsets, counts)
  placeLocations(Bind.location, binds, offsets, counts)
  return offsets.map(sortNumbers)
}

function countLocations(locations: Float64Array, rows: number, counts: Uint32Array): void {
  for (let row = 1; row <= rows; row++) counts[Math.floor(locations[row] / SEGMENT_STRIDE)]++
}

/** From the back of each segment's offsets: `left` says how many are still to come. */
function placeLocations(locations: Float64Array, rows: number, offsets: Uint32Array[], left: Uint32Array): void {
  for (let row = 1; row <= rows; row++) {
    const segment = Math.floor(locations[row] / SEGMENT_STRIDE)
    offsets[segment][--left[segment]] = locations[row] - segment * SEGMENT_STRIDE
  }
}

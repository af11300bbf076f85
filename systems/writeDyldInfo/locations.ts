// Places of fixups, segment by segment in ascending order.
import { SEGMENT_STRIDE } from '../../components/fixups.ts'
import type { Link } from '../../components/link.ts'
import { sortNumbers } from '../../src/core/sortNumbers.ts'

/** By segment id: offsets in the segment. */
export type Locations = Uint32Array[]

/** Of the first `rebases` and `binds` rows. Relocations come from high to low within a block, blocks and tables in any order. */
export function sortedLocations(link: Link, rebases: number, binds: number): Locations {
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

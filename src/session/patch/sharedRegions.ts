// Regions of input sections, which small neighbours share: where the blocks of all of them go when those of one object change.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import { layRegion, regionOf } from '../../../systems/allocate/rooms.ts'
import { createAmong, placeAmong } from './thunksAgain.ts'

/** By file: the addresses of its blocks, counted from its first, where one of them moves. */
export type Moves = Map<number, Float64Array>

/** A new version of an object whose rows are not in the link yet, as of `loadAlone`; it has as many blocks. */
export interface Version {
  file: number
  after: Link
}

/** Live blocks of a region in order, and how they lie in it. */
interface Layout {
  blocks: number[]
  sizes: number[]
  alignments: number[]
  offsets: number[]
  room: number
  alignPow2: number
}

export function liveBlocks(link: Link, section: number): number[] {
  const { first, count } = link.sections.Blocks
  const { flags } = link.blocks.Extent
  const found: number[] = []
  for (let block = first[section]; block < first[section] + count[section]; block++)
    if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) found.push(block)
  return found
}

/** The region of an input section as it is, or with another version of an object. */
export function layoutOf(link: Link, section: number, version: Version | null): Layout {
  const { size, alignPow2 } = link.blocks.Extent
  const members = regionOf(link, section)
  const blocks = Array.from(members).flatMap((member) => liveBlocks(link, member))
  const first = version === null ? 0 : link.files.Ranges.block[version.file]
  const end = version === null ? 0 : first + link.files.Ranges.blocks[version.file]
  const own = version?.after.blocks.Extent
  const isOwn = (block: number) => block >= first && block < end
  const sizes = blocks.map((block) => (isOwn(block) ? own!.size[block - first + 1] : size[block]))
  const alignments = blocks.map((block) => (isOwn(block) ? own!.alignPow2[block - first + 1] : alignPow2[block]))
  const most = alignments.reduce((most, align) => Math.max(most, align), 0)
  const { room, offsets } = layRegion(link, link.sections.Blocks.output[section], sizes, alignments)
  return { blocks, sizes, alignments, offsets, room, alignPow2: most }
}

/** Where the region of an input section begins, which is with a block; 0 for one without blocks. */
export function startOf(link: Link, section: number): number {
  const [first] = liveBlocks(link, regionOf(link, section)[0])
  return first === undefined ? 0 : link.blocks.Placement.address[first]
}

/** Adds the blocks of a region that begins at `start` and whose addresses change. */
export function noteMoves(link: Link, moves: Moves, start: number, layout: Layout): void {
  const { address } = link.blocks.Placement
  const { block: firsts, blocks: counts } = link.files.Ranges
  const among = createAmong(link, start)
  for (const [i, block] of layout.blocks.entries()) {
    const place = placeAmong(link, among, layout.offsets[i], layout.sizes[i], 2 ** layout.alignments[i])
    if (address[block] === place) continue
    const file = link.sections.Header.file[link.blocks.Extent.section[block]]
    const addresses = moves.get(file) ?? address.slice(firsts[file], firsts[file] + counts[file])
    addresses[block - firsts[file]] = place
    moves.set(file, addresses)
  }
}

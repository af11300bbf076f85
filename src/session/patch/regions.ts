// Where the blocks of an object's new version go: each input section keeps its region, as it follows from their sizes; where blocks
// are packed, there must be as many of the same sizes.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import { CONTENT_CSTRING, CONTENT_LITERAL, CONTENT_RECORDS } from '../../../components/sections.ts'
import { closeRegion, createRooms, enterBlock, mostAligned } from '../../../systems/allocate/rooms.ts'
import { liveBlocks } from './sameShape.ts'

/** Of one input section as it was: what its region starts with and takes, and the blocks of one that is packed. */
export interface Region {
  start: number
  room: number
  alignPow2: number
  sizes: number[]
  addresses: number[]
  folding: Folding | null
}

/** What fold has decided of the blocks of literals and records, all in order from the first on. */
export interface Folding {
  first: number
  flags: Uint8Array
  leader: Uint32Array
  alignPow2: Uint8Array
}

/** By section, counted from the object's first. */
export function saveRegions(link: Link, file: number): Region[] {
  const { section, sections } = link.files.Ranges
  return Array.from({ length: sections[file] }, (_, i) => saveRegion(link, section[file] + i))
}

function saveRegion(link: Link, section: number): Region {
  const live = liveBlocks(link, section)
  const addresses = live.map((block) => link.blocks.Placement.address[block])
  const { room, sizes } = measure(link, section, live)
  return {
    start: addresses[0] ?? 0,
    room,
    alignPow2: mostAligned(link, [section]),
    sizes,
    addresses,
    folding: foldingOf(link, section),
  }
}

/** Offsets in the region and the size of its room, or without room the blocks' sizes and alignments. */
function measure(link: Link, section: number, live: readonly number[]): { room: number; sizes: number[] } {
  const output = link.sections.Blocks.output[section]
  const { size, alignPow2 } = link.blocks.Extent
  if (link.outputs.Section.room[output] === 0)
    return { room: 0, sizes: live.flatMap((block) => [size[block], alignPow2[block]]) }
  const rooms = createRooms(link, output, mostAligned(link, [section]))
  const sizes = live.map((block) => enterBlock(link, rooms, block))
  return { room: closeRegion(rooms), sizes }
}

function foldingOf(link: Link, section: number): Folding | null {
  if (![CONTENT_CSTRING, CONTENT_LITERAL, CONTENT_RECORDS].includes(link.sections.Header.content[section])) return null
  const from = link.sections.Blocks.first[section]
  const to = from + link.sections.Blocks.count[section]
  const { flags, alignPow2 } = link.blocks.Extent
  return {
    first: from,
    flags: flags.slice(from, to),
    leader: link.blocks.Placement.leader.slice(from, to),
    alignPow2: alignPow2.slice(from, to),
  }
}

/** Literals and records are as before: what fold has decided of them stays. Returns whether as many live. */
export function foldAgain(link: Link, file: number, regions: readonly Region[], heirs: Uint32Array): boolean {
  const { section, block } = link.files.Ranges
  for (const [i, { folding }] of regions.entries()) {
    if (folding === null) continue
    const from = link.sections.Blocks.first[section[file] + i]
    const { flags, alignPow2 } = link.blocks.Extent
    for (let at = 0; at < folding.flags.length; at++) {
      if (((flags[from + at] ^ folding.flags[at]) & BLOCK_LIVE) !== 0) return false
      const leader = folding.leader[at]
      const own = leader - block[file]
      flags[from + at] |= folding.flags[at] & BLOCK_FOLDED
      alignPow2[from + at] = folding.alignPow2[at]
      link.blocks.Placement.leader[from + at] = own >= 0 && own < heirs.length ? heirs[own] : leader
    }
  }
  return true
}

/** Gives the live blocks their addresses; returns why they do not fit, in words. */
export function placeAgain(link: Link, file: number, regions: readonly Region[]): string {
  const { section } = link.files.Ranges
  const { address } = link.blocks.Placement
  for (const [i, region] of regions.entries()) {
    const output = link.sections.Blocks.output[section[file] + i]
    if (output === 0) continue
    const live = liveBlocks(link, section[file] + i)
    const { room, sizes } = measure(link, section[file] + i, live)
    const roomy = link.outputs.Section.room[output] !== 0
    const fits = roomy
      ? room === region.room && mostAligned(link, [section[file] + i]) === region.alignPow2
      : sizes.length === region.sizes.length && sizes.every((size, at) => size === region.sizes[at])
    if (!fits) return `has blocks of ${link.outputs.names[output]} that leave their room`
    for (const [at, block] of live.entries()) address[block] = roomy ? region.start + sizes[at] : region.addresses[at]
  }
  return ''
}

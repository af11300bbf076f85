// The padded layout: blocks, regions (an input section's blocks, or those of small neighbours), and sections have room to grow, by size classes. It
// follows from the inputs alone, so that a block which keeps its class moves nothing, and a region which keeps its class moves
// nothing outside of it.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { FILL_INPUTS } from '../../components/outputs.ts'
import { CONTENT_CSTRING, CONTENT_REGULAR, CONTENT_ZEROFILL } from '../../components/sections.ts'
import { alignUp } from '../../src/core/align.ts'
import { sizeClass } from '../../src/core/sizeClass.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { isCodeFlags } from '../kernels/code.ts'
import { orderBlocks } from '../kernels/orderBlocks.ts'

/** Steps of size classes to a power of two, as log2: an eighth wastes 6 % on average, a quarter 11 %, a half 20 %. */
const BLOCK_STEPS = 3
const REGION_STEPS = 2
/** Of regions below 8 KiB, which one more function would leave too often in steps of a quarter. */
const SMALL_REGION_STEPS = 1
const SMALL_REGION = 0x2000
const SECTION_STEPS = 3
/** Neighbours below this size, up to so many (a power of two), share a region: one more function would leave one of their own too often. */
const SHARING_SIZE = 0x1000
const SHARING_COUNT = 8
/** Smallest steps of blocks' classes in bytes. What is smaller than its step, as much data is, has none. */
const CODE_STEP = 8
const DATA_STEP = 4

/**
 * Sections of these names hold what is only reached through a reference. In all others entries may be counted or walked (lists
 * of Objective-C and Swift, descriptors, strings, frames): they stay packed, with room behind their section.
 */
const WITH_ROOM = new Set([
  '__TEXT,__text',
  '__TEXT,__const',
  '__TEXT,__gcc_except_tab',
  '__TEXT,__cstring',
  '__DATA_CONST,__const',
  '__DATA,__const',
  '__DATA,__data',
  '__DATA,__bss',
  '__DATA,__common',
])

/** Says of each output section whether its blocks have room; `bounded`: those whose ends a symbol marks, which have none. */
export function giveRoom(link: Link, bounded: ReadonlySet<number>): void {
  const { outputs, segments } = link
  for (let output = 1; output <= outputs.count; output++) {
    const { fill, flags, segment } = outputs.Section
    const type = flags[output] & macho.SECTION_TYPE
    const plain = fill[output] === FILL_INPUTS && PLAIN_TYPES.includes(type)
    const named = WITH_ROOM.has(`${segments.names[segment[output]]},${outputs.names[output]}`)
    if (plain && named && !bounded.has(output) && link.inputs[output].every((section) => isPlain(link, section)))
      outputs.Section.room[output] = 1
  }
}

const PLAIN_TYPES: readonly number[] = [macho.S_REGULAR, macho.S_ZEROFILL, macho.S_CSTRING_LITERALS]

/** Strings of one alignment, none within another: that of a leader does not depend on its copies then, nor a place on other files. */
function isPlain(link: Link, section: number): boolean {
  const { content, alignPow2 } = link.sections.Header
  if (content[section] === CONTENT_CSTRING) return alignPow2[section] === 0 && link.tails.length === 0
  return content[section] === CONTENT_REGULAR || content[section] === CONTENT_ZEROFILL
}

const PLACED = BLOCK_LIVE | BLOCK_FOLDED

/** Whether the input section shares its region with its neighbours. What the linker itself refers to (__dyld_private) does not. */
export function isSharing({ sections, internal }: Link, section: number): boolean {
  return sections.Header.size[section] < SHARING_SIZE && sections.Header.file[section] !== internal.file
}

/** Where the region of inputs[at] ends that begins there: places of neighbours count, not their sizes, which change. */
function regionEnd(link: Link, inputs: Uint32Array, at: number): number {
  let end = at + 1
  if (!isSharing(link, inputs[at])) return end
  while (end < inputs.length && end % SHARING_COUNT !== 0 && isSharing(link, inputs[end])) end++
  return end
}

/** The input sections of the region that `section` is in. */
export function regionOf(link: Link, section: number): Uint32Array {
  const inputs = link.inputs[link.sections.Blocks.output[section]]
  const at = inputs.indexOf(section)
  let start = at
  if (isSharing(link, section)) while (start % SHARING_COUNT !== 0 && isSharing(link, inputs[start - 1])) start--
  return inputs.subarray(start, regionEnd(link, inputs, at))
}

/** Offsets in an output section while its blocks are entered in order. */
export interface Rooms {
  /** Its input sections, and where among them the region at hand ends; 0: blocks with a priority, which come first and are one region. */
  inputs: Uint32Array
  regionEnd: number
  /** Place of the input section at hand; -1: none yet. */
  at: number
  start: number
  /** Ends of the last block, and of its room. */
  end: number
  roomEnd: number
  /** The smallest step of blocks' classes; 0: they have no room of their own. */
  step: number
  /** log2 of the alignment of the whole section. */
  alignPow2: number
}

export function createRooms(link: Link, output: number, alignPow2: number): Rooms {
  const step = stepOf(link, output)
  return { inputs: link.inputs[output], regionEnd: 0, at: -1, start: 0, end: 0, roomEnd: 0, step, alignPow2 }
}

function stepOf({ outputs }: Link, output: number): number {
  const flags = outputs.Section.flags[output]
  const strings = (flags & macho.SECTION_TYPE) === macho.S_CSTRING_LITERALS
  return strings ? 0 : isCodeFlags(flags) ? CODE_STEP : DATA_STEP
}

/** The offset of the next block. One without bytes marks the end of the one before, without its room. */
export function enterBlock(link: Link, rooms: Rooms, block: number): number {
  const { section, alignPow2, size } = link.blocks.Extent
  const { inputs } = rooms
  const isFirst = link.priorities.length > 0 && link.priorities[block] !== 0
  if (!isFirst && inputs[rooms.at] !== section[block]) {
    rooms.at++
    while (inputs[rooms.at] !== section[block]) rooms.at++
    if (rooms.at >= rooms.regionEnd) {
      rooms.regionEnd = regionEnd(link, inputs, rooms.at)
      openRegion(rooms, mostAligned(link, inputs.subarray(rooms.at, rooms.regionEnd)))
    }
  } else if (isFirst && rooms.end === 0) openRegion(rooms, rooms.alignPow2)
  return enterNext(rooms, size[block], alignPow2[block])
}

/** The same in the region at hand. */
function enterNext(rooms: Rooms, size: number, alignPow2: number): number {
  const start = alignUp(size === 0 ? rooms.end : rooms.roomEnd, 2 ** alignPow2)
  rooms.end = start + size
  rooms.roomEnd = Math.max(rooms.roomEnd, start + blockRoom(rooms.step, size))
  return start
}

function blockRoom(step: number, size: number): number {
  return step === 0 ? size : sizeClass(size, BLOCK_STEPS, size < step ? 1 : step)
}

/** A region begins at its largest alignment, so that its inner offsets do not depend on where it begins. */
function openRegion(rooms: Rooms, alignPow2: number): void {
  rooms.start = rooms.end = rooms.roomEnd = alignUp(closeRegion(rooms), 2 ** alignPow2)
}

/** End of the room of the region at hand. */
export function closeRegion(rooms: Rooms): number {
  const size = rooms.roomEnd - rooms.start
  return rooms.start + sizeClass(size, size < SMALL_REGION ? SMALL_REGION_STEPS : REGION_STEPS, 1)
}

/** The largest alignment of the live blocks of input sections. */
export function mostAligned(link: Link, inputs: ArrayLike<number>): number {
  const { flags, alignPow2 } = link.blocks.Extent
  const { first, count } = link.sections.Blocks
  let most = 0
  for (let i = 0; i < inputs.length; i++) {
    const end = first[inputs[i]] + count[inputs[i]]
    for (let block = first[inputs[i]]; block < end; block++)
      if (alignPow2[block] > most && (flags[block] & PLACED) === BLOCK_LIVE) most = alignPow2[block]
  }
  return most
}

/** Offsets of blocks of these sizes and alignments (log2) in a region of an output section, and the size of its room. */
export function layRegion(
  link: Link,
  output: number,
  sizes: ArrayLike<number>,
  alignments: ArrayLike<number>,
): { room: number; offsets: number[] } {
  const rooms = createRooms(link, output, 0)
  const offsets = Array.from(sizes, (size, i) => enterNext(rooms, size, alignments[i]))
  return { room: closeRegion(rooms), offsets }
}

/** Gives the blocks of an output section their offsets in it; returns its size. */
export function packWithRoom(link: Link, output: number, alignPow2: number): number {
  const { Placement } = link.blocks
  const inputs = link.inputs[output]
  const rooms = createRooms(link, output, alignPow2)
  const ordered = link.priorities.length === 0 ? null : orderBlocks(link, inputs)
  if (ordered !== null)
    for (let i = 0; i < ordered.length; i++) Placement.address[ordered[i]] = enterBlock(link, rooms, ordered[i])
  else for (let at = 0; at < inputs.length; at = rooms.regionEnd) packRegion(link, rooms, at)
  return sectionClass(closeRegion(rooms))
}

/** Sections and alignments up to these are packed in integers: enterBlock takes ten times as long. */
const MOST_BYTES = 0x20000000
const MOST_ALIGNED = 20

/** As `enterBlock` for each live block of the region that begins with inputs[at]. */
function packRegion(link: Link, rooms: Rooms, at: number): void {
  const { flags, alignPow2 } = link.blocks.Extent
  const { address } = link.blocks.Placement
  const { first, count } = link.sections.Blocks
  const { inputs } = rooms
  rooms.regionEnd = regionEnd(link, inputs, at)
  let [live, most, bytes] = [0, 0, 0]
  for (let i = at; i < rooms.regionEnd; i++) {
    const end = first[inputs[i]] + count[inputs[i]]
    for (let block = first[inputs[i]]; block < end; block++) {
      if ((flags[block] & PLACED) !== BLOCK_LIVE) continue
      live++
      if (alignPow2[block] > most) most = alignPow2[block]
    }
    bytes += link.sections.Header.size[inputs[i]]
    link.visited.rows += count[inputs[i]]
  }
  openRegion(rooms, most)
  const isSmall = most <= MOST_ALIGNED && bytes + live * 2 ** most < MOST_BYTES
  for (let i = at; i < rooms.regionEnd; i++) {
    const end = first[inputs[i]] + count[inputs[i]]
    if (isSmall) packSmall(link, rooms, first[inputs[i]], end)
    else
      for (let block = first[inputs[i]]; block < end; block++)
        if ((flags[block] & PLACED) === BLOCK_LIVE)
          address[block] = enterNext(rooms, link.blocks.Extent.size[block], alignPow2[block])
  }
}

/** Blocks first .. last - 1, next in their region. */
function packSmall(link: Link, rooms: Rooms, first: number, last: number): void {
  const { flags, alignPow2, size: sizes } = link.blocks.Extent
  const { address } = link.blocks.Placement
  const { step, start } = rooms
  let end = rooms.end - start
  let roomEnd = rooms.roomEnd - start
  for (let block = first; block < last; block++) {
    if ((flags[block] & PLACED) !== BLOCK_LIVE) continue
    const size = sizes[block]
    const mask = (1 << alignPow2[block]) - 1
    const at = ((size === 0 ? end : roomEnd) + mask) & ~mask
    address[block] = start + at
    end = at + size
    const over = step === 0 || size === 0 ? 0 : blockStep(size, step) - 1
    const room = at + ((size + over) & ~over)
    if (room > roomEnd) roomEnd = room
  }
  rooms.end = start + end
  rooms.roomEnd = start + roomEnd
}

/** What `sizeClass` rounds a block of so many bytes up to: a power of two, at least `least`, but nothing below that. */
function blockStep(size: number, least: number): number {
  const step = size >>> BLOCK_STEPS === 0 ? 1 : 1 << (31 - BLOCK_STEPS - Math.clz32(size))
  return Math.max(size < least ? 1 : least, step)
}

export function sectionClass(size: number): number {
  return sizeClass(size, SECTION_STEPS, 1)
}

/**
 * What the sections behind it count from: with room, an output section that is packed takes the class of its size. Thread-local
 * contents have none, for dyld copies them from the first such section to the last.
 */
export function roomOf(link: Link, output: number): number {
  const { Section, Extent } = link.outputs
  const type = Section.flags[output] & macho.SECTION_TYPE
  if (link.settings.layout !== 'padded' || Section.room[output] !== 0) return Extent.size[output]
  if (type === macho.S_THREAD_LOCAL_REGULAR || type === macho.S_THREAD_LOCAL_ZEROFILL) return Extent.size[output]
  return sectionClass(Extent.size[output])
}

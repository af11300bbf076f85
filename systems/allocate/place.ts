// Sizes of output sections and addresses of the blocks in them.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { FILL_INPUTS, FILL_OBJC_STUBS } from '../../components/outputs.ts'
import { CONTENT_CSTRING, CONTENT_LITERAL } from '../../components/sections.ts'
import { liveBlocks, orderBlocks } from '../kernels/orderBlocks.ts'
import { literalSize } from '../kernels/literalSize.ts'
import { mostAligned, packWithRoom } from './rooms.ts'

/** Block addresses are offsets in the output section until placeBlocks adds the section's address. */
export function sizeSection(link: Link, output: number): void {
  const { Section, Extent } = link.outputs
  if (Section.fill[output] !== FILL_INPUTS && Section.fill[output] !== FILL_OBJC_STUBS) return
  const inputs = link.inputs[output]
  if (inputs.length > 0 && link.sections.Header.content[inputs[0]] === CONTENT_LITERAL)
    return sizeLiterals(link, output)
  Extent.size[output] = 0
  if (Section.room[output] !== 0) return sizeWithRoom(link, output, inputs)
  const ordered = placedBlocks(link, inputs)
  const most = ordered === null ? packSections(link, output, inputs) : mostAligned(link, inputs)
  if (ordered !== null) Extent.size[output] = packOrdered(link, ordered)
  Section.alignPow2[output] = sectAlign(link, output) ?? Math.max(Section.alignPow2[output], most)
}

/** The blocks that have places of their own, where that is not all of them in their order. */
function placedBlocks(link: Link, inputs: Uint32Array): Uint32Array | null {
  const { priorities, tails, sections } = link
  const strings = inputs.length > 0 && sections.Header.content[inputs[0]] === CONTENT_CSTRING
  if (strings && tails.length > 0) return wholeStrings(liveBlocks(link, inputs), tails)
  return priorities.length === 0 ? null : orderBlocks(link, inputs)
}

/** A string comes where it, or one that is its end, comes first (ld64.lld). */
function wholeStrings(blocks: Uint32Array, tails: Uint32Array): Uint32Array {
  const isPlaced = new Uint8Array(tails.length)
  let count = 0
  for (let i = 0; i < blocks.length; i++) {
    const whole = tails[blocks[i]] || blocks[i]
    if (isPlaced[whole] !== 0) continue
    isPlaced[whole] = 1
    blocks[count++] = whole
  }
  return blocks.subarray(0, count)
}

function sizeWithRoom(link: Link, output: number, inputs: Uint32Array): void {
  const { Section, Extent } = link.outputs
  const align = Math.max(Section.alignPow2[output], mostAligned(link, inputs))
  Extent.size[output] = packWithRoom(link, output, align)
  Section.alignPow2[output] = sectAlign(link, output) ?? align
}

function sectAlign(link: Link, output: number): number | null {
  const segment = link.segments.names[link.outputs.Section.segment[output]]
  const given = (link.settings.sectAlign ?? []).find(
    (item) => item.segment === segment && item.section === link.outputs.names[output],
  )
  return given === undefined ? null : Math.log2(given.align)
}

/** Sections one after the other, from the output's size on, which becomes where they end. Returns the largest alignment. */
function packSections(link: Link, output: number, inputs: Uint32Array): number {
  const { flags, alignPow2, size: sizes } = link.blocks.Extent
  const { address } = link.blocks.Placement
  const { first, count } = link.sections.Blocks
  let size = link.outputs.Extent.size[output]
  let steps = 1
  for (let i = 0; i < inputs.length; i++) {
    const end = first[inputs[i]] + count[inputs[i]]
    for (let block = first[inputs[i]]; block < end; block++) {
      if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
      const step = (1 << alignPow2[block]) >>> 0
      steps |= step
      const over = size & (step - 1)
      if (over !== 0) size += step - over
      address[block] = size
      size += sizes[block]
    }
    link.visited.rows += count[inputs[i]]
  }
  link.outputs.Extent.size[output] = size
  return 31 - Math.clz32(steps)
}

function packOrdered(link: Link, ordered: Uint32Array): number {
  const { Extent, Placement } = link.blocks
  let size = 0
  for (let i = 0; i < ordered.length; i++) {
    const block = ordered[i]
    const step = 1 << Extent.alignPow2[block]
    const over = size & (step - 1)
    if (over !== 0) size += step - over
    Placement.address[block] = size
    size += Extent.size[block]
  }
  return size
}

/** ld64.lld's __literals: all 16-byte literals, then 8, then 4; aligned to 16. */
function sizeLiterals(link: Link, output: number): void {
  for (const wanted of [16, 8, 4]) {
    const inputs = link.inputs[output].filter((section) => literalSize(link.sections.Header.flags[section]) === wanted)
    packSections(link, output, inputs)
  }
  link.outputs.Section.alignPow2[output] = 4
}

export function placeBlocks(link: Link, output: number): void {
  const { flags } = link.blocks.Extent
  const { address } = link.blocks.Placement
  const { first, count } = link.sections.Blocks
  const base = link.outputs.Extent.address[output]
  const inputs = link.inputs[output]
  for (let i = 0; i < inputs.length; i++) {
    const end = first[inputs[i]] + count[inputs[i]]
    for (let block = first[inputs[i]]; block < end; block++)
      if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) address[block] += base
  }
  if (link.tails.length > 0) placeTails(link, inputs)
}

/** Behind all that they may be the ends of. */
function placeTails({ blocks, sections, tails }: Link, inputs: Uint32Array): void {
  const { size } = blocks.Extent
  const { address } = blocks.Placement
  const { first, count } = sections.Blocks
  for (let i = 0; i < inputs.length; i++)
    for (let block = first[inputs[i]]; block < first[inputs[i]] + count[inputs[i]]; block++)
      if (tails[block] !== 0) address[block] = address[tails[block]] + size[tails[block]] - size[block]
}

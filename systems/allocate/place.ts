// Sizes of output sections and addresses of the blocks in them.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { FILL_INPUTS, FILL_OBJC_STUBS } from '../../components/outputs.ts'
import { CONTENT_LITERAL } from '../../components/sections.ts'
import { orderBlocks } from '../kernels/orderBlocks.ts'
import { literalSize } from '../kernels/literalSize.ts'

/** Block addresses are offsets in the output section until placeBlocks adds the section's address. */
export function sizeSection(link: Link, output: number): void {
  const { Section, Extent } = link.outputs
  if (Section.fill[output] !== FILL_INPUTS && Section.fill[output] !== FILL_OBJC_STUBS) return
  const inputs = link.inputs[output]
  if (inputs.length > 0 && link.sections.Header.content[inputs[0]] === CONTENT_LITERAL)
    return sizeLiterals(link, output)
  let size = 0
  let align = Section.alignPow2[output]
  const ordered = link.priorities.length === 0 ? null : orderBlocks(link, inputs)
  if (ordered !== null) size = packOrdered(link, ordered)
  for (const section of inputs) {
    if (ordered === null) size = packSection(link, section, size)
    const most = mostAligned(link, section)
    if (most > align) align = most
  }
  Extent.size[output] = size
  Section.alignPow2[output] = sectAlign(link, output) ?? align
}

function sectAlign(link: Link, output: number): number | null {
  const segment = link.segments.names[link.outputs.Section.segment[output]]
  const given = (link.settings.sectAlign ?? []).find(
    (item) => item.segment === segment && item.section === link.outputs.names[output],
  )
  return given === undefined ? null : Math.log2(given.align)
}

function packSection(link: Link, section: number, size: number): number {
  const { Extent, Placement } = link.blocks
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  for (let block = first; block < end; block++) {
    if ((Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) continue
    const step = (1 << Extent.alignPow2[block]) >>> 0
    const over = size & (step - 1)
    if (over !== 0) size += step - over
    Placement.address[block] = size
    size += Extent.size[block]
  }
  link.visited.rows += end - first
  return size
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

function mostAligned(link: Link, section: number): number {
  const { Extent } = link.blocks
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  let most = 0
  for (let block = first; block < end; block++)
    if (Extent.alignPow2[block] > most && (Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE)
      most = Extent.alignPow2[block]
  return most
}

/** ld64.lld's __literals: all 16-byte literals, then 8, then 4; aligned to 16. */
function sizeLiterals(link: Link, output: number): void {
  let size = 0
  for (const wanted of [16, 8, 4])
    for (const section of link.inputs[output])
      if (literalSize(link.sections.Header.flags[section]) === wanted) size = packSection(link, section, size)
  link.outputs.Extent.size[output] = size
  link.outputs.Section.alignPow2[output] = 4
}

export function placeBlocks(link: Link, output: number): void {
  const { Extent, Placement } = link.blocks
  const base = link.outputs.Extent.address[output]
  for (const section of link.inputs[output]) {
    const first = link.sections.Blocks.first[section]
    const end = first + link.sections.Blocks.count[section]
    for (let block = first; block < end; block++)
      if ((Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE) Placement.address[block] += base
  }
}

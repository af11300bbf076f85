// relocate: copies the contents of live blocks to their places in the image and applies their relocations.
// Reads: blocks, relocations, Reference.target and address, table entries. Writes: image (segments), fixups.
// After allocate (every address stands), before writeIndirect, which adds the tables' fixups. Cost: bytes copied, one visit a
// relocation.

import { BLOCK_FOLDED, BLOCK_LIVE } from '../components/blocks.ts'
import type { Link } from '../components/link.ts'
import { FILL_INPUTS } from '../components/outputs.ts'
import { CONTENT_EH_FRAME } from '../components/sections.ts'
import * as macho from '../src/formats/macho/constants.ts'
import { isZeroFillType } from './kernels/outputKinds.ts'
import { createSite, enterSection } from './kernels/references.ts'
import { relocateBlock, type Relocating } from './relocate/apply.ts'
import { relocateFrames } from './relocate/frames.ts'
import { applyHints } from './relocate/hints.ts'
import { writeThunks } from './relocate/thunks.ts'

export function relocate(link: Link): void {
  link.image = new Uint8Array(new ArrayBuffer(imageSize(link)))
  const at: Relocating = {
    site: createSite(),
    view: new DataView(link.image.buffer),
    landing: { block: 0, offset: 0 },
    segment: 0,
    segmentAddress: 0,
    delta: 0,
    place: 0,
    base: link.settings.imageBase,
    threadLocalBase: link.firstThreadLocal === 0 ? 0 : link.outputs.Extent.address[link.firstThreadLocal],
    threadLocalEnd: threadLocalEnd(link),
    threadVariables: false,
  }
  for (let output = 1; output <= link.outputs.count; output++) {
    if (link.outputs.Section.fill[output] !== FILL_INPUTS || isZeroFillType(link.outputs.Section.flags[output]))
      continue
    enterOutput(link, at, output)
    for (const section of link.inputs[output]) relocateSection(link, at, section)
  }
  if (link.thunks.count > 0) writeThunks(link, at.view)
  if (link.arch.name !== 'arm64' || link.settings.ignoreOptimizationHints) return
  for (const file of link.order) if (link.files.Tables.hintsSize[file] > 0) applyHints(link, at.view, file)
}

/** End of the template that dyld copies for each thread. */
function threadLocalEnd(link: Link): number {
  const { Section, Extent } = link.outputs
  let end = 0
  for (let output = 1; output <= link.outputs.count; output++) {
    const type = Section.flags[output] & macho.SECTION_TYPE
    if (type === macho.S_THREAD_LOCAL_REGULAR || type === macho.S_THREAD_LOCAL_ZEROFILL)
      end = Math.max(end, Extent.address[output] + Extent.size[output])
  }
  return end
}

/** File bytes before __LINKEDIT. */
function imageSize(link: Link): number {
  const linkedit = link.segments.byName.get('__LINKEDIT') ?? 0
  return link.segments.Extent.fileOffset[linkedit]
}

function enterOutput(link: Link, at: Relocating, output: number): void {
  at.segment = link.outputs.Section.segment[output]
  at.segmentAddress = link.segments.Extent.address[at.segment]
  at.delta = link.outputs.Extent.fileOffset[output] - link.outputs.Extent.address[output]
  at.place = at.delta + at.base
  at.threadVariables = (link.outputs.Section.flags[output] & macho.SECTION_TYPE) === macho.S_THREAD_LOCAL_VARIABLES
}

function relocateSection(link: Link, at: Relocating, section: number): void {
  const { Extent, Relocations } = link.blocks
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  enterSection(at.site, link, section)
  copyBlocks(link, at, first, end)
  if (link.sections.Relocations.count[section] > 0) {
    for (let block = first; block < end; block++)
      if (Relocations.count[block] > 0 && (Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE)
        relocateBlock(link, at, block)
    link.visited.rows += link.sections.Relocations.count[section]
  }
  if (link.sections.Header.content[section] === CONTENT_EH_FRAME) relocateFrames(link, at, section)
}

/** Neighbours that stay as far apart as they were are copied in one go: a call costs more than a small block. */
function copyBlocks(link: Link, at: Relocating, first: number, end: number): void {
  const { flags, offset, size } = link.blocks.Extent
  const { address } = link.blocks.Placement
  const { image } = link
  const { bytes, contents } = at.site
  let block = first
  while (block < end) {
    if ((flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) !== BLOCK_LIVE) {
      block++
      continue
    }
    const distance = address[block] - offset[block]
    let next = block + 1
    while (
      next < end &&
      (flags[next] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE &&
      address[next] - offset[next] === distance
    )
      next++
    const from = offset[block]
    const to = offset[next - 1] + size[next - 1]
    image.set(bytes.subarray(contents + from, contents + to), address[block] + at.delta)
    link.visited.written += to - from
    block = next
  }
}

// Copies and relocates the sections of one chunk after another; chunks touch different places of the image and different fixups.
import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { CONTENT_EH_FRAME } from '../../components/sections.ts'
import { integer } from '../../src/core/integer.ts'
import * as macho from '../../src/formats/macho/constants.ts'
import { enterSection } from '../kernels/references.ts'
import type { Relocating } from './apply.ts'
import { relocateBlocks } from './blocks.ts'
import { createRelocating } from './createRelocating.ts'
import { relocateFrames } from './frames.ts'
import type { RelocateJob } from './plan.ts'

/** Returns what did not fit, as reportFailures takes it. */
export function relocateChunks(
  link: Link,
  job: RelocateJob,
  take: () => number,
  at = createRelocating(link),
): number[] {
  const { output } = link.sections.Blocks
  const { fixups } = link
  let current = 0
  for (let chunk = take(); chunk >= 0; chunk = take()) {
    fixups.rebases = job.rebases[chunk]
    fixups.binds = job.binds[chunk]
    for (let i = job.starts[chunk]; i < job.starts[chunk + 1]; i++) {
      const section = job.sections[i]
      if (output[section] !== current) {
        current = output[section]
        enterOutput(link, at, current)
      }
      at.index = i
      relocateSection(link, at, section)
    }
    if (fixups.rebases > job.rebases[chunk + 1] || fixups.binds > job.binds[chunk + 1])
      throw new Error('relocate: more fixups than scan has counted')
    job.lastRebases[chunk] = fixups.rebases
    job.lastBinds[chunk] = fixups.binds
  }
  return at.failures
}

function enterOutput(link: Link, at: Relocating, output: number): void {
  at.segment = link.outputs.Section.segment[output]
  at.segmentAddress = link.segments.Extent.address[at.segment]
  at.delta = link.outputs.Extent.fileOffset[output] - link.outputs.Extent.address[output]
  at.place = integer(at.delta + at.base)
  at.threadVariables = (link.outputs.Section.flags[output] & macho.SECTION_TYPE) === macho.S_THREAD_LOCAL_VARIABLES
}

function relocateSection(link: Link, at: Relocating, section: number): void {
  const first = link.sections.Blocks.first[section]
  const end = first + link.sections.Blocks.count[section]
  enterSection(at.site, link, section)
  copyBlocks(link, at, first, end)
  if (link.sections.Relocations.count[section] > 0) {
    relocateBlocks(link, at, first, end)
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

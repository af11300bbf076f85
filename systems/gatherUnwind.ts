// gatherUnwind: reads __compact_unwind and __eh_frame of every object into unwind rows, each on its function's block.
// Reads: sections, relocations, frame records. Writes: unwinds, Links.unwind.
// Before strip, since a live function keeps its personality and language-specific data. Cost: one pass over those sections.

import { BLOCK_COALESCED } from '../components/blocks.ts'
import { spareRows } from '../components/files.ts'
import type { Link } from '../components/link.ts'
import { CONTENT_COMPACT_UNWIND, CONTENT_EH_FRAME } from '../components/sections.ts'
import { spawnRange } from '../src/ecs.ts'
import { createFrame, type EhFrames } from '../src/formats/ehFrame.ts'
import { gatherCompact } from './gatherUnwind/compact.ts'
import { gatherFrames } from './gatherUnwind/frames.ts'
import type { Personalities } from './gatherUnwind/personalities.ts'
import { createSite, type Site } from './kernels/references.ts'

export function gatherUnwind(link: Link): void {
  const { unwinds } = link
  const { unwind, unwinds: counts } = link.files.Ranges
  const site = createSite()
  const frame = createFrame()
  const known: Personalities = { symbols: [], targets: [] }
  for (const file of link.order) {
    unwind[file] = unwinds.count + 1
    gatherFile(link, file, site, frame, known)
    counts[file] = unwinds.count + 1 - unwind[file]
    if (hasSpareRows(link, file)) unwinds.count += spareRows(counts[file])
  }
  spawnRange(unwinds.world, unwinds.count, [unwinds.Range, unwinds.Entry])
  link.visited.rows += unwinds.count
}

/** Rows without a block, which nobody takes for a function. */
function hasSpareRows({ keeps, settings, files }: Link, file: number): boolean {
  return keeps && settings.layout === 'padded' && files.Order.parent[file] === 0
}

/** Adds the rows of one object. */
export function gatherFile(link: Link, file: number, site: Site, frame: EhFrames, known: Personalities): void {
  const { files, sections, unwinds } = link
  const first = files.Ranges.section[file]
  const end = first + files.Ranges.sections[file]
  const start = unwinds.count + 1
  for (let section = first; section < end; section++)
    if (sections.Header.content[section] === CONTENT_COMPACT_UNWIND) gatherCompact(link, section, site, known)
  attach(link, start)
  const frames = unwinds.count + 1
  for (let section = first; section < end; section++)
    if (sections.Header.content[section] === CONTENT_EH_FRAME) gatherFrames(link, section, site, frame)
  attach(link, frames)
}

/** Hangs the rows from `start` on their blocks, each block's rows in order. */
function attach(link: Link, start: number): void {
  const { block: blockOf, next } = link.unwinds.Range
  const { unwind } = link.blocks.Links
  const { flags } = link.blocks.Extent
  for (let row = link.unwinds.count; row >= start; row--) {
    const block = blockOf[row]
    if (block === 0 || flags[block] & BLOCK_COALESCED) continue
    next[row] = unwind[block]
    unwind[block] = row
  }
}

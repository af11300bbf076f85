// Unwind rows of all objects, in their order, by one thread: how many an object has is known when it has been read.
import { spareRows } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { CONTENT_COMPACT_UNWIND, CONTENT_EH_FRAME } from '../../components/sections.ts'
import type { GatheredUnwinds } from '../../components/unwinds.ts'
import { gatherCompact } from './compact.ts'
import { gatherFrames } from './frames.ts'
import { createGathering, type Gathering } from './gathering.ts'

export const GATHER_PARTS = [
  'files',
  'sections',
  'symbols',
  'blocks',
  'unwinds',
  'arenas',
  'arch',
  'settings',
  'keeps',
  'paths',
] as const

/** Null for who comes second. */
export function gatherChunks(link: Link, order: Uint32Array, take: () => number): GatheredUnwinds | null {
  if (take() < 0) return null
  const state = createGathering()
  const { cies, unnamed, messages } = state
  const unwinds = { ...link.unwinds, count: 0 }
  gatherAll({ ...link, unwinds, messages }, order, state)
  return { count: unwinds.count, cies, unnamed, messages }
}

function gatherAll(link: Link, order: Uint32Array, state: Gathering): void {
  const { unwinds } = link
  const { unwind, unwinds: counts } = link.files.Ranges
  for (const file of order) {
    unwind[file] = unwinds.count + 1
    gatherFile(link, file, state)
    counts[file] = unwinds.count + 1 - unwind[file]
    if (hasSpareRows(link, file)) unwinds.count += spareRows(counts[file])
  }
}

/** Rows without a block, which nobody takes for a function. */
function hasSpareRows({ keeps, settings, files }: Link, file: number): boolean {
  return keeps && settings.layout === 'padded' && files.Order.parent[file] === 0
}

/** Adds the rows of one object, whose personalities are the symbols that entries name. */
export function gatherFile(link: Link, file: number, state: Gathering): void {
  const { files, sections, unwinds } = link
  const first = files.Ranges.section[file]
  const end = first + files.Ranges.sections[file]
  const start = unwinds.count + 1
  for (let section = first; section < end; section++)
    if (sections.Header.content[section] === CONTENT_COMPACT_UNWIND) gatherCompact(link, section, state)
  attach(link, start)
  const frames = unwinds.count + 1
  for (let section = first; section < end; section++)
    if (sections.Header.content[section] === CONTENT_EH_FRAME) gatherFrames(link, section, state)
  attach(link, frames)
}

/** Hangs the rows from `start` on their blocks, each block's rows in order. */
function attach(link: Link, start: number): void {
  const { block: blockOf, next } = link.unwinds.Range
  const { unwind } = link.blocks.Links
  for (let row = link.unwinds.count; row >= start; row--) {
    const block = blockOf[row]
    if (block === 0) continue
    next[row] = unwind[block]
    unwind[block] = row
  }
}

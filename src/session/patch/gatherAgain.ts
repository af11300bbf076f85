// The unwind rows of an object's new version, which may be more or fewer, in the range of those it had.
import { BLOCK_FRAME, BLOCK_LIVE } from '../../../components/blocks.ts'
import type { Link } from '../../../components/link.ts'
import { isLinked } from '../../../systems/kernels/isLinked.ts'
import { unwindsOf } from './effects.ts'

/** Puts the rows in their place and on their blocks; `heads` as for `effectsOf`. False when there are too many. */
export function gatherAgain(link: Link, file: number, heads: Uint32Array): boolean {
  const { unwind: firsts, unwinds: counts, block, blocks } = link.files.Ranges
  const first = firsts[file]
  const made = unwindsOf(link, file, heads, (leads) => {
    for (let i = block[file]; i < block[file] + blocks[file]; i++)
      link.blocks.Links.unwind[i] = leads[i] === 0 ? 0 : leads[i] + first - 1
  })
  if (first + made.count > endOfRows(link, file)) return false
  for (const name of ['Range', 'Entry'] as const)
    for (const [field, column] of Object.entries(link.unwinds[name])) {
      column.fill(0, first, first + Math.max(counts[file], made.count))
      column.set((made[name] as Record<string, typeof column>)[field].subarray(1, made.count + 1), first)
    }
  const { next } = link.unwinds.Range
  for (let row = first; row < first + made.count; row++) if (next[row] !== 0) next[row] += first - 1
  counts[file] = made.count
  return true
}

/** Rows of the next object, or of none, begin there. */
export function endOfRows({ order, files, unwinds }: Link, file: number): number {
  const next = order[order.indexOf(file) + 1]
  return next === undefined ? unwinds.count + 1 : files.Ranges.unwind[next]
}

/** As scan keeps what only DWARF describes. */
export function keepFramesAgain(link: Link, file: number): void {
  const { unwind: firsts, unwinds: counts } = link.files.Ranges
  const { Entry } = link.unwinds
  const { flags } = link.blocks.Extent
  for (let row = firsts[file]; row < firsts[file] + counts[file]; row++) {
    if (Entry.fde[row] === 0 || !isLinked(link, row)) continue
    flags[Entry.fde[row]] |= BLOCK_LIVE | BLOCK_FRAME
    flags[Entry.cie[row]] |= BLOCK_LIVE
  }
}

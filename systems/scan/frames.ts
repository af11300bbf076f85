// A live function that only DWARF describes keeps its FDE and that FDE's CIE.
import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'

export function keepFrames(link: Link): void {
  const { Entry } = link.unwinds
  const { flags } = link.blocks.Extent
  for (let row = 1; row <= link.unwinds.count; row++) {
    if (Entry.fde[row] === 0 || !isLinked(link, row)) continue
    flags[Entry.fde[row]] |= BLOCK_LIVE
    flags[Entry.cie[row]] |= BLOCK_LIVE
  }
}

/** Its function is live and was not coalesced into another's. */
export function isLinked(link: Link, row: number): boolean {
  const block = link.unwinds.Range.block[row]
  return block !== 0 && (link.blocks.Extent.flags[block] & BLOCK_LIVE) !== 0
}

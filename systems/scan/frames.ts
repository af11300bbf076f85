// A live function that only DWARF describes keeps its FDE and that FDE's CIE.
import { BLOCK_FRAME, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { isLinked } from '../kernels/isLinked.ts'

export function keepFrames(link: Link): void {
  const { Entry } = link.unwinds
  const { flags } = link.blocks.Extent
  for (let row = 1; row <= link.unwinds.count; row++) {
    if (Entry.fde[row] === 0 || !isLinked(link, row)) continue
    flags[Entry.fde[row]] |= BLOCK_LIVE | BLOCK_FRAME
    flags[Entry.cie[row]] |= BLOCK_LIVE
  }
}

import { BLOCK_FOLDED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'

/** An unwind row counts when its function is live and was neither coalesced into another's nor folded. */
export function isLinked(link: Link, row: number): boolean {
  const block = link.unwinds.Range.block[row]
  return block !== 0 && (link.blocks.Extent.flags[block] & (BLOCK_LIVE | BLOCK_FOLDED)) === BLOCK_LIVE
}

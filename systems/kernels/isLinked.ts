import { BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'

/** An unwind row counts when its function is live and was not coalesced into another's. */
export function isLinked(link: Link, row: number): boolean {
  const block = link.unwinds.Range.block[row]
  return block !== 0 && (link.blocks.Extent.flags[block] & BLOCK_LIVE) !== 0
}

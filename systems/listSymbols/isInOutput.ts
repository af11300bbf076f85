import { BLOCK_COALESCED, BLOCK_LIVE } from '../../components/blocks.ts'
import type { Link } from '../../components/link.ts'
import { NAME_LIVE } from '../../components/names.ts'
import { SYMBOL_ABSOLUTE } from '../../components/symbols.ts'

/** Absolute, in a live block, or an alias in a block whose winner lives. */
export function isInOutput(link: Link, symbol: number): boolean {
  const { block, flags, name } = link.symbols.Definition
  if (flags[symbol] & SYMBOL_ABSOLUTE)
    return name[symbol] === 0 || (link.names.Resolution.flags[name[symbol]] & NAME_LIVE) !== 0
  const { flags: blockFlags } = link.blocks.Extent
  const home = block[symbol]
  if (home === 0) return false
  if (blockFlags[home] & BLOCK_COALESCED) return (blockFlags[link.blocks.Placement.leader[home]] & BLOCK_LIVE) !== 0
  return (blockFlags[home] & BLOCK_LIVE) !== 0
}

// Weak definitions that lost: a block that holds nothing else goes, and what refers to it lands in the winner's.
import { BLOCK_COALESCED } from '../../components/blocks.ts'
import { FILE_AGAIN, FILE_SUBSECTIONS } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_WEAK_DEF } from '../../components/symbols.ts'

const WEAK_EXTERNAL = SYMBOL_WEAK_DEF | SYMBOL_EXTERNAL

/** For a file that has a weak definition that lost. */
export function coalesceFile(link: Link, file: number): void {
  const { blocks, symbols, names, files } = link
  const { flags, name, block, offset } = symbols.Definition
  const { symbol: winner } = names.Resolution
  const first = files.Ranges.symbol[file]
  const end = first + files.Ranges.symbols[file]
  let simple = (files.Source.flags[file] & FILE_SUBSECTIONS) !== 0
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & WEAK_EXTERNAL) !== WEAK_EXTERNAL || winner[name[symbol]] === symbol || block[symbol] === 0)
      continue
    if (offset[symbol] !== 0 || offset[winner[name[symbol]]] !== 0) simple = false
    blocks.Extent.flags[block[symbol]] |= BLOCK_COALESCED
    blocks.Placement.leader[block[symbol]] = block[winner[name[symbol]]]
  }
  if (!simple && moveAliases(link, first, end)) files.Source.flags[file] |= FILE_AGAIN
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & SYMBOL_DEFINED) === 0 || !(blocks.Extent.flags[block[symbol]] & BLOCK_COALESCED)) continue
    const keeps = flags[symbol] & SYMBOL_EXTERNAL ? winner[name[symbol]] === symbol : !simple || offset[symbol] !== 0
    if (!keeps) continue
    blocks.Extent.flags[block[symbol]] &= ~BLOCK_COALESCED
    blocks.Placement.leader[block[symbol]] = 0
  }
}

const OFFSETS = 4294967296

/**
 * Local names of a definition that lost become names of the winner (ld64.lld). Where each symbol begins a block that goes as
 * a whole, the block's leader says the same; this is for the files where it does not. Returns whether there were any.
 */
function moveAliases(link: Link, first: number, end: number): boolean {
  let any = false
  const { flags, name, block, offset } = link.symbols.Definition
  const { symbol: winner } = link.names.Resolution
  const moved = new Map<number, number>()
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & WEAK_EXTERNAL) !== WEAK_EXTERNAL || winner[name[symbol]] === symbol) continue
    if (block[symbol] !== 0) moved.set(block[symbol] * OFFSETS + offset[symbol], winner[name[symbol]])
  }
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_EXTERNAL | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED) continue
    const to = moved.get(block[symbol] * OFFSETS + offset[symbol])
    if (to === undefined || block[to] === 0) continue
    block[symbol] = block[to]
    offset[symbol] = offset[to]
    any = true
  }
  return any
}

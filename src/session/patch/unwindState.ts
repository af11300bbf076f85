// What the unwind table says of one object: where none of it is another, the table stays as it is.
import { findGot, KEY_IMPORT, KEY_LOCAL } from '../../../components/gots.ts'
import type { Link } from '../../../components/link.ts'
import { SYMBOL_CODE, TARGET_IMPORT } from '../../../components/symbols.ts'
import { gotAddress } from '../../../systems/kernels/addresses.ts'
import { isLinked } from '../../../systems/kernels/isLinked.ts'

/** Rows, places of blocks and functions without rows by number, and where personalities have their entries. */
export function unwindState(link: Link, file: number): Float64Array {
  const { unwind, unwinds, block, blocks, symbol, symbols } = link.files.Ranges
  const { Range, Entry } = link.unwinds
  const { Definition } = link.symbols
  const { address, leader } = link.blocks.Placement
  const state: number[] = []
  for (let row = unwind[file]; row < unwind[file] + unwinds[file]; row++) {
    state.push(
      row,
      Range.block[row],
      Range.offset[row],
      Range.length[row],
      Range.flags[row],
      isLinked(link, row) ? 1 : 0,
    )
    state.push(Entry.encoding[row], Entry.personality[row], Entry.lsda[row], Entry.lsdaOffset[row])
    state.push(Entry.fde[row], Entry.cie[row])
  }
  for (let at = block[file]; at < block[file] + blocks[file]; at++)
    state.push(link.blocks.Extent.flags[at], leader[at], address[leader[at] || at])
  for (let row = symbol[file]; row < symbol[file] + symbols[file]; row++)
    if (Definition.flags[row] & SYMBOL_CODE) state.push(Definition.block[row], Definition.offset[row])
  for (const target of link.personalities) state.push(target, target === 0 ? 0 : entryOf(link, target))
  return Float64Array.from(state)
}

function entryOf(link: Link, target: number): number {
  const isImport = (target & TARGET_IMPORT) !== 0
  const got = findGot(link.gots, isImport ? KEY_IMPORT : KEY_LOCAL, isImport ? target & 0x7fffffff : target)
  return got === 0 ? 0 : gotAddress(link, got)
}

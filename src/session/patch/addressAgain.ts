// Addresses of an object's symbols, and of all rows that mean them.
import type { Link } from '../../../components/link.ts'
import { SYMBOL_ABSOLUTE, SYMBOL_DEFINED, TARGET_IMPORT } from '../../../components/symbols.ts'
import { fileOfRow } from '../../../systems/kernels/ranks.ts'

/** `led`: objects of which blocks follow some of this one's that have moved. Returns them and the other objects that refer to what has moved. */
export function addressAgain(link: Link, file: number, led: ReadonlySet<number>): Set<number> {
  const files = new Set(led)
  for (const other of [file, ...led]) addressFile(link, other)
  const { target, address } = link.symbols.Reference
  const { symbol: ownOf } = link.imports.Library
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  for (let symbol = 1; symbol <= link.symbols.count; symbol++) {
    let to = target[symbol]
    if (to & TARGET_IMPORT) to = ownOf[to & 0x7fffffff]
    if (to < first || to >= end || to === symbol || address[symbol] === address[to]) continue
    address[symbol] = address[to]
    files.add(fileOfRow(link, symbol))
  }
  files.delete(file)
  return files
}

/** As allocate does. */
function addressFile(link: Link, file: number): void {
  const { flags, block, offset } = link.symbols.Definition
  const { target, address } = link.symbols.Reference
  const { leader, address: placed } = link.blocks.Placement
  const { symbol: ownOf } = link.imports.Library
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    if ((flags[symbol] & (SYMBOL_DEFINED | SYMBOL_ABSOLUTE)) !== SYMBOL_DEFINED || block[symbol] === 0) continue
    address[symbol] = placed[leader[block[symbol]] || block[symbol]] + offset[symbol]
  }
  for (let symbol = first; symbol < end; symbol++) {
    const to = target[symbol]
    if (to !== symbol && to !== 0) address[symbol] = address[to & TARGET_IMPORT ? ownOf[to & 0x7fffffff] : to]
  }
}

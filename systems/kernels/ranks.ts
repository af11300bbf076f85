// Whose row it is, and who comes first on the command line.
import { FILE_INTERNAL } from '../../components/files.ts'
import type { Link } from '../../components/link.ts'

/** Command-line order: file, then member. */
export function ranksBefore(link: Link, file: number, other: number): boolean {
  const { rank, member } = link.files.Order
  return rank[file] !== rank[other] ? rank[file] < rank[other] : member[file] < member[other]
}

/** The file that a symbol row belongs to. */
export function fileOfSymbol(link: Link, symbol: number): number {
  const block = link.symbols.Definition.block[symbol]
  if (block === 0) return fileOfRow(link, symbol)
  const file = link.sections.Header.file[link.blocks.Extent.section[block]]
  // The block of a tentative definition is the linker's.
  return link.files.Source.kind[file] === FILE_INTERNAL ? fileOfRow(link, symbol) : file
}

/** The file in whose range a symbol row is: for an alias, who asked for it; for a tentative definition, not the linker's. */
export function fileOfRow(link: Link, symbol: number): number {
  const { symbol: starts } = link.files.Ranges
  let low = 1
  let high = link.files.count
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (starts[middle] <= symbol) low = middle
    else high = middle - 1
  }
  while (low > 1 && link.files.Ranges.symbols[low] === 0) low--
  return low
}

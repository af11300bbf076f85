// Puts the rows of a new version of an object, which has other symbols and blocks, in the place of the old one's.
import type { Link } from '../../../components/link.ts'
import { copy, swapFile } from './swapRows.ts'

/** `after` as of `loadAlone`; `modified` in seconds. What systems after load decide of symbols and blocks is open again. */
export function installRows(link: Link, file: number, after: Link, modified: number): void {
  const { Ranges } = link.files
  const { symbols, blocks } = after.files.Ranges
  clearRows(link, file)
  swapFile(link, file, after, modified)
  Ranges.symbols[file] = symbols[1]
  Ranges.blocks[file] = blocks[1]
  const section = Ranges.section[file]
  const { first, count } = link.sections.Blocks
  copy(first, after.sections.Blocks.first, section, Ranges.sections[file])
  copy(count, after.sections.Blocks.count, section, Ranges.sections[file])
  shift(first, section, Ranges.sections[file], Ranges.block[file] - 1)
  installBlocks(link, file, after)
  installSymbols(link, file, after)
}

function clearRows({ files, blocks, symbols }: Link, file: number): void {
  const { block, blocks: blockCount, symbol, symbols: symbolCount } = files.Ranges
  for (const component of [blocks.Extent, blocks.Relocations, blocks.Placement, blocks.Links])
    for (const column of Object.values(component)) column.fill(0, block[file], block[file] + blockCount[file])
  for (const component of [symbols.Definition, symbols.Reference])
    for (const column of Object.values(component)) column.fill(0, symbol[file], symbol[file] + symbolCount[file])
}

function installBlocks(link: Link, file: number, after: Link): void {
  const { Extent, Relocations } = link.blocks
  const { section, block, blocks } = link.files.Ranges
  for (const name of ['section', 'offset', 'size'] as const)
    copy(Extent[name], after.blocks.Extent[name], block[file], blocks[file])
  copy(Extent.alignPow2, after.blocks.Extent.alignPow2, block[file], blocks[file])
  copy(Extent.flags, after.blocks.Extent.flags, block[file], blocks[file])
  shift(Extent.section, block[file], blocks[file], section[file] - 1)
  copy(Relocations.first, after.blocks.Relocations.first, block[file], blocks[file])
  copy(Relocations.count, after.blocks.Relocations.count, block[file], blocks[file])
}

function installSymbols(link: Link, file: number, after: Link): void {
  const { Definition } = link.symbols
  const { symbol, symbols, block } = link.files.Ranges
  for (const name of ['block', 'offset', 'name'] as const)
    copy(Definition[name], after.symbols.Definition[name], symbol[file], symbols[file])
  copy(Definition.flags, after.symbols.Definition.flags, symbol[file], symbols[file])
  shift(Definition.block, symbol[file], symbols[file], block[file] - 1)
}

/** Ids counted from the object's first become the link's; 0 stays. */
function shift(column: Uint32Array, first: number, count: number, by: number): void {
  for (let row = first; row < first + count; row++) if (column[row] !== 0) column[row] += by
}

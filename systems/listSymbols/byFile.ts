// The order of the padded layout: symbols stand file by file as the objects list them, so that it depends on who wins a name and
// nothing else, and a file that brings one more changes the rows of no other.
import type { Link } from '../../components/link.ts'
import { NAME_EXPORTED, WHERE_GLOBAL } from '../../components/names.ts'
import { SYMBOL_DEFINED, SYMBOL_EXTERNAL, SYMBOL_OMITTED } from '../../components/symbols.ts'
import { isInOutput } from './isInOutput.ts'
import type { Filter } from './localFilter.ts'

/** Rows of the symbol table while they are listed. */
export interface Listing {
  locals: Uint32Array
  localCount: number
  externals: Uint32Array
  externalCount: number
}

/** Fills link.table and Rows of all files. Returns the names of the externals. */
export function listByFile(link: Link, keeps: Filter): Uint32Array {
  const { table } = link
  const { Rows } = link.files
  for (const file of [...link.order, link.internal.file]) {
    Rows.local[file] = table.localCount
    Rows.external[file] = table.externalCount
    listFile(link, file, keeps, table)
    Rows.locals[file] = table.localCount - Rows.local[file]
    Rows.externals[file] = table.externalCount - Rows.external[file]
  }
  const { name } = link.symbols.Definition
  return table.externals.subarray(0, table.externalCount).map((symbol) => name[symbol])
}

/** Lists the symbols of one file: what is local to it or to the image, and what is exported. */
export function listFile(link: Link, file: number, keeps: Filter, into: Listing): void {
  const { flags, name } = link.symbols.Definition
  const { where, symbol: winner, flags: nameFlags } = link.names.Resolution
  const first = link.files.Ranges.symbol[file]
  const end = first + link.files.Ranges.symbols[file]
  for (let symbol = first; symbol < end; symbol++) {
    const is = flags[symbol]
    if ((is & (SYMBOL_DEFINED | SYMBOL_OMITTED)) !== SYMBOL_DEFINED) continue
    const external = (is & SYMBOL_EXTERNAL) !== 0
    if (external && (where[name[symbol]] !== WHERE_GLOBAL || winner[name[symbol]] !== symbol)) continue
    if (!isInOutput(link, symbol)) continue
    if (external && nameFlags[name[symbol]] & NAME_EXPORTED) into.externals[into.externalCount++] = symbol
    else if (keeps === 'all' || (keeps !== 'none' && keeps(external ? 0 : file, symbol)))
      into.locals[into.localCount++] = symbol
  }
  link.visited.rows += end - first
}

// link.table.byRow: the externals in the order of their symbols' rows, in which columns of symbols are best read.
import { memory } from '../../components/columns.ts'
import type { Link } from '../../components/link.ts'
import { WHERE_GLOBAL } from '../../components/names.ts'
import { countBefore, markBits, rankOf } from '../../src/core/bits.ts'

/** The externals' symbols as a set (src/core/bits.ts), which gives each its place among them. */
export interface Ranks {
  words: Uint32Array
  before: Uint32Array
}

/** Makes room for table.byRow. */
export function rankExternals(link: Link): Ranks {
  const { table } = link
  const { shared } = link.arenas
  const size = ((link.symbols.count >>> 5) + 1) * 4
  const words = new Uint32Array(memory(size, shared))
  const before = new Uint32Array(memory(size, shared))
  table.byRow = new Uint32Array(memory(table.externalCount * 4, shared))
  markBits(words, table.externals, table.externalCount)
  countBefore(words, before)
  return { words, before }
}

/** Fills table.byRow, and Use.symtab of the imports that stand for a definition of the image; those begin at `first`. */
export function orderByRow(link: Link, first: number): void {
  const ranks = rankExternals(link)
  const { externals, byRow } = link.table
  for (let i = 0; i < byRow.length; i++) byRow[rankOf(ranks.words, ranks.before, externals[i])] = i
  numberOwn(link, ranks, first)
}

/** Use.symtab of the imports that stand for a definition of the image, once table.byRow is filled: the externals begin at `first`. */
export function numberOwn(link: Link, { words, before }: Ranks, first: number): void {
  const { where, symbol } = link.names.Resolution
  const { name: nameOf } = link.symbols.Definition
  for (let made = 1; made <= link.imports.count; made++) {
    const name = link.imports.Library.name[made]
    const own = symbol[name]
    if (where[name] !== WHERE_GLOBAL || nameOf[own] !== name || ((words[own >>> 5] >>> (own & 31)) & 1) === 0) continue
    link.imports.Use.symtab[made] = first + link.table.byRow[rankOf(words, before, own)] + 1
  }
}

// Rows of the symbol table of what the image defines. One loop a function: see sortNames.ts.
import type { Link } from '../../components/link.ts'
import {
  SYMBOL_ABSOLUTE,
  SYMBOL_EXTERNAL,
  SYMBOL_REFERENCED_DYNAMICALLY,
  SYMBOL_WEAK_DEF,
} from '../../components/symbols.ts'
import * as macho from '../../src/formats/macho/constants.ts'

const NLIST_WORDS = macho.NLIST_SIZE / 4

/** What is read of symbols and of where they are. */
interface Definitions {
  flags: Uint16Array
  address: Float64Array
  block: Uint32Array
  leader: Uint32Array
  section: Uint32Array
  output: Uint32Array
  index: Uint16Array
  headerBlock: number
}

function definitionsOf(link: Link): Definitions {
  return {
    flags: link.symbols.Definition.flags,
    address: link.symbols.Reference.address,
    block: link.symbols.Definition.block,
    leader: link.blocks.Placement.leader,
    section: link.blocks.Extent.section,
    output: link.sections.Blocks.output,
    index: link.outputs.Section.index,
    headerBlock: link.headerBlock,
  }
}

/** Fills all but the names of `rows[0, count)`, local or N_PEXT, from word `at` on. */
export function defineLocals(link: Link, words: Uint32Array, at: number, rows: Uint32Array, count: number): void {
  const from = definitionsOf(link)
  for (let i = 0; i < count; i++) writeDefined(from, words, at + i * NLIST_WORDS, rows[i], 0, macho.N_PEXT, 0)
}

/** As `defineLocals` with N_EXT. */
export function defineSomeExternals(link: Link, words: Uint32Array, at: number, rows: Uint32Array): void {
  const from = definitionsOf(link)
  for (let i = 0; i < rows.length; i++)
    writeDefined(from, words, at + i * NLIST_WORDS, rows[i], macho.N_EXT, 0, macho.N_WEAK_DEF)
}

/**
 * As `defineLocals` with N_EXT, of all externals those at byRow[first, end): in the order of the symbols' rows, whose columns are then read
 * from front to back.
 */
export function defineExternals(
  link: Link,
  words: Uint32Array,
  at: number,
  externals: Uint32Array,
  byRow: Uint32Array,
  first: number,
  end: number,
): void {
  const from = definitionsOf(link)
  for (let i = first; i < end; i++)
    writeDefined(from, words, at + byRow[i] * NLIST_WORDS, externals[byRow[i]], macho.N_EXT, 0, macho.N_WEAK_DEF)
}

/**
 * Without operations that a link may come to late or never: code that V8 compiled before is thrown away there. `own`: type bits of all; `hidden`: those of external names; `weak`: description
 * bits of weak definitions.
 */
function writeDefined(
  from: Definitions,
  words: Uint32Array,
  at: number,
  symbol: number,
  own: number,
  hidden: number,
  weak: number,
): void {
  const is = from.flags[symbol]
  const home = from.block[symbol]
  const isAbsolute = (is & SYMBOL_ABSOLUTE) !== 0
  // ld64.lld gives the header, which has no section, the first one's number.
  const place = home === from.headerBlock ? 1 : from.index[from.output[from.section[from.leader[home] || home]]]
  const type = own | ((is & SYMBOL_EXTERNAL) !== 0 ? hidden : 0) | (isAbsolute ? macho.N_ABS : macho.N_SECT)
  const desc =
    ((is & SYMBOL_WEAK_DEF) !== 0 ? weak : 0) |
    ((is & SYMBOL_REFERENCED_DYNAMICALLY) !== 0 ? macho.REFERENCED_DYNAMICALLY : 0)
  const value = from.address[symbol]
  words[at + 1] = type | ((isAbsolute ? 0 : place) << 8) | (desc << 16)
  words[at + 2] = value
  words[at + 3] = Math.floor(value * (1 / 4294967296))
}

/** Rows [first, end), whose names stand side by side in the string table from `start` on; `at` is the word of row 0. */
export function nameExternals(
  words: Uint32Array,
  at: number,
  start: number,
  offset: Uint32Array,
  first: number,
  end: number,
): void {
  for (let i = first; i < end; i++) words[at + i * NLIST_WORDS] = start + offset[i]
}

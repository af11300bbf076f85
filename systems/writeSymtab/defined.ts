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

/** Fills all but the names of `rows[0, count)`, from word `at` on. `external`: N_EXT; else local, or N_PEXT. */
export function writeDefined(
  link: Link,
  words: Uint32Array,
  at: number,
  rows: Uint32Array,
  count: number,
  external: boolean,
): void {
  const { flags, block } = link.symbols.Definition
  const { address } = link.symbols.Reference
  const { leader } = link.blocks.Placement
  const { section } = link.blocks.Extent
  const { output } = link.sections.Blocks
  const { index } = link.outputs.Section
  const { headerBlock } = link
  for (let i = 0; i < count; i++, at += NLIST_WORDS) {
    const symbol = rows[i]
    const is = flags[symbol]
    const type = external ? macho.N_EXT : is & SYMBOL_EXTERNAL ? macho.N_PEXT : 0
    let desc = external && is & SYMBOL_WEAK_DEF ? macho.N_WEAK_DEF : 0
    if (is & SYMBOL_REFERENCED_DYNAMICALLY) desc |= macho.REFERENCED_DYNAMICALLY
    if (is & SYMBOL_ABSOLUTE) words[at + 1] = type | macho.N_ABS | (desc << 16)
    else {
      const home = block[symbol]
      // ld64.lld gives the header, which has no section, the first one's number.
      const number = home === headerBlock ? 1 : index[output[section[leader[home] || home]]]
      words[at + 1] = type | macho.N_SECT | (number << 8) | (desc << 16)
    }
    const value = address[symbol]
    words[at + 2] = value
    words[at + 3] = Math.floor(value / 4294967296)
  }
}

/** Names that stand side by side in the string table from `start` on. */
export function nameExternals(words: Uint32Array, at: number, start: number, offset: Uint32Array, count: number): void {
  for (let i = 0; i < count; i++, at += NLIST_WORDS) words[at] = start + offset[i]
}
